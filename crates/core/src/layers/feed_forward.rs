//! Feed-forward blocks, applied to every position on its own.
//!
//! [`FeedForward`]: `down(activation(up(x)))` (Vaswani et al. 2017, section 3.3).
//! [`SwiGlu`]: `down(silu(gate(x)) * up(x))` (Shazeer 2020, "GLU Variants Improve Transformer", equation 6).

use burn::prelude::*;

use super::{ActivationKind, Initializer, LayerError, Projection, ProjectionConfig, at_least_one};
use crate::decode::{FeedForwardStep, Operation, Register};
use crate::kernels::{activation, swiglu};
use crate::tape::{Tape, Value};

/// Sizes of a [`FeedForward`].
#[derive(Clone, Copy, Debug)]
pub struct FeedForwardConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width between the projections.
    pub d_ff: usize,
    /// Whether the projections have biases.
    pub bias: bool,
    /// What stands between the projections.
    pub activation: ActivationKind,
    /// Standard deviation of the initial `up` weights.
    pub std: f64,
    /// Standard deviation of the initial `down` weights.
    pub out_std: f64,
}

/// Two projections with an activation between them.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[d_ff, d_model]`.
    pub up: Projection,
    /// `[d_model, d_ff]`.
    pub down: Projection,
    #[module(skip)]
    activation: ActivationKind,
}

impl FeedForwardConfig {
    /// Whether the sizes make a layer.
    ///
    /// # Errors
    /// Names the size that is zero.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one(&[("d_model", self.d_model), ("d_ff", self.d_ff)])
    }

    fn up(&self) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.d_model,
            d_out: self.d_ff,
            bias: self.bias,
            std: self.std,
        }
    }

    fn down(&self) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.d_ff,
            d_out: self.d_model,
            bias: self.bias,
            std: self.out_std,
        }
    }

    /// Makes the weights on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> FeedForward {
        FeedForward {
            up: self.up().init(init, device),
            down: self.down().init(init, device),
            activation: self.activation,
        }
    }

    /// Records [`FeedForward::forward`].
    pub fn record(&self, tape: &mut Tape, x: Value) -> Value {
        let up = self.up().record(tape, x);
        let activated = tape.activation(up);
        self.down().record(tape, activated)
    }
}

impl FeedForward {
    /// Transforms every position.
    ///
    /// # Shapes
    /// - `x`, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down
            .forward(activation(self.up.forward(x), self.activation))
    }

    /// This block as a step of a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self, from: Register) -> Option<Operation> {
        let feed_forward = FeedForwardStep::Plain {
            up: self.up.plan()?,
            activation: self.activation,
            down: self.down.plan()?,
        };
        Some(Operation::FeedForward { feed_forward, from })
    }
}

/// Sizes of a [`SwiGlu`].
#[derive(Clone, Copy, Debug)]
pub struct SwiGluConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width between the projections.
    pub d_ff: usize,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Standard deviation of the initial `gate` and `up` weights.
    pub std: f64,
    /// Standard deviation of the initial `down` weights.
    pub out_std: f64,
}

/// Three projections, one of them a gate.
#[derive(Module, Debug)]
pub struct SwiGlu {
    /// `[d_ff, d_model]`.
    pub gate: Projection,
    /// `[d_ff, d_model]`.
    pub up: Projection,
    /// `[d_model, d_ff]`.
    pub down: Projection,
}

impl SwiGluConfig {
    /// Whether the sizes make a layer.
    ///
    /// # Errors
    /// Names the size that is zero.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one(&[("d_model", self.d_model), ("d_ff", self.d_ff)])
    }

    fn inward(&self) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.d_model,
            d_out: self.d_ff,
            bias: self.bias,
            std: self.std,
        }
    }

    fn down(&self) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.d_ff,
            d_out: self.d_model,
            bias: self.bias,
            std: self.out_std,
        }
    }

    /// Makes the weights on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> SwiGlu {
        SwiGlu {
            gate: self.inward().init(init, device),
            up: self.inward().init(init, device),
            down: self.down().init(init, device),
        }
    }

    /// Records [`SwiGlu::forward`].
    pub fn record(&self, tape: &mut Tape, x: Value) -> Value {
        let gate = self.inward().record(tape, x);
        let up = self.inward().record(tape, x);
        let opened = tape.swiglu(gate, up);
        self.down().record(tape, opened)
    }
}

impl SwiGlu {
    /// Transforms every position.
    ///
    /// # Shapes
    /// - `x`, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gate = self.gate.forward(x.clone()); // [batch, seq, d_ff]
        self.down.forward(swiglu(gate, self.up.forward(x)))
    }

    /// This block as a step of a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self, from: Register) -> Option<Operation> {
        let feed_forward = FeedForwardStep::Gated {
            gate: self.gate.plan()?,
            up: self.up.plan()?,
            down: self.down.plan()?,
        };
        Some(Operation::FeedForward { feed_forward, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn positions_do_not_mix() {
        let device = Device::flex();
        let mut init = Initializer::new(3);
        let gated = SwiGluConfig {
            d_model: 8,
            d_ff: 16,
            bias: true,
            std: 0.3,
            out_std: 0.3,
        }
        .init(&mut init, &device);
        let plain = FeedForwardConfig {
            d_model: 8,
            d_ff: 16,
            bias: true,
            activation: ActivationKind::Gelu,
            std: 0.3,
            out_std: 0.3,
        }
        .init(&mut init, &device);
        let x = init.normal([1, 4, 8], 1.0, &device).val();
        for forward in [&|x| gated.forward(x) as Tensor<3>, &|x| plain.forward(x)]
            as [&dyn Fn(Tensor<3>) -> Tensor<3>; 2]
        {
            let whole = forward(x.clone()).slice(s![.., 2..3, ..]);
            let alone = forward(x.clone().slice(s![.., 2..3, ..]));
            whole
                .into_data()
                .assert_approx_eq::<f32>(&alone.into_data(), Tolerance::default());
        }
    }

    #[test]
    fn a_zero_width_is_refused() {
        let config = SwiGluConfig {
            d_model: 8,
            d_ff: 0,
            bias: false,
            std: 1.0,
            out_std: 1.0,
        };
        assert_eq!(config.validate(), Err(LayerError::Zero { name: "d_ff" }));
    }
}
