//! Looking inside a model while it reads a text: where its heads look, and what it would say at every depth.
//!
//! Both watch one ordinary forward pass through an [`Observer`](llm_core::layers::Observer). Knows token ids, not text.

mod attention;
mod logit_lens;
mod streams;

use burn::prelude::*;

pub use attention::{AttentionMap, HeadSelection, Tendencies, attention};
pub use logit_lens::{Depth, Guess, NextToken, Reading, logit_lens};
pub use streams::Streams;

/// Token ids as one row `[1, seq]`.
///
/// # Panics
/// When there is none, or one is not below `vocab_size`.
fn row(tokens: &[u32], vocab_size: usize, device: &Device) -> Tensor<2, Int> {
    assert!(!tokens.is_empty(), "a text of no tokens");
    assert!(
        tokens.iter().all(|id| (*id as usize) < vocab_size),
        "a token beyond the {vocab_size} of the model"
    );
    let ids: Vec<i32> = tokens.iter().map(|id| *id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [1, tokens.len()]), device)
}
