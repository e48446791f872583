//! Sum of squares of a tensor, for the norm of gradients: in f64 on Flex, with the same bits on any number of threads.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use super::flex::{contiguous, values};
use super::simd::vectorized;

/// `Σ x²` over all elements. Not finite exactly when an element is not finite or the sum leaves the range.
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> f64 {
    /// Values summed by one thread before the partial sums are added in order.
    const CHUNK: usize = 16_384;
    if x.dtype() != DType::F32 || x.device() != burn::prelude::Device::flex() {
        return x.square().sum().into_scalar::<f64>();
    }
    let x = contiguous(
        x.try_into_primitive::<Flex>()
            .expect("the device was checked"),
    );
    let parts: Vec<f64> = values(&x)
        .par_chunks(CHUNK)
        .map(|chunk| {
            vectorized(
                #[inline(always)]
                || squares_of(chunk),
            )
        })
        .collect();
    parts.iter().sum()
}

/// `Σ x²` of a chunk. Sums side by side, so that the compiler can use vectors.
#[inline(always)]
fn squares_of(chunk: &[f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    let (whole, rest) = chunk.as_chunks::<16>();
    for values in whole {
        for (sum, &v) in sums.iter_mut().zip(values) {
            *sum += f64::from(v) * f64::from(v);
        }
    }
    let rest: f64 = rest.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    sums.iter().sum::<f64>() + rest
}
