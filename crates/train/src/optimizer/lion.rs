//! Lion: the sign of a momentum, so that every weight moves by the learning rate.
//!
//! Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Its learning rate is three to ten times smaller
//! than AdamW's, its weight decay as many times larger (section 5).

use burn::prelude::*;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) learning_rate: f64,
    /// Of the interpolation whose sign is taken, and of the momentum.
    pub(super) betas: [f64; 2],
    pub(super) weight_decay: f64,
    pub(super) gradient_scale: f64,
}

/// The parameter and its momentum after one step.
pub(super) fn update(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    momentum: Tensor<1>,
    step: &Step,
) -> (Tensor<1>, Tensor<1>) {
    let mixed = |momentum: Tensor<1>, gradient: Tensor<1>, beta: f64| {
        let new = gradient.mul_scalar((1.0 - beta) * step.gradient_scale);
        momentum.mul_scalar(beta) + new
    };
    let direction = mixed(momentum.clone(), gradient.clone(), step.betas[0]).sign();
    let decayed = parameter.mul_scalar(1.0 - step.learning_rate * step.weight_decay);
    let parameter = decayed - direction.mul_scalar(step.learning_rate);
    // The last use of both, so it goes into their own buffers.
    (parameter, mixed(momentum, gradient, step.betas[1]))
}
