//! The output head of every family: a matrix of its own, or the token embedding over again.
//!
//! Source: Press, Wolf 2017, "Using the Output Embedding to Improve Language Models" (tying).

use burn::prelude::*;
use llm_core::decode::Linear;
use llm_core::layers::{Initializer, Projection, ProjectionConfig, TokenEmbedding, small_std};

/// The head's own matrix, unless the head is tied.
pub(crate) fn init(
    tied: bool,
    vocab_size: usize,
    d_model: usize,
    init: &mut Initializer,
    device: &Device,
) -> Option<Projection> {
    let head = ProjectionConfig {
        d_in: d_model,
        d_out: vocab_size,
        bias: false,
        std: small_std(d_model),
    };
    (!tied).then(|| head.init(init, device))
}

/// Scores of the next token: `[rows, d_model]` → `[rows, vocab_size]`.
pub(crate) fn logits(
    head: Option<&Projection>,
    embedding: &TokenEmbedding,
    hidden: Tensor<2>,
) -> Tensor<2> {
    match head {
        Some(head) => head.forward(hidden),
        None => embedding.logits(hidden),
    }
}

/// The head for a plan; `None` where weights are not f32 on the CPU.
pub(crate) fn plan(head: Option<&Projection>, embedding: &TokenEmbedding) -> Option<Linear> {
    match head {
        Some(head) => head.plan(),
        None => embedding.plan_head(),
    }
}
