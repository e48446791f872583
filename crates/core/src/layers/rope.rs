//! Rotary positions. How they are stretched over longer contexts stands in `rope_scaling`.
//!
//! Source: Su et al. 2021, "RoFormer".

use burn::prelude::*;
use burn::tensor::DType;

use super::rope_scaling::Unscaled;
use super::{LayerError, Positions, RopeScaling, at_least_one};
use crate::kernels::rotate_half;
use crate::tape::{Tape, Value};

/// Settings of a [`Rope`].
#[derive(Clone, Debug)]
pub struct RopeConfig {
    /// Width of a head, even.
    pub d_head: usize,
    /// Base of the frequencies: dimension pair `i` turns by `theta^(-2i/d)` a position.
    pub theta: f64,
    /// Longest context in tokens; dynamic scaling and LongRoPE read it.
    pub max_seq_len: usize,
    /// Stretching, if any.
    pub scaling: Option<RopeScaling>,
}

/// Rotates queries and keys by their positions. Has no parameters.
#[derive(Clone, Debug)]
pub struct Rope {
    config: RopeConfig,
}

impl RopeConfig {
    /// Whether the numbers make a layer.
    ///
    /// # Errors
    /// Names the size or number that does not.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one(&[("d_head", self.d_head)])?;
        if !self.d_head.is_multiple_of(2) {
            return Err(LayerError::OddHead(self.d_head));
        }
        if !(self.theta.is_finite() && self.theta > 1.0) {
            let allowed = "a finite number above 1";
            return Err(LayerError::OutOfRange {
                name: "rope_theta",
                value: self.theta,
                allowed,
            });
        }
        let fits = |scaling: &RopeScaling| scaling.validate(self.d_head);
        self.scaling.as_ref().map_or(Ok(()), fits)
    }

    /// Records the tables of rows that share their positions, as [`Pass::set_rope`](super::Pass::set_rope) makes them.
    pub fn record(&self, tape: &mut Tape) -> Value {
        tape.constant(tape.seq(), self.d_head as u64)
    }

    /// The layer.
    pub fn init(&self) -> Rope {
        Rope {
            config: self.clone(),
        }
    }
}

impl Rope {
    /// Angle per position of each dimension pair, `d_head / 2` numbers, for a pass that ends before position `length`; and the factor of
    /// the rotated vectors.
    pub fn frequencies(&self, length: usize) -> (Vec<f64>, f64) {
        let RopeConfig {
            d_head,
            theta,
            max_seq_len,
            ref scaling,
        } = self.config;
        let plain = Unscaled { d_head, theta };
        match scaling {
            None => (plain.frequencies().collect(), 1.0),
            Some(scaling) => scaling.frequencies(plain, max_seq_len, length),
        }
    }

    /// Cosines and sines of the positions, each `[batch or 1, seq, d_head / 2]`.
    pub(crate) fn tables(
        &self,
        positions: &Positions,
        device: &Device,
        dtype: DType,
    ) -> [Tensor<3>; 2] {
        let shape = [positions.n_rows(), positions.seq(), self.config.d_head / 2];
        self.turns(positions.iter(), positions.last() + 1)
            .map(|values| Tensor::from_data(TensorData::new(values, shape), (device, dtype)))
    }

    /// Cosines and sines of the positions in a pass that ends before position `length`, `[positions, d_head / 2]` each.
    pub(crate) fn turns(
        &self,
        positions: impl Iterator<Item = usize> + Clone,
        length: usize,
    ) -> [Vec<f64>; 2] {
        let (frequencies, factor) = self.frequencies(length);
        [f64::cos, f64::sin].map(|function| {
            let of_position = |p: usize| {
                frequencies
                    .iter()
                    .map(move |f| factor * function(p as f64 * f))
            };
            positions.clone().flat_map(of_position).collect()
        })
    }

    /// Rotates `x [batch, seq, heads, d_head]` by tables that [`Pass::set_rope`](super::Pass::set_rope) made.
    pub(crate) fn rotate(x: Tensor<4>, [cos, sin]: [Tensor<3>; 2]) -> Tensor<4> {
        rotate_half(x, cos, sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Initializer;
    use burn::tensor::Tolerance;

    #[test]
    fn scores_depend_on_the_distance_alone() {
        let device = Device::flex();
        let rope = RopeConfig {
            d_head: 8,
            theta: 100.0,
            max_seq_len: 32,
            scaling: None,
        }
        .init();
        let x = |seed| {
            Initializer::new(seed)
                .normal([1, 1, 1, 8], 1.0, &device)
                .val()
        };
        let at = |x: Tensor<4>, p| {
            Rope::rotate(
                x,
                rope.tables(&Positions::new(p, 1, &[0]), &device, DType::F32),
            )
        };
        let score = |p, q| (at(x(1), p) * at(x(2), q)).sum().into_data();
        score(9, 4).assert_approx_eq::<f32>(&score(25, 20), Tolerance::absolute(1e-5));
        assert_ne!(score(9, 4), score(9, 5));
    }

    #[test]
    fn odd_heads_and_wrong_numbers_are_refused() {
        let config = |d_head, theta, scaling| {
            RopeConfig {
                d_head,
                theta,
                max_seq_len: 8,
                scaling,
            }
            .validate()
        };
        assert_eq!(config(7, 1e4, None), Err(LayerError::OddHead(7)));
        assert!(config(8, f64::NAN, None).is_err());
        assert!(config(8, 1e4, Some(RopeScaling::Linear { factor: 0.5 })).is_err());
        assert!(config(8, 1e4, Some(RopeScaling::Linear { factor: 4.0 })).is_ok());
    }
}
