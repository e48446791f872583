//! Rotary positions and the ways of stretching them over longer contexts.
//!
//! Sources: Su et al. 2021, "RoFormer"; linear: Chen et al. 2023, "Extending Context Window via Positional Interpolation"; dynamic NTK:
//! the form of transformers' `_compute_dynamic_ntk_parameters`; YaRN: Peng et al. 2023, section 3; Llama 3: Meta's reference code as
//! transformers has it. The values are compared with transformers' in the tests of `llm-models`.

use burn::prelude::*;
use burn::tensor::DType;
use serde::{Deserialize, Serialize};

use super::{LayerError, Positions, at_least_one};
use crate::kernels::rotate_half;

/// How the frequencies are changed for contexts beyond the trained one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum RopeScaling {
    /// Every position is divided by the factor.
    Linear {
        /// How much longer the context is than the trained one, at least 1.
        factor: f64,
    },
    /// The base grows with the length of the pass, once it passes `max_seq_len`.
    ///
    /// As in transformers, cached keys keep the rotation that they were stored with.
    Dynamic {
        /// How fast the base grows, at least 1.
        factor: f64,
    },
    /// High frequencies stay, low ones are divided by the factor, and scores are sharpened.
    Yarn {
        /// How much longer the context is than the trained one, at least 1.
        factor: f64,
        /// Context of the original training in tokens.
        original_max_seq_len: usize,
        /// Factor of the rotated vectors. Default: `0.1 ln(factor) + 1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
        /// Rotations over the original context above which a frequency stays. Default: 32.
        #[serde(default = "default_beta_fast")]
        beta_fast: f64,
        /// Rotations over the original context below which a frequency is divided. Default: 1.
        #[serde(default = "default_beta_slow")]
        beta_slow: f64,
        /// Whether the ramp between the two begins and ends at whole dimension pairs. Default: true.
        #[serde(default = "default_truncate")]
        truncate: bool,
    },
    /// As YaRN without sharpening, with limits in wave lengths.
    Llama3 {
        /// Divisor of the low frequencies, at least 1.
        factor: f64,
        /// Rotations over the original context below which a frequency is divided.
        low_freq_factor: f64,
        /// Rotations over the original context above which a frequency stays.
        high_freq_factor: f64,
        /// Context of the original training in tokens.
        original_max_seq_len: usize,
    },
}

fn default_beta_fast() -> f64 {
    32.0
}

fn default_beta_slow() -> f64 {
    1.0
}

fn default_truncate() -> bool {
    true
}

impl RopeScaling {
    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// Names the number, its value and what is allowed.
    pub fn validate(&self) -> Result<(), LayerError> {
        let check = |name, value: f64, allowed, ok: bool| {
            if ok && value.is_finite() {
                Ok(())
            } else {
                Err(LayerError::OutOfRange {
                    name,
                    value,
                    allowed,
                })
            }
        };
        let (Self::Linear { factor }
        | Self::Dynamic { factor }
        | Self::Yarn { factor, .. }
        | Self::Llama3 { factor, .. }) = *self;
        check(
            "rope_scaling.factor",
            factor,
            "a finite number from 1",
            factor >= 1.0,
        )?;
        match *self {
            Self::Linear { .. } | Self::Dynamic { .. } => Ok(()),
            Self::Yarn {
                original_max_seq_len,
                attention_factor,
                beta_fast,
                beta_slow,
                ..
            } => {
                at_least_one(&[("rope_scaling.original_max_seq_len", original_max_seq_len)])?;
                let factor = attention_factor.unwrap_or(1.0);
                check(
                    "rope_scaling.attention_factor",
                    factor,
                    "a finite number above 0",
                    factor > 0.0,
                )?;
                check(
                    "rope_scaling.beta_slow",
                    beta_slow,
                    "a finite number above 0",
                    beta_slow > 0.0,
                )?;
                check(
                    "rope_scaling.beta_fast",
                    beta_fast,
                    "above rope_scaling.beta_slow",
                    beta_fast > beta_slow,
                )
            }
            Self::Llama3 {
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_seq_len,
                ..
            } => {
                at_least_one(&[("rope_scaling.original_max_seq_len", original_max_seq_len)])?;
                check(
                    "rope_scaling.low_freq_factor",
                    low,
                    "a finite number above 0",
                    low > 0.0,
                )?;
                check(
                    "rope_scaling.high_freq_factor",
                    high,
                    "above rope_scaling.low_freq_factor",
                    high > low,
                )
            }
        }
    }
}

/// Settings of a [`Rope`].
#[derive(Clone, Copy, Debug)]
pub struct RopeConfig {
    /// Width of a head, even.
    pub d_head: usize,
    /// Base of the frequencies: dimension pair `i` turns by `theta^(-2i/d)` a position.
    pub theta: f64,
    /// Longest context in tokens; only dynamic scaling reads it.
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
        self.scaling.as_ref().map_or(Ok(()), RopeScaling::validate)
    }

    /// The layer.
    pub fn init(&self) -> Rope {
        Rope { config: *self }
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
            scaling,
        } = self.config;
        let d = d_head as f64;
        let plain = |theta: f64| (0..d_head / 2).map(move |i| theta.powf(-2.0 * i as f64 / d));
        let Some(scaling) = scaling else {
            return (plain(theta).collect(), 1.0);
        };
        match scaling {
            RopeScaling::Linear { factor } => (plain(theta).map(|f| f / factor).collect(), 1.0),
            RopeScaling::Dynamic { factor } => {
                let stretch = length.max(max_seq_len) as f64 / max_seq_len as f64;
                let grown = theta * (factor * stretch - (factor - 1.0)).powf(d / (d - 2.0));
                (plain(grown).collect(), 1.0)
            }
            RopeScaling::Yarn {
                factor,
                original_max_seq_len,
                attention_factor,
                beta_fast,
                beta_slow,
                truncate,
            } => {
                let original = original_max_seq_len as f64;
                // The dimension pair that turns so many times over the original context.
                let pair_of = |turns: f64| {
                    d * (original / (turns * std::f64::consts::TAU)).ln() / (2.0 * theta.ln())
                };
                let whole = |x: f64, round: fn(f64) -> f64| if truncate { round(x) } else { x };
                let low = whole(pair_of(beta_fast), f64::floor).max(0.0);
                let high = whole(pair_of(beta_slow), f64::ceil).min(d - 1.0);
                // A ramp of no width would divide by zero.
                let high = if high == low { high + 0.001 } else { high };
                let ramp = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                let mixed = plain(theta)
                    .enumerate()
                    .map(|(i, f)| f / factor * ramp(i) + f * (1.0 - ramp(i)));
                let sharpen = if factor <= 1.0 {
                    1.0
                } else {
                    0.1 * factor.ln() + 1.0
                };
                (mixed.collect(), attention_factor.unwrap_or(sharpen))
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_seq_len,
            } => {
                let scale = |f: f64| {
                    let turns = original_max_seq_len as f64 * f / std::f64::consts::TAU;
                    let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor))
                        .clamp(0.0, 1.0);
                    f / factor * (1.0 - kept) + f * kept
                };
                (plain(theta).map(scale).collect(), 1.0)
            }
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
