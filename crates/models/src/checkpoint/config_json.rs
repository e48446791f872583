//! `config.json`: Hugging Face's description of a model, to and from [`Architecture`].
//!
//! Both the keys of transformers 4 (`rope_theta`, `rope_scaling`, `torch_dtype`) and those of transformers 5 (`rope_parameters`, `dtype`)
//! are read; the former are written, which both read. What Hugging Face has no word for stands under the key `llm`.

use std::path::Path;

use llm_core::layers::RopeScaling;
use serde::Deserialize;
use serde_json::{Value, json};

use super::SpecialIds;
use crate::gpt::GptConfig;
use crate::gpt2::Gpt2Config;
use crate::llama::LlamaConfig;
use crate::mistral::MistralConfig;
use crate::{Architecture, ModelError};

/// The keys that we read, of every family.
#[derive(Debug, Deserialize)]
struct ConfigJson {
    model_type: Option<String>,
    vocab_size: Option<usize>,
    // GPT and GPT-2
    n_positions: Option<usize>,
    n_embd: Option<usize>,
    n_layer: Option<usize>,
    n_head: Option<usize>,
    n_inner: Option<usize>,
    afn: Option<String>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f64>,
    resid_pdrop: Option<f64>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    // LLaMA and Mistral
    max_position_embeddings: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    rms_norm_eps: Option<f64>,
    attention_dropout: Option<f64>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    sliding_window: Option<usize>,
    tie_word_embeddings: Option<bool>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeJson>,
    rope_parameters: Option<RopeJson>,
    // Ours
    llm: Option<OwnJson>,
}

/// What Hugging Face has no word for.
#[derive(Debug, Default, Deserialize)]
struct OwnJson {
    bias: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct RopeJson {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
    /// The older name of `rope_type`.
    r#type: Option<String>,
    factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
}

/// Where a missing or unsupported key is reported.
#[derive(Clone, Copy)]
struct At<'a>(&'a Path);

impl At<'_> {
    fn need<T>(self, value: Option<T>, key: &'static str) -> Result<T, ModelError> {
        value.ok_or_else(|| ModelError::MissingKey {
            path: self.0.to_owned(),
            key,
        })
    }

    fn only(self, ok: bool, what: String) -> Result<(), ModelError> {
        if ok {
            Ok(())
        } else {
            Err(ModelError::Unsupported {
                path: self.0.to_owned(),
                what,
            })
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Architecture, ModelError> {
    let text = std::fs::read(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })?;
    let json: ConfigJson =
        serde_json::from_slice(&text).map_err(|source| ModelError::ConfigJson {
            path: path.to_owned(),
            source,
        })?;
    let at = At(path);
    let architecture = match at.need(json.model_type.as_deref(), "model_type")? {
        "openai-gpt" => gpt(&json, at)?,
        "gpt2" => gpt2(&json, at)?,
        "llama" => llama(&json, at)?,
        "mistral" => mistral(&json, at)?,
        other => {
            let what = format!("model_type {other:?} (known: openai-gpt, gpt2, llama, mistral)");
            return Err(ModelError::Unsupported {
                path: path.to_owned(),
                what,
            });
        }
    };
    architecture.validate()?;
    Ok(architecture)
}

fn gpt(json: &ConfigJson, at: At<'_>) -> Result<Architecture, ModelError> {
    let activation = json.afn.as_deref().unwrap_or("gelu");
    // In transformers the "gelu" of this family is the tanh form.
    at.only(
        matches!(activation, "gelu" | "gelu_new"),
        format!("afn {activation:?}"),
    )?;
    let d_model = at.need(json.n_embd, "n_embd")?;
    Ok(Architecture::Gpt(GptConfig {
        vocab_size: at.need(json.vocab_size, "vocab_size")?,
        max_seq_len: at.need(json.n_positions, "n_positions")?,
        d_model,
        d_ff: 4 * d_model,
        n_layers: at.need(json.n_layer, "n_layer")?,
        n_heads: at.need(json.n_head, "n_head")?,
        dropout: json.resid_pdrop.unwrap_or(0.0),
        norm_eps: json.layer_norm_epsilon.unwrap_or(1e-5),
    }))
}

fn gpt2(json: &ConfigJson, at: At<'_>) -> Result<Architecture, ModelError> {
    let activation = json.activation_function.as_deref().unwrap_or("gelu_new");
    let tanh = matches!(activation, "gelu_new" | "gelu_pytorch_tanh");
    at.only(tanh, format!("activation_function {activation:?}"))?;
    at.only(
        json.scale_attn_weights.unwrap_or(true),
        "scale_attn_weights false".into(),
    )?;
    let by_layer = json.scale_attn_by_inverse_layer_idx.unwrap_or(false);
    at.only(!by_layer, "scale_attn_by_inverse_layer_idx true".into())?;
    at.only(
        json.tie_word_embeddings.unwrap_or(true),
        "tie_word_embeddings false".into(),
    )?;
    let d_model = at.need(json.n_embd, "n_embd")?;
    Ok(Architecture::Gpt2(Gpt2Config {
        vocab_size: at.need(json.vocab_size, "vocab_size")?,
        max_seq_len: at.need(json.n_positions, "n_positions")?,
        d_model,
        d_ff: json.n_inner.unwrap_or(4 * d_model),
        n_layers: at.need(json.n_layer, "n_layer")?,
        n_heads: at.need(json.n_head, "n_head")?,
        dropout: json.resid_pdrop.unwrap_or(0.0),
        bias: json.llm.as_ref().and_then(|own| own.bias).unwrap_or(true),
        norm_eps: json.layer_norm_epsilon.unwrap_or(1e-5),
    }))
}

fn llama(json: &ConfigJson, at: At<'_>) -> Result<Architecture, ModelError> {
    at.only(!json.mlp_bias.unwrap_or(false), "mlp_bias true".into())?;
    let shared = mistral_sizes(json, at)?;
    Ok(Architecture::Llama(LlamaConfig {
        vocab_size: shared.vocab_size,
        max_seq_len: shared.max_seq_len,
        d_model: shared.d_model,
        d_ff: shared.d_ff,
        n_layers: shared.n_layers,
        n_heads: shared.n_heads,
        n_kv_heads: shared.n_kv_heads,
        d_head: shared.d_head,
        dropout: shared.dropout,
        attention_bias: json.attention_bias.unwrap_or(false),
        rope_theta: shared.rope_theta,
        rope_scaling: shared.rope_scaling,
        tie_embeddings: shared.tie_embeddings,
        norm_eps: shared.norm_eps,
    }))
}

fn mistral(json: &ConfigJson, at: At<'_>) -> Result<Architecture, ModelError> {
    Ok(Architecture::Mistral(MistralConfig {
        window: json.sliding_window,
        ..mistral_sizes(json, at)?
    }))
}

/// The sizes that LLaMA and Mistral share.
fn mistral_sizes(json: &ConfigJson, at: At<'_>) -> Result<MistralConfig, ModelError> {
    let activation = json.hidden_act.as_deref().unwrap_or("silu");
    at.only(activation == "silu", format!("hidden_act {activation:?}"))?;
    let d_model = at.need(json.hidden_size, "hidden_size")?;
    let n_heads = at.need(json.num_attention_heads, "num_attention_heads")?;
    let max_seq_len = at.need(json.max_position_embeddings, "max_position_embeddings")?;
    let rope = json.rope_parameters.as_ref().or(json.rope_scaling.as_ref());
    let theta = rope.and_then(|rope| rope.rope_theta).or(json.rope_theta);
    Ok(MistralConfig {
        vocab_size: at.need(json.vocab_size, "vocab_size")?,
        max_seq_len,
        d_model,
        d_ff: at.need(json.intermediate_size, "intermediate_size")?,
        n_layers: at.need(json.num_hidden_layers, "num_hidden_layers")?,
        n_heads,
        n_kv_heads: json.num_key_value_heads.unwrap_or(n_heads),
        d_head: json.head_dim.unwrap_or(d_model / n_heads.max(1)),
        window: None,
        dropout: json.attention_dropout.unwrap_or(0.0),
        rope_theta: theta.unwrap_or(10_000.0),
        rope_scaling: rope
            .map(|rope| scaling(rope, max_seq_len, at))
            .transpose()?
            .flatten(),
        tie_embeddings: json.tie_word_embeddings.unwrap_or(false),
        norm_eps: json.rms_norm_eps.unwrap_or(1e-6),
    })
}

fn scaling(
    rope: &RopeJson,
    max_seq_len: usize,
    at: At<'_>,
) -> Result<Option<RopeScaling>, ModelError> {
    let kind = rope
        .rope_type
        .as_deref()
        .or(rope.r#type.as_deref())
        .unwrap_or("default");
    let factor = || at.need(rope.factor, "factor of the rope parameters");
    let original_max_seq_len = rope.original_max_position_embeddings.unwrap_or(max_seq_len);
    Ok(match kind {
        "default" => None,
        "linear" => Some(RopeScaling::Linear { factor: factor()? }),
        "dynamic" => Some(RopeScaling::Dynamic { factor: factor()? }),
        "yarn" => {
            let factor = factor()?;
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
            at.only(false, format!("rope type {other:?}"))?;
            None
        }
    })
}

fn scaling_json(scaling: Option<RopeScaling>) -> Value {
    match scaling {
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

/// The whole of `config.json`.
pub(super) fn value(architecture: &Architecture, special: SpecialIds) -> Value {
    let mut json = match architecture {
        Architecture::Gpt(c) => json!({
            "architectures": ["OpenAIGPTLMHeadModel"],
            "model_type": "openai-gpt",
            "n_positions": c.max_seq_len,
            "n_embd": c.d_model,
            "n_layer": c.n_layers,
            "n_head": c.n_heads,
            "afn": "gelu",
            "resid_pdrop": c.dropout,
            "embd_pdrop": c.dropout,
            "attn_pdrop": c.dropout,
            "layer_norm_epsilon": c.norm_eps,
        }),
        Architecture::Gpt2(c) => json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_positions": c.max_seq_len,
            "n_ctx": c.max_seq_len,
            "n_embd": c.d_model,
            "n_layer": c.n_layers,
            "n_head": c.n_heads,
            "n_inner": c.d_ff,
            "activation_function": "gelu_new",
            "resid_pdrop": c.dropout,
            "embd_pdrop": c.dropout,
            "attn_pdrop": c.dropout,
            "layer_norm_epsilon": c.norm_eps,
            "tie_word_embeddings": true,
            "llm": { "bias": c.bias },
        }),
        Architecture::Llama(c) => json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "max_position_embeddings": c.max_seq_len,
            "hidden_size": c.d_model,
            "intermediate_size": c.d_ff,
            "num_hidden_layers": c.n_layers,
            "num_attention_heads": c.n_heads,
            "num_key_value_heads": c.n_kv_heads,
            "head_dim": c.d_head,
            "hidden_act": "silu",
            "rms_norm_eps": c.norm_eps,
            "attention_bias": c.attention_bias,
            "attention_dropout": c.dropout,
            "mlp_bias": false,
            "rope_theta": c.rope_theta,
            "rope_scaling": scaling_json(c.rope_scaling),
            "tie_word_embeddings": c.tie_embeddings,
        }),
        Architecture::Mistral(c) => json!({
            "architectures": ["MistralForCausalLM"],
            "model_type": "mistral",
            "max_position_embeddings": c.max_seq_len,
            "hidden_size": c.d_model,
            "intermediate_size": c.d_ff,
            "num_hidden_layers": c.n_layers,
            "num_attention_heads": c.n_heads,
            "num_key_value_heads": c.n_kv_heads,
            "head_dim": c.d_head,
            "hidden_act": "silu",
            "rms_norm_eps": c.norm_eps,
            "sliding_window": c.window,
            "attention_dropout": c.dropout,
            "rope_theta": c.rope_theta,
            "rope_scaling": scaling_json(c.rope_scaling),
            "tie_word_embeddings": c.tie_embeddings,
        }),
    };
    json["vocab_size"] = architecture.vocab_size().into();
    json["torch_dtype"] = "float32".into();
    json["bos_token_id"] = special.bos.into();
    json["eos_token_id"] = special.eos.into();
    json
}

/// The whole of `generation_config.json`.
pub(super) fn generation(special: SpecialIds) -> Value {
    json!({ "bos_token_id": special.bos, "eos_token_id": special.eos })
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_core::layers::RopeConfig;

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
        let text = include_str!("../../tests/golden/rope.json");
        let cases: Vec<Case> = serde_json::from_str(text).expect("golden values");
        assert!(cases.len() >= 10);
        for case in cases {
            let max_seq_len = case.max_position_embeddings;
            let config = RopeConfig {
                d_head: case.head_dim,
                theta: case.rope_parameters.rope_theta.expect("given"),
                max_seq_len,
                scaling: scaling(&case.rope_parameters, max_seq_len, At(Path::new("golden")))
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
