//! Sizes of a model in the metadata of a GGUF file, and back.
//!
//! llama.cpp knows GPT-2 as `gpt2`; LLaMA and Mistral are both `llama` there.

mod read;
mod write;

use llm_core::layers::{RopeConfig, RopeScaling};

use crate::Architecture;

pub(super) use read::read;
pub(super) use write::write;

/// Factors of Llama 3's rotary frequencies, one for each pair of dimensions.
const ROPE_FACTORS: &str = "rope_freqs.weight";
/// Factors of LongRoPE within the original context.
const SHORT_FACTORS: &str = "rope_factors_short.weight";
/// Factors of LongRoPE beyond it.
const LONG_FACTORS: &str = "rope_factors_long.weight";

/// The factor of rotated vectors that YaRN has by default.
fn yarn_sharpening(factor: f64) -> f64 {
    0.1 * factor.max(1.0).ln() + 1.0
}

/// By what each frequency is divided under this scaling.
fn frequency_factors(rope: &RopeConfig, scaling: &RopeScaling) -> Vec<f64> {
    let frequencies = |scaling| {
        let rope = RopeConfig {
            scaling,
            ..rope.clone()
        };
        rope.init().frequencies(1).0
    };
    let (plain, scaled) = (frequencies(None), frequencies(Some(scaling.clone())));
    plain.iter().zip(&scaled).map(|(p, s)| p / s).collect()
}

/// What llama.cpp can't be told of a model, and what the file says in its place; empty for most.
pub(in super::super) fn notes(architecture: &Architecture) -> Vec<String> {
    let mut notes = Vec::new();
    let context = context_length(architecture);
    if context < architecture.max_seq_len() {
        notes.push(format!(
            "llama.cpp has no sliding window for this architecture: the file's context is the window of {context} tokens, within which both compute the same"
        ));
    }
    if let Some(RopeScaling::Dynamic { .. }) = architecture.rope_scaling() {
        notes.push(format!(
            "llama.cpp has no dynamic rotary scaling: the file has none, which computes the same within its context of {context} tokens"
        ));
    }
    if let Some(RopeScaling::LongRope {
        original_max_seq_len,
        ..
    }) = architecture.rope_scaling()
    {
        notes.push(format!(
            "llama.cpp chooses LongRoPE's factors by the size of the context it is started with, not of the text: the short ones up to {original_max_seq_len} tokens"
        ));
    }
    notes
}

/// The context in which the file computes what the model does.
fn context_length(architecture: &Architecture) -> usize {
    let context = architecture.max_seq_len();
    context.min(architecture.window().unwrap_or(context))
}
