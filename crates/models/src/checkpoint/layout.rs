//! Where each parameter of ours stands in the files of others.

use crate::{Architecture, Family};

/// Whose names and orders a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// transformers: GPT and GPT-2 as `Conv1D`, rotary dimensions in halves.
    HuggingFace,
    /// llama.cpp and, with names given by us, llama2.c: rotary dimensions in pairs.
    Gguf,
}

/// A place in a file of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the tensor.
    pub(super) name: String,
    /// Which part of the tensor's outputs, when it holds several parameters one after the other.
    pub(super) part: Option<Part>,
    /// Whether the file has inputs as rows: the `Conv1D` layers of GPT and GPT-2.
    pub(super) inputs_are_rows: bool,
    /// Width of a head where the file has the two dimensions that rotate together side by side, ours half a head apart.
    pub(super) pairs_in_heads_of: Option<usize>,
}

/// One of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// From 0.
    pub(super) index: usize,
    /// How many there are.
    pub(super) of: usize,
}

impl Layout {
    /// The place of the parameter with this path.
    ///
    /// # Panics
    /// When the family has no such parameter: paths come from our own modules.
    pub(super) fn place(self, architecture: &Architecture, path: &str) -> Place {
        // The field of `LanguageModel` that holds the family's own module.
        let path = path.strip_prefix("stack.").unwrap_or(path);
        let family = architecture.family();
        let found = match (self, family) {
            (Self::HuggingFace, Family::Gpt) => gpt(path, ["tokens_embed", "positions_embed"]),
            (Self::HuggingFace, Family::Gpt2) => gpt(path, ["wte", "wpe"]),
            (Self::HuggingFace, Family::Llama | Family::Mistral) => llama(path),
            (Self::Gguf, _) => gguf(path, architecture),
        };
        found.unwrap_or_else(|| panic!("{family:?} has no parameter {path}"))
    }

    /// Whether a tensor of a file holds nothing of its own: masks and tables that old files carry, the second name of a tied head, rotary
    /// factors that the configuration takes in.
    pub(super) fn holds_nothing(self, name: &str) -> bool {
        match self {
            Self::HuggingFace => {
                let buffers = [
                    ".attn.bias",
                    ".attn.masked_bias",
                    ".rotary_emb.inv_freq",
                    "position_ids",
                ];
                name == "lm_head.weight" || buffers.iter().any(|buffer| name.ends_with(buffer))
            }
            Self::Gguf => {
                name == "output.weight" || (name.starts_with("rope_") && name.ends_with(".weight"))
            }
        }
    }
}

/// A tensor that is one parameter, as it is.
fn whole(name: String) -> Option<Place> {
    Some(Place {
        name,
        part: None,
        inputs_are_rows: false,
        pairs_in_heads_of: None,
    })
}

fn gpt(path: &str, embeddings: [&str; 2]) -> Option<Place> {
    let segments: Vec<&str> = path.split('.').collect();
    match segments[..] {
        ["token_embedding", "weight"] => whole(format!("transformer.{}.weight", embeddings[0])),
        ["position_embedding", "weight"] => whole(format!("transformer.{}.weight", embeddings[1])),
        ["final_norm", kind] => whole(format!("transformer.ln_f.{kind}")),
        ["head", "weight"] => whole("lm_head.weight".to_owned()),
        ["blocks", i, "attention_norm", kind] => whole(format!("transformer.h.{i}.ln_1.{kind}")),
        ["blocks", i, "feed_forward_norm", kind] => whole(format!("transformer.h.{i}.ln_2.{kind}")),
        ["blocks", i, layer, projection, kind] => {
            let part = |index| Some(Part { index, of: 3 });
            let (name, part) = match (layer, projection) {
                ("attention", "query") => ("attn.c_attn", part(0)),
                ("attention", "key") => ("attn.c_attn", part(1)),
                ("attention", "value") => ("attn.c_attn", part(2)),
                ("attention", "output") => ("attn.c_proj", None),
                ("feed_forward", "up") => ("mlp.c_fc", None),
                ("feed_forward", "down") => ("mlp.c_proj", None),
                _ => return None,
            };
            Some(Place {
                name: format!("transformer.h.{i}.{name}.{kind}"),
                part,
                inputs_are_rows: kind == "weight",
                pairs_in_heads_of: None,
            })
        }
        _ => None,
    }
}

fn llama(path: &str) -> Option<Place> {
    let segments: Vec<&str> = path.split('.').collect();
    let name = match segments[..] {
        ["token_embedding", "weight"] => "model.embed_tokens.weight".to_owned(),
        ["final_norm", "weight"] => "model.norm.weight".to_owned(),
        ["head", "weight"] => "lm_head.weight".to_owned(),
        ["blocks", i, "attention_norm", "weight"] => {
            format!("model.layers.{i}.input_layernorm.weight")
        }
        ["blocks", i, "feed_forward_norm", "weight"] => {
            format!("model.layers.{i}.post_attention_layernorm.weight")
        }
        ["blocks", i, layer, projection, kind] => {
            let name = match (layer, projection) {
                ("attention", "query") => "self_attn.q_proj",
                ("attention", "key") => "self_attn.k_proj",
                ("attention", "value") => "self_attn.v_proj",
                ("attention", "output") => "self_attn.o_proj",
                ("feed_forward", "gate") => "mlp.gate_proj",
                ("feed_forward", "up") => "mlp.up_proj",
                ("feed_forward", "down") => "mlp.down_proj",
                _ => return None,
            };
            format!("model.layers.{i}.{name}.{kind}")
        }
        _ => return None,
    };
    whole(name)
}

/// The names of llama.cpp, which GPT-2 and LLaMA share.
fn gguf(path: &str, architecture: &Architecture) -> Option<Place> {
    let segments: Vec<&str> = path.split('.').collect();
    let fused = architecture.family() == Family::Gpt2;
    match segments[..] {
        ["token_embedding", "weight"] => whole("token_embd.weight".to_owned()),
        ["position_embedding", "weight"] => whole("position_embd.weight".to_owned()),
        ["final_norm", kind] => whole(format!("output_norm.{kind}")),
        ["head", "weight"] => whole("output.weight".to_owned()),
        ["blocks", i, "attention_norm", kind] => whole(format!("blk.{i}.attn_norm.{kind}")),
        ["blocks", i, "feed_forward_norm", kind] => whole(format!("blk.{i}.ffn_norm.{kind}")),
        ["blocks", i, layer, projection, kind] => {
            let part = |index| Some(Part { index, of: 3 });
            let (name, part) = match (layer, projection) {
                ("attention", "query") if fused => ("attn_qkv", part(0)),
                ("attention", "key") if fused => ("attn_qkv", part(1)),
                ("attention", "value") if fused => ("attn_qkv", part(2)),
                ("attention", "query") => ("attn_q", None),
                ("attention", "key") => ("attn_k", None),
                ("attention", "value") => ("attn_v", None),
                ("attention", "output") => ("attn_output", None),
                ("feed_forward", "gate") => ("ffn_gate", None),
                ("feed_forward", "up") => ("ffn_up", None),
                ("feed_forward", "down") => ("ffn_down", None),
                _ => return None,
            };
            let rotated = !fused && matches!(projection, "query" | "key");
            Some(Place {
                name: format!("blk.{i}.{name}.{kind}"),
                part,
                inputs_are_rows: false,
                pairs_in_heads_of: architecture.rotary_width().filter(|_| rotated),
            })
        }
        _ => None,
    }
}
