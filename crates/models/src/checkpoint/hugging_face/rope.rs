//! Rotary positions in `config.json`: `rope_parameters`, or `rope_scaling` as transformers 4 has it.

use llm_core::layers::{RopeConfig, RopeScaling};
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::At;
use crate::ModelError;

/// The keys of every kind.
#[derive(Debug, Deserialize)]
pub(super) struct RopeJson {
    pub(super) rope_theta: Option<f64>,
    rope_type: Option<String>,
    /// The older name of `rope_type`.
    r#type: Option<String>,
    factor: Option<f64>,
    pub(super) original_max_position_embeddings: Option<usize>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    short_factor: Option<Vec<f64>>,
    long_factor: Option<Vec<f64>>,
    partial_rotary_factor: Option<f64>,
}

/// The stretching that these parameters describe; `original` is the context of the original training where one is said.
///
/// # Errors
/// Names the key that is missing, or the kind that is not built in.
pub(super) fn scaling(
    rope: &RopeJson,
    max_seq_len: usize,
    original: Option<usize>,
    at: At<'_>,
) -> Result<Option<RopeScaling>, ModelError> {
    let kind = rope
        .rope_type
        .as_deref()
        .or(rope.r#type.as_deref())
        .unwrap_or("default");
    let factor = || at.need(rope.factor, "factor of the rope parameters");
    let original_max_seq_len = original.unwrap_or(max_seq_len);
    let whole = rope.partial_rotary_factor.unwrap_or(1.0);
    at.only(whole == 1.0, format!("partial_rotary_factor {whole}"))?;
    Ok(match kind {
        "default" => None,
        "linear" => Some(RopeScaling::Linear { factor: factor()? }),
        "dynamic" => Some(RopeScaling::Dynamic { factor: factor()? }),
        "yarn" => {
            let implied = max_seq_len as f64 / original_max_seq_len.max(1) as f64;
            let factor = rope.factor.unwrap_or(implied);
            let sharpen = |scale: f64| {
                if factor <= 1.0 {
                    1.0
                } else {
                    0.1 * scale * factor.ln() + 1.0
                }
            };
            let from_scales = rope
                .mscale
                .zip(rope.mscale_all_dim)
                .map(|(one, all)| sharpen(one) / sharpen(all));
            Some(RopeScaling::Yarn {
                factor,
                original_max_seq_len,
                attention_factor: rope.attention_factor.or(from_scales),
                beta_fast: rope.beta_fast.unwrap_or(32.0),
                beta_slow: rope.beta_slow.unwrap_or(1.0),
                truncate: rope.truncate.unwrap_or(true),
            })
        }
        "longrope" => {
            let factors = |list: &Option<Vec<f64>>, key| at.need(list.clone(), key);
            Some(RopeScaling::LongRope {
                short_factor: factors(&rope.short_factor, "short_factor of the rope parameters")?,
                long_factor: factors(&rope.long_factor, "long_factor of the rope parameters")?,
                original_max_seq_len: at.need(
                    original,
                    "original_max_position_embeddings of the rope parameters",
                )?,
                factor: rope.factor,
                attention_factor: rope.attention_factor,
            })
        }
        "llama3" => Some(RopeScaling::Llama3 {
            factor: factor()?,
            low_freq_factor: at.need(
                rope.low_freq_factor,
                "low_freq_factor of the rope parameters",
            )?,
            high_freq_factor: at.need(
                rope.high_freq_factor,
                "high_freq_factor of the rope parameters",
            )?,
            original_max_seq_len,
        }),
        other => {
            let known = "default, linear, dynamic, yarn, longrope, llama3";
            at.only(false, format!("rope type {other:?} (known: {known})"))?;
            None
        }
    })
}

/// The parameters of the stretching; null for none.
pub(super) fn json(rope: &RopeConfig) -> Value {
    match rope.scaling.clone() {
        None => Value::Null,
        Some(RopeScaling::Linear { factor }) => json!({ "rope_type": "linear", "factor": factor }),
        Some(RopeScaling::Dynamic { factor }) => {
            json!({ "rope_type": "dynamic", "factor": factor })
        }
        Some(RopeScaling::Yarn {
            factor,
            original_max_seq_len,
            attention_factor,
            beta_fast,
            beta_slow,
            truncate,
        }) => {
            let mut json = json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original_max_seq_len,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
                "truncate": truncate,
            });
            if let Some(attention_factor) = attention_factor {
                json["attention_factor"] = attention_factor.into();
            }
            json
        }
        Some(RopeScaling::LongRope {
            short_factor,
            long_factor,
            original_max_seq_len,
            factor,
            ..
        }) => {
            // Version 4 has its own idea of the default: it is said.
            let (_, attention_factor) = rope.init().frequencies(1);
            let mut json = json!({
                "rope_type": "longrope",
                "short_factor": short_factor,
                "long_factor": long_factor,
                "original_max_position_embeddings": original_max_seq_len,
                "attention_factor": attention_factor,
            });
            if let Some(factor) = factor {
                json["factor"] = factor.into();
            }
            json
        }
        Some(RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_seq_len,
        }) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_max_seq_len,
        }),
    }
}

/// The same with the base of the frequencies, as transformers 5 has it.
pub(super) fn parameters_json(rope: &RopeConfig) -> Value {
    let mut parameters = match rope.scaling {
        None => json!({ "rope_type": "default" }),
        Some(_) => json(rope),
    };
    parameters["rope_theta"] = rope.theta.into();
    parameters
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        head_dim: usize,
        max_position_embeddings: usize,
        seq_len: Option<usize>,
        rope_parameters: RopeJson,
        inv_freq: Vec<f64>,
        attention_scaling: f64,
    }

    #[test]
    fn rotary_frequencies_are_those_of_transformers() {
        let text = include_str!("../../../tests/golden/rope.json");
        let cases: Vec<Case> = serde_json::from_str(text).expect("golden values");
        assert!(cases.len() >= 16);
        for case in cases {
            let max_seq_len = case.max_position_embeddings;
            let config = RopeConfig {
                d_head: case.head_dim,
                theta: case.rope_parameters.rope_theta.expect("given"),
                max_seq_len,
                scaling: scaling(
                    &case.rope_parameters,
                    max_seq_len,
                    case.rope_parameters.original_max_position_embeddings,
                    At(Path::new("golden")),
                )
                .expect("known"),
            };
            let (frequencies, factor) = config
                .init()
                .frequencies(case.seq_len.unwrap_or(max_seq_len));
            assert!(
                (factor - case.attention_scaling).abs() < 1e-6,
                "{}: {factor}",
                case.name
            );
            assert_eq!(frequencies.len(), case.inv_freq.len());
            for (ours, theirs) in frequencies.iter().zip(&case.inv_freq) {
                // They compute in f32.
                assert!(
                    (ours - theirs).abs() < 2e-6 * theirs,
                    "{}: {ours} against {theirs}",
                    case.name
                );
            }
        }
    }
}
