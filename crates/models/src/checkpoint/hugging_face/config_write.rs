//! `config.json` and `generation_config.json` as we write them.
//!
//! They hold every key that transformers' own `save_pretrained` writes, and beside those of version 5 (`dtype`, `rope_parameters`) the ones
//! of version 4 (`torch_dtype`, `rope_theta`, `rope_scaling`), so that both read them.

use llm_core::layers::RopeScaling;
use serde_json::{Value, json};

use super::super::SpecialIds;
use super::super::encoding::Encoding;
use super::rope;
use crate::Architecture;

/// The version of transformers whose keys these are.
const TRANSFORMERS: &str = "5.23.0";

/// The keys that LLaMA and Mistral share.
macro_rules! rotary {
    ($c:expr, $class:literal, $kind:literal) => {
        json!({
            "architectures": [$class],
            "model_type": $kind,
            "max_position_embeddings": $c.max_seq_len,
            "hidden_size": $c.d_model,
            "intermediate_size": $c.d_ff,
            "num_hidden_layers": $c.n_layers,
            "num_attention_heads": $c.n_heads,
            "num_key_value_heads": $c.n_kv_heads,
            "head_dim": $c.d_head,
            "hidden_act": "silu",
            "rms_norm_eps": $c.norm_eps,
            "attention_dropout": $c.dropout,
            "rope_theta": $c.rope_theta,
            "rope_scaling": rope::json(&$c.rope()),
            "rope_parameters": rope::parameters_json(&$c.rope()),
            "use_cache": true,
        })
    };
}

/// The whole of `config.json` for weights in this encoding.
pub(super) fn config(
    architecture: &Architecture,
    special: &SpecialIds,
    encoding: Encoding,
) -> Value {
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
            "add_cross_attention": false,
            "reorder_and_upcast_attn": false,
            "scale_attn_weights": true,
            "scale_attn_by_inverse_layer_idx": false,
            "resid_pdrop": c.dropout,
            "embd_pdrop": c.dropout,
            "attn_pdrop": c.dropout,
            "layer_norm_epsilon": c.norm_eps,
            "use_cache": true,
            "llm": { "bias": c.bias },
        }),
        Architecture::Llama(c) => {
            let mut json = rotary!(c, "LlamaForCausalLM", "llama");
            json["attention_bias"] = c.attention_bias.into();
            json["mlp_bias"] = c.mlp_bias.into();
            json["pretraining_tp"] = 1.into();
            json
        }
        Architecture::Mistral(c) => {
            let mut json = rotary!(c, "MistralForCausalLM", "mistral");
            json["sliding_window"] = c.window.into();
            json
        }
    };
    if matches!(architecture, Architecture::Gpt(_) | Architecture::Gpt2(_)) {
        // Of heads that classify, which language models do not have; transformers writes them all the same.
        json["summary_activation"] = Value::Null;
        json["summary_first_dropout"] = 0.1.into();
        json["summary_proj_to_labels"] = true.into();
        json["summary_type"] = "cls_index".into();
        json["summary_use_proj"] = true.into();
    }
    if let Some(RopeScaling::LongRope {
        original_max_seq_len,
        ..
    }) = architecture.rope_scaling()
    {
        // Where version 4 looks for it.
        json["original_max_position_embeddings"] = (*original_max_seq_len).into();
    }
    let dtype = match encoding {
        Encoding::F16 => "float16",
        Encoding::Bf16 => "bfloat16",
        Encoding::F32 | Encoding::Q8_0 | Encoding::Q4_0 => "float32",
    };
    json["vocab_size"] = architecture.vocab_size().into();
    json["tie_word_embeddings"] = architecture.tie_embeddings().into();
    json["initializer_range"] = 0.02.into();
    json["dtype"] = dtype.into();
    json["torch_dtype"] = dtype.into();
    json["bos_token_id"] = special.bos.into();
    json["eos_token_id"] = end_ids(special);
    json["pad_token_id"] = Value::Null;
    json["transformers_version"] = TRANSFORMERS.into();
    json
}

/// The whole of `generation_config.json`.
pub(super) fn generation(special: &SpecialIds) -> Value {
    json!({
        "_from_model_config": true,
        "bos_token_id": special.bos,
        "eos_token_id": end_ids(special),
        "output_attentions": false,
        "output_hidden_states": false,
        "transformers_version": TRANSFORMERS,
        "use_cache": true,
    })
}

/// One id as a number, several as a list.
fn end_ids(special: &SpecialIds) -> Value {
    match special.eos[..] {
        [] => Value::Null,
        [id] => id.into(),
        _ => json!(special.eos),
    }
}
