//! About the nearest orthogonal matrix by Newton–Schulz iterations: matrix products only, no decomposition.
//!
//! Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};

use super::flex::{contiguous, from_vec, values};
use super::matmul::{Matrix, Onto, multiply};
use super::simd::vectorized;
use super::sum_of_squares::sum_of_squares;

/// Coefficients of the quintic iteration.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
/// Number of iterations.
const ITERATIONS: usize = 5;
/// Keeps the division by the norm safe.
const EPS: f64 = 1e-7;

/// `x [rows, columns]` with its singular values moved to the neighbourhood of 1. `x` may not track gradients.
pub fn orthogonalize(x: Tensor<2>) -> Tensor<2> {
    let norm = sum_of_squares(x.clone()).sqrt() + EPS;
    let x = x.div_scalar(norm);
    if x.dtype() == DType::F32 && x.device() == burn::prelude::Device::flex() {
        return on_flex(x);
    }
    let [rows, columns] = x.dims();
    let [a, b, c] = COEFFICIENTS;
    // The products are of the smaller side.
    let tall = rows > columns;
    let mut x = if tall { x.transpose() } else { x };
    for _ in 0..ITERATIONS {
        let gram = x.clone().matmul(x.clone().transpose());
        let polynomial = gram.clone().mul_scalar(b) + gram.clone().matmul(gram).mul_scalar(c);
        x = x.clone().mul_scalar(a) + polynomial.matmul(x);
    }
    if tall { x.transpose() } else { x }
}

fn on_flex(x: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = x.dims();
    let x = contiguous(
        x.try_into_primitive::<Flex>()
            .expect("the device was checked"),
    );
    let shape = x.layout().shape().clone();
    let mut x = values(&x).to_vec();
    let mut next = vec![0.0; x.len()];
    let side = rows.min(columns);
    let (mut gram, mut polynomial) = (vec![0.0; side * side], vec![0.0; side * side]);
    for _ in 0..ITERATIONS {
        let whole = Matrix::rows(&x, rows, columns);
        // The products are of the smaller side.
        let (left, right) = if rows > columns {
            (whole.transposed(), whole)
        } else {
            (whole, whole.transposed())
        };
        multiply(left, right, Onto::Zero, &mut gram);
        let square = Matrix::rows(&gram, side, side);
        multiply(square, square, Onto::Zero, &mut polynomial);
        vectorized(
            #[inline(always)]
            || combine(&mut polynomial, &gram, side),
        );
        let factor = Matrix::rows(&polynomial, side, side);
        if rows > columns {
            // The factor is symmetric: it may stand on the other side of the transposed matrix.
            multiply(whole, factor, Onto::Zero, &mut next);
        } else {
            multiply(factor, whole, Onto::Zero, &mut next);
        }
        std::mem::swap(&mut x, &mut next);
    }
    Tensor::from_primitive::<Flex>(from_vec(x, shape))
}

/// `square = a · I + b · gram + c · square`, of `side × side` values.
#[inline(always)]
fn combine(square: &mut [f32], gram: &[f32], side: usize) {
    let [a, b, c] = COEFFICIENTS.map(|coefficient| coefficient as f32);
    for (square, gram) in square.iter_mut().zip(gram) {
        *square = b * gram + c * *square;
    }
    for diagonal in square.iter_mut().step_by(side + 1) {
        *diagonal += a;
    }
}
