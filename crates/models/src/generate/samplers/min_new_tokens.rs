//! A text that may not end yet: its ends are forbidden before so many new tokens.

use super::{Moment, Sampler, forbid_ids};

/// The number, and the tokens that end a text.
#[derive(Debug)]
pub(super) struct MinNewTokens {
    pub(super) least: usize,
    pub(super) ends: Vec<u32>,
}

impl Sampler for MinNewTokens {
    fn key(&self) -> &'static str {
        "min_new_tokens"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        if moment.new_tokens().len() < self.least {
            forbid_ids(logits, self.ends.iter().copied());
        }
        None
    }
}
