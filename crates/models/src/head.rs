//! The output head of every family: a matrix of its own, or the token embedding over again.
//!
//! Source: Press, Wolf 2017, "Using the Output Embedding to Improve Language Models" (tying).

use burn::prelude::*;
use llm_core::decode::Linear;
use llm_core::layers::{
    Initializer, Projection, ProjectionConfig, TokenEmbedding, TokenEmbeddingConfig, small_std,
};
use llm_core::tape::{Parameter, Tape, Value};

/// The head's own matrix, unless the head is tied.
pub(crate) fn init(
    tied: bool,
    vocab_size: usize,
    d_model: usize,
    init: &mut Initializer,
    device: &Device,
) -> Option<Projection> {
    (!tied).then(|| own(vocab_size, d_model).init(init, device))
}

fn own(vocab_size: usize, d_model: usize) -> ProjectionConfig {
    ProjectionConfig {
        d_in: d_model,
        d_out: vocab_size,
        bias: false,
        std: small_std(d_model),
    }
}

/// Records [`logits`] for the embedding of this table.
pub(crate) fn record(
    tied: bool,
    embedding: &TokenEmbeddingConfig,
    table: Parameter,
    tape: &mut Tape,
    hidden: Value,
) -> Value {
    if tied {
        return embedding.record_logits(tape, table, hidden);
    }
    own(embedding.vocab_size, embedding.d_model).record(tape, hidden)
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
