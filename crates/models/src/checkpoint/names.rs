//! Where each parameter of ours stands in Hugging Face's files.

use crate::Family;

/// A place in a file of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the tensor.
    pub(super) name: String,
    /// Which part of the tensor's outputs, when it holds several parameters one after the other.
    pub(super) part: Option<Part>,
    /// Whether the file has inputs as rows: the `Conv1D` layers of GPT and GPT-2.
    pub(super) inputs_are_rows: bool,
}

/// One of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// From 0.
    pub(super) index: usize,
    /// How many there are.
    pub(super) of: usize,
}

/// The place of the parameter with this path.
///
/// # Panics
/// When the family has no such parameter: paths come from our own modules.
pub(super) fn place(family: Family, path: &str) -> Place {
    // The field of `LanguageModel` that holds the family's own module.
    let path = path.strip_prefix("stack.").unwrap_or(path);
    let found = match family {
        Family::Gpt => gpt(path, ["tokens_embed", "positions_embed"], ["ln_1", "ln_2"]),
        Family::Gpt2 => gpt(path, ["wte", "wpe"], ["ln_1", "ln_2"]),
        Family::Llama | Family::Mistral => llama(path),
    };
    found.unwrap_or_else(|| panic!("{family:?} has no parameter {path}"))
}

fn gpt(path: &str, embeddings: [&str; 2], norms: [&str; 2]) -> Option<Place> {
    let whole = |name: String| {
        Some(Place {
            name,
            part: None,
            inputs_are_rows: false,
        })
    };
    let segments: Vec<&str> = path.split('.').collect();
    match segments[..] {
        ["token_embedding", "weight"] => whole(format!("transformer.{}.weight", embeddings[0])),
        ["position_embedding", "weight"] => whole(format!("transformer.{}.weight", embeddings[1])),
        ["final_norm", kind] => whole(format!("transformer.ln_f.{kind}")),
        ["blocks", i, "attention_norm", kind] => {
            whole(format!("transformer.h.{i}.{}.{kind}", norms[0]))
        }
        ["blocks", i, "feed_forward_norm", kind] => {
            whole(format!("transformer.h.{i}.{}.{kind}", norms[1]))
        }
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
    Some(Place {
        name,
        part: None,
        inputs_are_rows: false,
    })
}

/// Tensors of a file that hold nothing of their own: masks and tables that old files carry, and the second name of a tied head.
pub(super) fn holds_nothing(name: &str) -> bool {
    let buffers = [
        ".attn.bias",
        ".attn.masked_bias",
        ".rotary_emb.inv_freq",
        "position_ids",
    ];
    name == "lm_head.weight" || buffers.iter().any(|buffer| name.ends_with(buffer))
}
