//! Test help: gradients of any function of flat vectors, by autodiff in f32 and f64 and by finite differences.
//!
//! Flex has fast paths for f32 only, so the same function in f64 is the composed form, and in f32 the fused one.

use burn::prelude::*;
use burn::tensor::DType;

use crate::random::{RandomKey, Stream};

/// A function of flat vectors, which it reshapes as it likes, to a flat vector.
pub(crate) type Function<'a> = &'a dyn Fn(&[Tensor<1>]) -> Tensor<1>;

/// `len` numbers of the normal distribution.
pub(crate) fn normal(seed: u64, len: usize) -> Vec<f64> {
    let key = RandomKey::new(seed, Stream::Weights);
    (0..len as u64).map(|i| key.normal(i)).collect()
}

fn tensor(values: &[f64], device: &Device, dtype: DType) -> Tensor<1> {
    Tensor::from_data(
        TensorData::new(values.to_vec(), [values.len()]),
        (device, dtype),
    )
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor
        .cast(burn::tensor::FloatDType::F64)
        .into_data()
        .try_to_vec()
        .expect("f64")
}

/// The output, and the gradients of `Σ wᵢ yᵢ` with fixed random weights `w`.
fn run(f: Function<'_>, inputs: &[Vec<f64>], dtype: DType) -> (Vec<f64>, Vec<Vec<f64>>) {
    let device = Device::flex().autodiff();
    let inputs: Vec<Tensor<1>> = inputs
        .iter()
        .map(|v| tensor(v, &device, dtype).require_grad())
        .collect();
    let y = f(&inputs);
    let weights = tensor(&normal(99, y.dims()[0]), &device, dtype);
    let gradients = (y.clone() * weights).sum().backward();
    let gradient = |x: &Tensor<1>| values(x.grad(&gradients).expect("every input is used"));
    (values(y.inner()), inputs.iter().map(gradient).collect())
}

fn weighted_sum(f: Function<'_>, inputs: &[Vec<f64>]) -> f64 {
    let device = Device::flex();
    let inputs: Vec<Tensor<1>> = inputs
        .iter()
        .map(|v| tensor(v, &device, DType::F64))
        .collect();
    let y = values(f(&inputs));
    y.iter().zip(normal(99, y.len())).map(|(y, w)| y * w).sum()
}

/// Largest difference, relative to the largest value, or to 0.1 where all are smaller: a gradient may be zero throughout. NaN when there
/// is one among the values.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let largest = a.iter().chain(b).fold(0.1f64, |m, v| m.max(v.abs()));
    let worse = |m: f64, off: f64| if off > m || off.is_nan() { off } else { m };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, worse) / largest
}

/// Checks the composed gradients in f64 against central differences (relative 1e-6) and the fused output and gradients in f32 against
/// the composed ones (relative 1e-5).
#[track_caller]
pub(crate) fn check(name: &str, f: Function<'_>, inputs: &[Vec<f64>]) {
    const STEP: f64 = 1e-5;
    let (y, gradients) = run(f, inputs, DType::F64);
    for (which, gradient) in gradients.iter().enumerate() {
        let numeric: Vec<f64> = (0..gradient.len())
            .map(|i| {
                let moved = |by: f64| {
                    let mut inputs = inputs.to_vec();
                    inputs[which][i] += by;
                    weighted_sum(f, &inputs)
                };
                (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
            })
            .collect();
        let off = distance(gradient, &numeric);
        assert!(
            off < 1e-6,
            "{name}: composed gradient {which} is {off:e} off the finite difference"
        );
    }
    let (fused_y, fused_gradients) = run(f, inputs, DType::F32);
    let off = distance(&fused_y, &y);
    assert!(
        off < 1e-5,
        "{name}: fused output is {off:e} off the composed one"
    );
    for (which, (fused, composed)) in fused_gradients.iter().zip(&gradients).enumerate() {
        let off = distance(fused, composed);
        assert!(
            off < 1e-5,
            "{name}: fused gradient {which} is {off:e} off the composed one"
        );
    }
}
