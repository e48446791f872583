//! Stochastic gradient descent with momentum, heavy-ball or Nesterov's, as PyTorch has it; the weight decay is decoupled.
//!
//! Sources: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"; the decay is SGDW of
//! Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 1.

use burn::prelude::*;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) learning_rate: f64,
    pub(super) momentum: f64,
    pub(super) nesterov: bool,
    pub(super) weight_decay: f64,
    pub(super) gradient_scale: f64,
}

/// The parameter and its momentum after one step; without momentum there is none to keep.
pub(super) fn update(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    momentum: Option<Tensor<1>>,
    step: &Step,
) -> (Tensor<1>, Option<Tensor<1>>) {
    let gradient = gradient.mul_scalar(step.gradient_scale);
    let decayed = parameter.mul_scalar(1.0 - step.learning_rate * step.weight_decay);
    let Some(momentum) = momentum else {
        return (decayed - gradient.mul_scalar(step.learning_rate), None);
    };
    let momentum = momentum.mul_scalar(step.momentum) + gradient.clone();
    let direction = if step.nesterov {
        gradient + momentum.clone().mul_scalar(step.momentum)
    } else {
        momentum.clone()
    };
    let parameter = decayed - direction.mul_scalar(step.learning_rate);
    (parameter, Some(momentum))
}
