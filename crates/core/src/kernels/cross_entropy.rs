//! Cross-entropy of logits against target ids, without a second buffer of the logits' size.
//!
//! Forward overwrites the logits with their gradient, `softmax - one_hot` in the plain case; backward scales it in place.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::{Int, Tensor};

use super::{Kernels, Routed};
use crate::tape::{Gradient, Operation, Tape, Value};

/// What is added to the plain cross-entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropyOptions {
    /// Share `ε` of the target that is spread over the whole vocabulary, from 0 to below 1: the loss is `1 - ε` times that of the target
    /// and `ε` times the mean of that of all tokens (Szegedy et al. 2016, section 7).
    pub label_smoothing: f64,
    /// Factor `c` of the squared log of the softmax's sum, `c · ln²(Σ exp(logits))`, from 0 on: keeps the logits from drifting away
    /// (Chowdhery et al. 2022, "PaLM", section 5, with 1e-4).
    pub z_loss: f64,
}

/// Loss of every row in nats: `-ln softmax(logits)[target]`, and what the options add.
///
/// # Shapes
/// - `logits`: `[rows, vocab]`
/// - `targets`: `[rows]`, ids below `vocab`
/// - output: `[rows]`
///
/// # Panics
/// When a target is not below `vocab`, on Flex.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    options: CrossEntropyOptions,
) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Routed>::cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
        options,
    ))
}

impl Tape {
    /// [`cross_entropy`], which writes the gradient over the logits.
    pub fn cross_entropy(&mut self, logits: Value) -> Value {
        let operation = Operation {
            inputs: vec![logits],
            keeps: vec![logits],
            gradient: Gradient::Kept,
            ..Operation::default()
        };
        self.push(operation, logits.rows, 1)
    }
}

pub(super) mod composed {
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{Backend, FloatDType, TensorMetadata};
    use burn::tensor::{IndexingUpdateOp, Shape};

    use super::CrossEntropyOptions;

    pub(in crate::kernels) fn forward<B: Backend>(
        logits: FloatTensor<B>,
        targets: IntTensor<B>,
        options: CrossEntropyOptions,
        want_gradient: bool,
    ) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let CrossEntropyOptions {
            label_smoothing,
            z_loss,
        } = options;
        let (rows, vocab) = (logits.shape()[0], logits.shape()[1]);
        let targets = B::int_reshape(targets, Shape::new([rows, 1]));
        let max = B::float_max_dim(logits.clone(), 1);
        let shifted = B::float_sub(logits, max.clone());
        let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
        let log_softmax = B::float_sub(shifted, log_sum.clone());
        let picked = B::float_gather(1, log_softmax.clone(), targets.clone());
        let mut loss = B::float_mul_scalar(picked, (label_smoothing - 1.0).into());
        if label_smoothing > 0.0 {
            let all = B::float_sum_dim(log_softmax.clone(), 1);
            let share = -label_smoothing / vocab as f64;
            loss = B::float_add(loss, B::float_mul_scalar(all, share.into()));
        }
        let log_z = B::float_add(log_sum, max); // [rows, 1]
        if z_loss > 0.0 {
            let square = B::float_mul(log_z.clone(), log_z.clone());
            loss = B::float_add(loss, B::float_mul_scalar(square, z_loss.into()));
        }
        let gradient = want_gradient.then(|| {
            let mut softmax = B::float_exp(log_softmax);
            if z_loss > 0.0 {
                let more = B::float_mul_scalar(log_z, (2.0 * z_loss).into());
                softmax = B::float_mul(softmax, B::float_add_scalar(more, 1.0.into()));
            }
            if label_smoothing > 0.0 {
                let share = label_smoothing / vocab as f64;
                softmax = B::float_sub_scalar(softmax, share.into());
            }
            let dtype: FloatDType = softmax.dtype().into();
            let ones = B::float_ones(Shape::new([rows, 1]), &softmax.device(), dtype);
            let of_target = B::float_mul_scalar(ones, (label_smoothing - 1.0).into());
            B::float_scatter(1, softmax, targets, of_target, IndexingUpdateOp::Add)
        });
        (B::float_reshape(loss, Shape::new([rows])), gradient)
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        gradient: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let rows = grad.shape()[0];
        B::float_mul(gradient, B::float_reshape(grad, Shape::new([rows, 1])))
    }
}

pub(super) mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::Shape;
    use rayon::prelude::*;

    use super::CrossEntropyOptions;
    use crate::kernels::flex::{contiguous, from_vec, ids, rows_and_width, values};
    use crate::kernels::simd::{sum, vectorized};
    use crate::kernels::softmax::{log_sum_exp, softmax};

    impl CrossEntropyOptions {
        /// The logit that the loss takes off: the target's, mixed with the mean where labels are smooth.
        #[inline(always)]
        fn expected_logit(self, row: &[f32], target: usize) -> f32 {
            if self.label_smoothing == 0.0 {
                return row[target];
            }
            let mean = sum(row) / row.len() as f32;
            row[target] + self.label_smoothing as f32 * (mean - row[target])
        }

        /// The loss of a row of which this is the [`expected_logit`](Self::expected_logit).
        #[inline(always)]
        fn loss(self, expected_logit: f32, max: f32, log_sum: f32) -> f32 {
            // The maximum is taken off first: the difference of large numbers would lose the digits.
            let loss = log_sum + (max - expected_logit);
            if self.z_loss == 0.0 {
                return loss;
            }
            let log_z = log_sum + max;
            loss + self.z_loss as f32 * log_z * log_z
        }

        /// Turns the softmax of a row into the gradient by its logits.
        #[inline(always)]
        fn gradient(self, softmax: &mut [f32], target: usize, log_z: f32) {
            if self != Self::default() {
                let factor = 1.0 + 2.0 * self.z_loss as f32 * log_z;
                let share = self.label_smoothing as f32 / softmax.len() as f32;
                softmax.iter_mut().for_each(|p| *p = *p * factor - share);
            }
            softmax[target] -= 1.0 - self.label_smoothing as f32;
        }
    }

    pub(in crate::kernels) fn forward(
        logits: FlexTensor,
        targets: FlexTensor,
        options: CrossEntropyOptions,
        want_gradient: bool,
    ) -> (FlexTensor, Option<FlexTensor>) {
        let (rows, vocab) = rows_and_width(&logits);
        let targets = ids(&targets);
        assert!(
            targets.iter().all(|&t| t < vocab),
            "a target id is not below the vocabulary size {vocab}"
        );
        let mut loss = vec![0.0; rows];
        let mut logits = contiguous(logits);
        if !want_gradient {
            let rows = values(&logits)
                .par_chunks_exact(vocab)
                .zip(&targets)
                .zip(&mut loss);
            rows.for_each(|((row, &target), loss)| {
                let (max, log_sum) = log_sum_exp(row);
                let expected = vectorized(
                    #[inline(always)]
                    || options.expected_logit(row, target),
                );
                *loss = options.loss(expected, max, log_sum);
            });
            return (from_vec(loss, Shape::new([targets.len()])), None);
        }
        if logits.bytes().len() != rows * vocab * size_of::<f32>() {
            // A view into a larger buffer: give it a buffer of its own.
            logits = from_vec(values(&logits).to_vec(), Shape::new([rows, vocab]));
        }
        // Copies first when someone else still holds the logits.
        let buffer = logits.storage_mut::<f32>();
        buffer
            .par_chunks_exact_mut(vocab)
            .zip(&targets)
            .zip(&mut loss)
            .for_each(|((row, &target), loss)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let expected = options.expected_logit(row, target);
                        let (max, log_sum) = softmax(row, 1.0);
                        *loss = options.loss(expected, max, log_sum);
                        options.gradient(row, target, log_sum + max);
                    },
                );
            });
        (from_vec(loss, Shape::new([rows])), Some(logits))
    }

    pub(in crate::kernels) fn backward(gradient: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (_, vocab) = rows_and_width(&gradient);
        let grad = contiguous(grad);
        let mut gradient = contiguous(gradient);
        let rows = gradient
            .storage_mut::<f32>()
            .par_chunks_exact_mut(vocab)
            .zip(values(&grad));
        rows.for_each(|(row, grad)| row.iter_mut().for_each(|x| *x *= grad));
        gradient
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl<B: Kernels> Backward<B, 1> for CrossEntropyBackward {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::cross_entropy_backward(ops.state, grad));
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
    options: CrossEntropyOptions,
) -> FloatTensor<Autodiff<B, C>> {
    // The parts leave the buffer with one owner, so that the kernel may write into it.
    let (logits, node) = logits.into_parts();
    match CrossEntropyBackward
        .prepare::<C>([node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let (loss, gradient) = B::cross_entropy_forward(logits, targets, options, true);
            prep.finish(gradient.expect("asked for"), loss)
        }
        OpsKind::UnTracked(prep) => {
            prep.finish(B::cross_entropy_forward(logits, targets, options, false).0)
        }
    }
}
