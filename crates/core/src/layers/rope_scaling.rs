//! The ways of stretching rotary positions over longer contexts.
//!
//! Sources: linear: Chen et al. 2023, "Extending Context Window via Positional Interpolation"; dynamic NTK: the form of transformers'
//! `_compute_dynamic_ntk_parameters`; YaRN: Peng et al. 2023, section 3; LongRoPE: Ding et al. 2024, as transformers has it; Llama 3: Meta's
//! reference code as transformers has it. The values are compared with transformers' in the tests of `llm-models`.

use serde::{Deserialize, Serialize};

use super::LayerError;

/// How the frequencies are changed for contexts beyond the trained one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Each dimension pair is divided by a factor of its own, found by search: one list for passes within the original context, another
    /// beyond it.
    ///
    /// As in transformers, cached keys keep the rotation that they were stored with.
    LongRope {
        /// Divisors of the frequencies in passes within the original context, `d_head / 2` numbers above 0.
        short_factor: Vec<f64>,
        /// Divisors in longer passes, as many.
        long_factor: Vec<f64>,
        /// Context of the original training in tokens.
        original_max_seq_len: usize,
        /// How much longer the context is than the original one. Default: `max_seq_len / original_max_seq_len`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        factor: Option<f64>,
        /// Factor of the rotated vectors. Default: `√(1 + ln(factor) / ln(original_max_seq_len))`, or 1 for factors up to 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
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
    /// Whether the numbers make sense for heads of `d_head`.
    ///
    /// # Errors
    /// Names the number, its value and what is allowed.
    pub fn validate(&self, d_head: usize) -> Result<(), LayerError> {
        let original = |tokens: usize| {
            let name = "rope_scaling.original_max_seq_len";
            let allowed = "from 1 to below 2^31";
            check(name, tokens as f64, allowed, (1..1 << 31).contains(&tokens))
        };
        match *self {
            Self::Linear { factor } | Self::Dynamic { factor } => at_least_1(factor),
            Self::Yarn {
                factor,
                original_max_seq_len,
                attention_factor,
                beta_fast,
                beta_slow,
                ..
            } => {
                at_least_1(factor)?;
                original(original_max_seq_len)?;
                above_0("rope_scaling.attention_factor", attention_factor)?;
                above_0("rope_scaling.beta_slow", Some(beta_slow))?;
                let allowed = "above rope_scaling.beta_slow";
                check(
                    "rope_scaling.beta_fast",
                    beta_fast,
                    allowed,
                    beta_fast > beta_slow,
                )
            }
            Self::LongRope {
                ref short_factor,
                ref long_factor,
                original_max_seq_len,
                factor,
                attention_factor,
            } => {
                original(original_max_seq_len)?;
                above_0("rope_scaling.factor", factor)?;
                above_0("rope_scaling.attention_factor", attention_factor)?;
                for (name, factors) in [
                    ("numbers in rope_scaling.short_factor", short_factor),
                    ("numbers in rope_scaling.long_factor", long_factor),
                ] {
                    let len = factors.len();
                    check(
                        name,
                        len as f64,
                        "d_head / 2, all above 0",
                        len == d_head / 2,
                    )?;
                    for &factor in factors {
                        above_0(name, Some(factor))?;
                    }
                }
                Ok(())
            }
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_seq_len,
            } => {
                at_least_1(factor)?;
                original(original_max_seq_len)?;
                above_0("rope_scaling.low_freq_factor", Some(low))?;
                let allowed = "above rope_scaling.low_freq_factor";
                check("rope_scaling.high_freq_factor", high, allowed, high > low)
            }
        }
    }

    /// The scaled frequencies and the factor of the rotated vectors, for a pass that ends before position `length`.
    pub(super) fn frequencies(
        &self,
        unscaled: Unscaled,
        max_seq_len: usize,
        length: usize,
    ) -> (Vec<f64>, f64) {
        let Unscaled { d_head, theta } = unscaled;
        let d = d_head as f64;
        match *self {
            Self::Linear { factor } => (unscaled.frequencies().map(|f| f / factor).collect(), 1.0),
            Self::Dynamic { factor } => {
                let stretch = length.max(max_seq_len) as f64 / max_seq_len as f64;
                let theta = theta * (factor * stretch - (factor - 1.0)).powf(d / (d - 2.0));
                let grown = Unscaled { d_head, theta };
                (grown.frequencies().collect(), 1.0)
            }
            Self::Yarn {
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
                let mixed = unscaled
                    .frequencies()
                    .enumerate()
                    .map(|(i, f)| f / factor * ramp(i) + f * (1.0 - ramp(i)));
                let sharpen = if factor <= 1.0 {
                    1.0
                } else {
                    0.1 * factor.ln() + 1.0
                };
                (mixed.collect(), attention_factor.unwrap_or(sharpen))
            }
            Self::LongRope {
                ref short_factor,
                ref long_factor,
                original_max_seq_len,
                factor,
                attention_factor,
            } => {
                let original = original_max_seq_len as f64;
                let factors = if length > original_max_seq_len {
                    long_factor
                } else {
                    short_factor
                };
                let divided = unscaled.frequencies().zip(factors).map(|(f, by)| f / by);
                let factor = factor.unwrap_or(max_seq_len as f64 / original);
                let sharpen = if factor <= 1.0 {
                    1.0
                } else {
                    (1.0 + factor.ln() / original.ln()).sqrt()
                };
                (divided.collect(), attention_factor.unwrap_or(sharpen))
            }
            Self::Llama3 {
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
                (unscaled.frequencies().map(scale).collect(), 1.0)
            }
        }
    }

    /// Longest pass for which the frequencies do not depend on its length, where they do beyond.
    ///
    /// Up to there a cache computes what a pass over everything computes.
    pub fn fixed_up_to(&self, max_seq_len: usize) -> Option<usize> {
        match self {
            Self::Dynamic { .. } => Some(max_seq_len),
            Self::LongRope {
                original_max_seq_len,
                ..
            } => Some(*original_max_seq_len),
            Self::Linear { .. } | Self::Yarn { .. } | Self::Llama3 { .. } => None,
        }
    }
}

/// Rotary frequencies without stretching.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unscaled {
    /// Width of a head.
    pub(super) d_head: usize,
    /// Base of the frequencies.
    pub(super) theta: f64,
}

impl Unscaled {
    /// `theta^(-2i/d)` for each dimension pair `i`.
    pub(super) fn frequencies(self) -> impl Iterator<Item = f64> {
        let Self { d_head, theta } = self;
        let d = d_head as f64;
        (0..d_head / 2).map(move |i| theta.powf(-2.0 * i as f64 / d))
    }
}

fn check(
    name: &'static str,
    value: f64,
    allowed: &'static str,
    ok: bool,
) -> Result<(), LayerError> {
    if ok && value.is_finite() {
        Ok(())
    } else {
        Err(LayerError::OutOfRange {
            name,
            value,
            allowed,
        })
    }
}

fn at_least_1(factor: f64) -> Result<(), LayerError> {
    let allowed = "a finite number from 1";
    check("rope_scaling.factor", factor, allowed, factor >= 1.0)
}

/// Also right when it is not given.
fn above_0(name: &'static str, value: Option<f64>) -> Result<(), LayerError> {
    match value {
        Some(value) => check(name, value, "a finite number above 0", value > 0.0),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longrope_needs_a_factor_for_each_pair() {
        let scaling = |short_factor: Vec<f64>| RopeScaling::LongRope {
            short_factor,
            long_factor: vec![2.0; 4],
            original_max_seq_len: 16,
            factor: None,
            attention_factor: None,
        };
        assert!(scaling(vec![1.0; 4]).validate(8).is_ok());
        assert!(scaling(vec![1.0; 3]).validate(8).is_err());
        assert!(scaling(vec![1.0; 4]).validate(10).is_err());
        assert!(scaling(vec![1.0, 1.0, 0.0, 1.0]).validate(8).is_err());
        assert_eq!(scaling(vec![1.0; 4]).fixed_up_to(64), Some(16));
    }
}
