//! Sum of squares of a tensor, for the norm of gradients: in f64 on Flex, with the same bits on any number of threads.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use super::flex::{contiguous, values};

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
            // Eight sums side by side let the compiler use vectors.
            let mut sums = [0.0f64; 8];
            let eights = chunk.chunks_exact(8);
            let rest: f64 = eights
                .remainder()
                .iter()
                .map(|&v| f64::from(v) * f64::from(v))
                .sum();
            for eight in eights {
                sums.iter_mut()
                    .zip(eight)
                    .for_each(|(s, &v)| *s += f64::from(v) * f64::from(v));
            }
            sums.iter().sum::<f64>() + rest
        })
        .collect();
    parts.iter().sum()
}
