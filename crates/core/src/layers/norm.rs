//! The two norms: [`LayerNorm`] (Ba et al. 2016) and [`RmsNorm`] (Zhang, Sennrich 2019).

use burn::module::Param;
use burn::prelude::*;

use super::Initializer;
use crate::decode::{NormStep, Operation, Register, Weights};
use crate::kernels::{layer_norm, rms_norm};
use crate::tape::{Tape, Value};

/// Sizes of a [`LayerNorm`].
#[derive(Clone, Copy, Debug)]
pub struct LayerNormConfig {
    /// Width of the normed axis.
    pub width: usize,
    /// Whether a vector is added.
    pub bias: bool,
    /// Added to the variance.
    pub eps: f64,
}

/// Norm by mean and variance.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    /// `[width]`.
    pub bias: Option<Param<Tensor<1>>>,
    eps: f64,
}

impl LayerNormConfig {
    /// Ones and zeros on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> LayerNorm {
        LayerNorm {
            weight: init.constant([self.width], 1.0, device),
            bias: self.bias.then(|| init.constant([self.width], 0.0, device)),
            eps: self.eps,
        }
    }
}

impl LayerNormConfig {
    /// Records [`LayerNorm::forward`].
    pub fn record(&self, tape: &mut Tape, x: Value) -> Value {
        let weight = tape.parameter(self.width);
        let bias = self.bias.then(|| tape.parameter(self.width));
        let parameters: Vec<_> = [weight].into_iter().chain(bias).collect();
        tape.layer_norm(x, &parameters)
    }
}

impl LayerNorm {
    /// Norms the last axis.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val();
        let bias = self
            .bias
            .as_ref()
            .map_or_else(|| weight.zeros_like(), Param::val);
        layer_norm(x, weight, bias, self.eps)
    }

    /// This norm as a step of a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self, from: Register, to: Register) -> Option<Operation> {
        let bias = Weights::of_bias(self.bias.as_ref())?;
        let norm = NormStep::Layer {
            weight: Weights::of(&self.weight)?,
            bias,
            eps: self.eps as f32,
        };
        Some(Operation::Norm { norm, from, to })
    }
}

/// Sizes of an [`RmsNorm`].
#[derive(Clone, Copy, Debug)]
pub struct RmsNormConfig {
    /// Width of the normed axis.
    pub width: usize,
    /// Added to the mean square.
    pub eps: f64,
}

impl RmsNormConfig {
    /// The usual `eps` of 1e-5.
    pub fn new(width: usize) -> Self {
        Self { width, eps: 1e-5 }
    }

    /// Ones on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> RmsNorm {
        RmsNorm {
            weight: init.constant([self.width], 1.0, device),
            eps: self.eps,
        }
    }
}

/// Norm by root mean square.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNormConfig {
    /// Records [`RmsNorm::forward`].
    pub fn record(&self, tape: &mut Tape, x: Value) -> Value {
        let weight = tape.parameter(self.width);
        tape.rms_norm(x, &[weight])
    }
}

impl RmsNorm {
    /// Norms the last axis.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        rms_norm(x, self.weight.val(), self.eps)
    }

    /// This norm as a step of a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self, from: Register, to: Register) -> Option<Operation> {
        let norm = NormStep::Rms {
            weight: Weights::of(&self.weight)?,
            eps: self.eps as f32,
        };
        Some(Operation::Norm { norm, from, to })
    }
}
