//! The most memory that lives at a time in a pass: its buffers in the order in which they are made and given up.
//!
//! The order is Burn's: a value goes with its last use, what the backward pass needs stays until its operation was differentiated, a
//! gradient goes with the operation that it was for, and two gradients of one value are added where the newer one is.

use super::{Gradient, Tape, Value};

/// Memory of a pass in bytes, beside the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// The most that lives at a time: activations, gradients and working memory.
    pub bytes: u64,
    /// What the forward pass leaves for the backward pass; 0 without one.
    pub kept_bytes: u64,
    /// What the pass leaves behind: the gradients of all parameters.
    pub gradient_bytes: u64,
}

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;

/// A buffer by its index.
type Buffer = usize;

/// Buffers with the number of those who hold them.
#[derive(Default)]
struct Buffers {
    all: Vec<(u64, u32)>,
    live: u64,
    peak: u64,
}

impl Buffers {
    fn new_buffer(&mut self, len: u64) -> Buffer {
        self.all.push((len, 1));
        self.live = self.live.saturating_add(len);
        self.reach(0);
        self.all.len() - 1
    }

    /// Working memory that lives for a moment.
    fn reach(&mut self, more: u64) {
        self.peak = self.peak.max(self.live.saturating_add(more));
    }

    fn share(&mut self, buffer: Buffer) -> Buffer {
        self.all[buffer].1 += 1;
        buffer
    }

    fn is_unique(&self, buffer: Buffer) -> bool {
        self.all[buffer].1 == 1
    }

    fn release(&mut self, buffer: Buffer) {
        let (len, holders) = &mut self.all[buffer];
        *holders -= 1;
        if *holders == 0 {
            self.live = self.live.saturating_sub(*len);
        }
    }
}

impl Tape {
    /// Memory of the pass.
    pub fn peak(&self) -> Peak {
        let mut buffers = Buffers::default();
        let kept = self.forward(&mut buffers);
        let kept_bytes = if self.is_training() { buffers.live } else { 0 };
        if self.is_training() {
            self.backward(kept, &mut buffers);
        }
        let gradients = if self.is_training() { buffers.live } else { 0 };
        Peak {
            bytes: VALUE.saturating_mul(buffers.peak),
            kept_bytes: VALUE.saturating_mul(kept_bytes),
            gradient_bytes: VALUE.saturating_mul(gradients),
        }
    }

    /// What each operation keeps: first the buffers of `keeps`, in order, then its own.
    fn forward(&self, buffers: &mut Buffers) -> Vec<Vec<Buffer>> {
        let mut uses = vec![0u32; self.n_values];
        for (operation, _) in &self.operations {
            for value in operation.inputs.iter().chain(&operation.keeps) {
                uses[value.id] += 1;
            }
        }
        let mut of_value: Vec<Option<Buffer>> = vec![None; self.n_values];
        for value in &self.constants {
            of_value[value.id] = Some(buffers.new_buffer(value.len()));
        }
        let mut kept = Vec::with_capacity(self.operations.len());
        for (operation, output) in &self.operations {
            let held = |value: &Value| of_value[value.id].expect("made by an operation before");
            let free = |value: &&Value| {
                let last = uses[value.id] == 1;
                value.len() == output.len() && last && buffers.is_unique(held(value))
            };
            let reused = operation.inputs.iter().find(free).map(held);
            let out = match reused.filter(|_| operation.in_place) {
                Some(input) => buffers.share(input),
                None => buffers.new_buffer(output.len()),
            };
            of_value[output.id] = Some(out);
            buffers.reach(operation.scratch[0].saturating_add(operation.keeps_more));
            let mut keeps = Vec::new();
            if self.is_training() {
                for value in &operation.keeps {
                    let buffer = of_value[value.id].expect("made before, or the output");
                    keeps.push(buffers.share(buffer));
                }
                keeps.push(buffers.new_buffer(operation.keeps_more));
            }
            kept.push(keeps);
            for value in operation.inputs.iter().chain(&operation.keeps) {
                uses[value.id] -= 1;
                if uses[value.id] == 0 {
                    let buffer = of_value[value.id].take();
                    buffers.release(buffer.expect("released once"));
                }
            }
        }
        // What is left has no reader: the result.
        for buffer in of_value.into_iter().flatten() {
            buffers.release(buffer);
        }
        kept
    }

    fn backward(&self, kept: Vec<Vec<Buffer>>, buffers: &mut Buffers) {
        let mut gradients: Vec<Option<Buffer>> = vec![None; self.n_values];
        let mut has_gradient = vec![false; self.parameters.len()];
        if let Some((_, output)) = self.operations.last() {
            gradients[output.id] = Some(buffers.new_buffer(output.len()));
        }
        for ((operation, output), kept) in self.operations.iter().zip(kept).rev() {
            let Some(gradient) = gradients[output.id].take() else {
                continue;
            };
            for parameter in &operation.parameters {
                // A second use adds to the gradient of the first, where it is.
                if !std::mem::replace(&mut has_gradient[parameter.id], true) {
                    buffers.new_buffer(parameter.len);
                }
            }
            let new: Vec<Buffer> = operation
                .inputs
                .iter()
                .map(|value| match operation.gradient {
                    Gradient::New => buffers.new_buffer(value.len()),
                    Gradient::Passed => buffers.share(gradient),
                    Gradient::Kept => buffers.share(kept[0]),
                })
                .collect();
            buffers.reach(operation.scratch[1]);
            for buffer in kept {
                buffers.release(buffer);
            }
            buffers.release(gradient);
            for (value, new) in operation.inputs.iter().zip(new) {
                let sum = match gradients[value.id].take() {
                    None => new,
                    Some(old) => add(buffers, new, old, value.len()),
                };
                gradients[value.id] = Some(sum);
            }
        }
    }
}

/// The sum of two gradients, in the place of one that nobody else holds.
fn add(buffers: &mut Buffers, new: Buffer, old: Buffer, len: u64) -> Buffer {
    let place = [new, old]
        .into_iter()
        .find(|&buffer| buffers.is_unique(buffer));
    let sum = match place {
        Some(buffer) => buffers.share(buffer),
        None => buffers.new_buffer(len),
    };
    buffers.release(new);
    buffers.release(old);
    sum
}

#[cfg(test)]
mod tests {
    use super::super::{Operation, Purpose};
    use super::*;

    /// Two products, each of which keeps its input: `x → h → y`.
    fn two_products(purpose: Purpose) -> Tape {
        let mut tape = Tape::new(purpose, 1, 10);
        let table = tape.parameter(50);
        let x = tape.embedding(table, 10, 5);
        let weight = tape.parameter(5 * 7);
        let h = tape.linear(x, 7, &[weight]);
        let weight = tape.parameter(7 * 2);
        tape.linear(h, 2, &[weight]);
        tape
    }

    #[test]
    fn a_forward_pass_holds_inputs_and_outputs_of_one_operation() {
        let peak = two_products(Purpose::Inference).peak();
        // x and h together are the most; without a backward pass nothing is kept.
        assert_eq!((peak.bytes, peak.kept_bytes), (4 * (50 + 70), 0));
    }

    /// Counted by hand.
    #[test]
    fn a_backward_pass_gives_up_what_it_has_read() {
        let peak = two_products(Purpose::Training).peak();
        assert_eq!(peak.kept_bytes, 4 * (50 + 70));
        // x, h, the gradient of y, then those of the second weight and of h; then without h and y, x and the gradients of the first
        // weight and of x; at last without x, the gradient of the table.
        let second = 50 + 70 + 20 + 14 + 70;
        let first = 50 + 14 + 70 + 35 + 50;
        let table = 14 + 35 + 50 + 50;
        assert_eq!(peak.bytes, 4 * second.max(first).max(table));
        assert_eq!(peak.gradient_bytes, 4 * (50 + 35 + 14));
    }

    #[test]
    fn a_shared_parameter_has_one_gradient() {
        let mut tape = Tape::new(Purpose::Training, 1, 10);
        let table = tape.parameter(40 * 5);
        let x = tape.embedding(table, 10, 5);
        tape.linear(x, 40, &[table]);
        assert_eq!(tape.parameter_count(), 200);
        assert_eq!(tape.peak().gradient_bytes, 4 * 200);
    }

    #[test]
    fn a_residual_stream_shares_its_gradient() {
        let mut tape = Tape::new(Purpose::Training, 1, 10);
        let table = tape.parameter(50);
        let x = tape.embedding(table, 10, 5);
        let weight = tape.parameter(25);
        let h = tape.linear(x, 5, &[weight]);
        let x = tape.add(x, h);
        tape.push(
            Operation {
                inputs: vec![x],
                ..Operation::default()
            },
            10,
            1,
        );
        // Kept: the first x. The sum was written over h.
        let peak = tape.peak();
        assert_eq!(peak.kept_bytes, 4 * 50);
        // x, the shared gradient, that of the weight and the new one of x, before the two are added.
        assert_eq!(peak.bytes, 4 * (50 + 50 + 25 + 50));
    }
}
