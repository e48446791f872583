//! One AdamW step as one pass over memory on Flex; composed elsewhere.
//!
//! Source: Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2, with the learning rate as the schedule
//! multiplier of the decay, as PyTorch has it.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor};
use half::bf16;
use rayon::prelude::*;

use super::flex::{contiguous, values, values_mut};
use super::simd::vectorized;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this step, from 1; corrects the bias of the moments.
    pub step: u64,
    /// The gradient is multiplied by this first: the clip factor.
    pub gradient_scale: f64,
}

impl AdamWStep {
    /// `1 - βᵗ` of both moments.
    fn corrections(&self) -> [f64; 2] {
        self.betas.map(|beta| 1.0 - beta.powf(self.step as f64))
    }
}

/// The parameter and its moments after one step. None of the tensors may track gradients.
///
/// On Flex the moments may be bf16 beside f32 parameters: half the memory, rounded up or down at random.
pub fn adamw<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
    step: &AdamWStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let f32_everywhere = parameter.dtype() == DType::F32 && gradient.dtype() == DType::F32;
    if f32_everywhere && parameter.device() == burn::prelude::Device::flex() {
        return on_flex(parameter, gradient, moments, step);
    }
    let [first, second] = moments;
    let [c1, c2] = step.corrections();
    let gradient = gradient.mul_scalar(step.gradient_scale);
    let first = first.mul_scalar(step.betas[0]) + gradient.clone().mul_scalar(1.0 - step.betas[0]);
    let second =
        second.mul_scalar(step.betas[1]) + gradient.square().mul_scalar(1.0 - step.betas[1]);
    let direction =
        first.clone().div_scalar(c1) / (second.clone().div_scalar(c2).sqrt() + step.eps);
    let decayed = parameter.mul_scalar(1.0 - step.learning_rate * step.weight_decay);
    (
        decayed - direction.mul_scalar(step.learning_rate),
        [first, second],
    )
}

fn on_flex<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
    step: &AdamWStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    /// Values that one thread takes at a time.
    const CHUNK: usize = 16_384;
    let primitive = |tensor: Tensor<D>| -> FlexTensor {
        contiguous(
            tensor
                .try_into_primitive::<Flex>()
                .expect("the device was checked"),
        )
    };
    let (mut p, g) = (primitive(parameter), primitive(gradient));
    let [mut m, mut v] = moments.map(primitive);
    let [b1, b2] = step.betas.map(|beta| beta as f32);
    let [c1, c2] = step.corrections().map(|c| c as f32);
    let numbers = Numbers {
        b1,
        b2,
        c1,
        c2,
        learning_rate: step.learning_rate as f32,
        eps: step.eps as f32,
        scale: step.gradient_scale as f32,
        decay: (1.0 - step.learning_rate * step.weight_decay) as f32,
    };
    // In place whenever this step is the only owner of the buffers, as the training loop sees to.
    let (p_values, g_values) = (values_mut(&mut p), values(&g));
    if m.dtype() == DType::BF16 {
        let [m, v] = [&mut m, &mut v].map(values_mut::<bf16>);
        p_values
            .par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(v.par_chunks_mut(CHUNK))
            .zip(g_values.par_chunks(CHUNK))
            .enumerate()
            .for_each(|(chunk, (((p, m), v), g))| {
                let wide = |narrow: &[bf16]| narrow.iter().map(|x| x.to_f32()).collect();
                let mut moments: [Vec<f32>; 2] = [wide(m), wide(v)];
                let place = step
                    .step
                    .wrapping_mul(0x9E37_79B9)
                    .wrapping_add(chunk as u64) as u32;
                vectorized(
                    #[inline(always)]
                    || {
                        let [first, second] = &mut moments;
                        update(p, [first, second], g, &numbers);
                        round(m, first, hash(place));
                        round(v, second, hash(!place));
                    },
                );
            });
    } else {
        p_values
            .par_chunks_mut(CHUNK)
            .zip(values_mut(&mut m).par_chunks_mut(CHUNK))
            .zip(values_mut(&mut v).par_chunks_mut(CHUNK))
            .zip(g_values.par_chunks(CHUNK))
            .for_each(|(((p, m), v), g)| {
                vectorized(
                    #[inline(always)]
                    || update(p, [m, v], g, &numbers),
                );
            });
    }
    let tensor = |primitive| Tensor::from_primitive::<Flex>(primitive);
    (tensor(p), [tensor(m), tensor(v)])
}

/// Rounds to one of the two neighbours, to each with the probability of its nearness, so that what is smaller than a digit is not lost in
/// the long run: with `beta` = 0.999 a moment changes by a thousandth of itself, and bf16 has 8 bits. The bits depend on the place alone.
#[inline(always)]
fn round(to: &mut [bf16], from: &[f32], seed: u32) {
    for (i, (to, from)) in (0u32..).zip(to.iter_mut().zip(from)) {
        let below_one = hash(seed ^ i) & 0xFFFF;
        *to = bf16::from_bits((from.to_bits().wrapping_add(below_one) >> 16) as u16);
    }
}

/// A number that looks random, of every number another one (Wellons 2018, "lowbias32").
#[inline(always)]
fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// A step's numbers as the values have them.
struct Numbers {
    b1: f32,
    b2: f32,
    c1: f32,
    c2: f32,
    learning_rate: f32,
    eps: f32,
    scale: f32,
    decay: f32,
}

#[inline(always)]
fn update(p: &mut [f32], [m, v]: [&mut [f32]; 2], g: &[f32], numbers: &Numbers) {
    let &Numbers {
        b1,
        b2,
        c1,
        c2,
        learning_rate,
        eps,
        scale,
        decay,
    } = numbers;
    for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
        let g = g * scale;
        *m = b1 * *m + (1.0 - b1) * g;
        *v = b2 * *v + (1.0 - b2) * g * g;
        *p = *p * decay - learning_rate * (*m / c1) / ((*v / c2).sqrt() + eps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_right_on_average() {
        for value in [1.003f32, -0.701, 3.3e-5] {
            let mut rounded = vec![bf16::ZERO; 100_000];
            round(&mut rounded, &vec![value; 100_000], 7);
            let neighbours = [
                value.to_bits() & 0xFFFF_0000,
                (value.to_bits() & 0xFFFF_0000) + 0x1_0000,
            ];
            assert!(
                rounded
                    .iter()
                    .all(|x| neighbours.contains(&x.to_f32().to_bits()))
            );
            let mean = rounded.iter().map(|x| f64::from(x.to_f32())).sum::<f64>() / 1e5;
            assert!(
                (mean / f64::from(value) - 1.0).abs() < 2e-5,
                "{value}: {mean}"
            );
        }
    }
}
