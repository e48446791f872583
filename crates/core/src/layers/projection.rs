//! A weight matrix: `y = x · Wᵀ + b`.
//!
//! Every matrix of a model is one of these, so that compression and adapters can rewrite them in place. Rows are outputs, as in Hugging
//! Face's `Linear`.

use burn::module::Param;
use burn::prelude::*;

use super::Initializer;
use crate::decode::{Linear, Weights};
use crate::kernels::linear;
use crate::tape::{Tape, Value};

/// Sizes of a [`Projection`].
#[derive(Clone, Copy, Debug)]
pub struct ProjectionConfig {
    /// Width of the input.
    pub d_in: usize,
    /// Width of the output.
    pub d_out: usize,
    /// Whether a vector is added.
    pub bias: bool,
    /// Standard deviation of the initial weights. Biases begin at 0.
    pub std: f64,
}

/// `y = x · Wᵀ + b`.
#[derive(Module, Debug)]
pub struct Projection {
    /// `[d_out, d_in]`.
    pub weight: Param<Tensor<2>>,
    /// `[d_out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl ProjectionConfig {
    /// Makes the weights on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> Projection {
        Projection {
            weight: init.normal([self.d_out, self.d_in], self.std, device),
            bias: self.bias.then(|| init.constant([self.d_out], 0.0, device)),
        }
    }
}

impl ProjectionConfig {
    /// Records [`Projection::forward`].
    pub fn record(&self, tape: &mut Tape, x: Value) -> Value {
        let weight = tape.parameter(self.d_out * self.d_in);
        let bias = self.bias.then(|| tape.parameter(self.d_out));
        let parameters: Vec<_> = [weight].into_iter().chain(bias).collect();
        tape.linear(x, self.d_out, &parameters)
    }
}

impl Projection {
    /// Projects every position.
    ///
    /// # Shapes
    /// - `x`: `[.., d_in]`
    /// - output: `[.., d_out]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut shape = x.dims();
        let d_in = shape[D - 1];
        let rows = shape[..D - 1].iter().product::<usize>();
        // Flat rows: Burn's own linear layer multiplies batch by batch in the backward pass.
        let x = x.reshape([rows, d_in]);
        let y = linear(x, self.weight.val(), self.bias.as_ref().map(Param::val)); // [rows, d_out]
        shape[D - 1] = y.dims()[1];
        y.reshape(shape)
    }

    /// This projection for a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self) -> Option<Linear> {
        let bias = Weights::of_bias(self.bias.as_ref())?;
        Some(Linear {
            weight: Weights::of(&self.weight)?,
            bias,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_outputs() {
        let device = Device::flex();
        let layer = Projection {
            weight: Param::from_tensor(Tensor::from_floats(
                [[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]],
                &device,
            )),
            bias: Some(Param::from_tensor(Tensor::from_floats(
                [0.5, 0.0, -1.0],
                &device,
            ))),
        };
        let y = layer.forward(Tensor::<3>::from_floats([[[1.0, 10.0]]], &device));
        assert_eq!(y.dims(), [1, 1, 3]);
        y.into_data()
            .assert_eq(&TensorData::from([[[21.5f32, 10.0, 2.0]]]), true);
    }
}
