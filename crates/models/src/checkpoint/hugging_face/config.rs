//! `config.json`: Hugging Face's description of a model, read as an [`Architecture`].
//!
//! Both the keys of transformers 4 (`rope_theta`, `rope_scaling`) and those of transformers 5 (`rope_parameters`) are read. What Hugging
//! Face has no word for stands under the key `llm`.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::rope::{self, RopeJson};
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
    /// Where Phi-3 keeps what belongs to the rope parameters.
    original_max_position_embeddings: Option<usize>,
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

/// Where a missing or unsupported key is reported.
#[derive(Clone, Copy)]
pub(super) struct At<'a>(pub(super) &'a Path);

impl At<'_> {
    pub(super) fn need<T>(self, value: Option<T>, key: &'static str) -> Result<T, ModelError> {
        value.ok_or_else(|| ModelError::MissingKey {
            path: self.0.to_owned(),
            key: key.to_owned(),
        })
    }

    pub(super) fn only(self, ok: bool, what: String) -> Result<(), ModelError> {
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

/// The sizes that a `config.json` describes.
///
/// # Errors
/// Names the file and the key that is missing, out of range or not supported.
pub(in super::super) fn read(path: &Path) -> Result<Architecture, ModelError> {
    let json: ConfigJson = read_json(path)?;
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
    architecture.validate_in(path)?;
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
        d_ff: d_model.saturating_mul(4),
        n_layers: at.need(json.n_layer, "n_layer")?,
        n_heads: at.need(json.n_head, "n_head")?,
        dropout: json.resid_pdrop.unwrap_or(0.0),
        tie_embeddings: json.tie_word_embeddings.unwrap_or(true),
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
    let d_model = at.need(json.n_embd, "n_embd")?;
    Ok(Architecture::Gpt2(Gpt2Config {
        vocab_size: at.need(json.vocab_size, "vocab_size")?,
        max_seq_len: at.need(json.n_positions, "n_positions")?,
        d_model,
        d_ff: json.n_inner.unwrap_or(d_model.saturating_mul(4)),
        n_layers: at.need(json.n_layer, "n_layer")?,
        n_heads: at.need(json.n_head, "n_head")?,
        dropout: json.resid_pdrop.unwrap_or(0.0),
        bias: json.llm.as_ref().and_then(|own| own.bias).unwrap_or(true),
        tie_embeddings: json.tie_word_embeddings.unwrap_or(true),
        norm_eps: json.layer_norm_epsilon.unwrap_or(1e-5),
    }))
}

fn llama(json: &ConfigJson, at: At<'_>) -> Result<Architecture, ModelError> {
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
        mlp_bias: json.mlp_bias.unwrap_or(false),
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
    // The order of transformers 5, whose version 4 leaves stale `rope_parameters` behind.
    let rope = json.rope_scaling.as_ref().or(json.rope_parameters.as_ref());
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
        rope_scaling: match rope {
            Some(rope) => {
                let original = rope.original_max_position_embeddings;
                let original = original.or(json.original_max_position_embeddings);
                rope::scaling(rope, max_seq_len, original, at)?
            }
            None => None,
        },
        tie_embeddings: json.tie_word_embeddings.unwrap_or(false),
        norm_eps: json.rms_norm_eps.unwrap_or(1e-6),
    })
}

/// Ids of the tokens that end a text, from a `generation_config.json`.
///
/// # Errors
/// Names the file that can't be read or is not JSON.
pub(in super::super) fn read_end_ids(path: &Path) -> Result<Vec<u32>, ModelError> {
    let json: GenerationJson = read_json(path)?;
    Ok(match json.eos_token_id {
        Some(EndIds::One(id)) => vec![id],
        Some(EndIds::Several(ids)) => ids,
        None => Vec::new(),
    })
}

/// The key that we read.
#[derive(Deserialize)]
struct GenerationJson {
    eos_token_id: Option<EndIds>,
}

/// One id, or a list where texts end in several ways.
#[derive(Deserialize)]
#[serde(untagged)]
enum EndIds {
    One(u32),
    Several(Vec<u32>),
}

/// A file of JSON.
///
/// # Errors
/// Names the file that can't be read or is not what it should be.
pub(in super::super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let text = std::fs::read(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| ModelError::ConfigJson {
        path: path.to_owned(),
        source,
    })
}
