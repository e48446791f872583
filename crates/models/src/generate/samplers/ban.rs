//! Tokens that are never chosen: those that the user bans, and ids beyond the tokenizer's, of a padded vocabulary.

use super::{Moment, Sampler};

/// Forbids `ids`, and all from `known` on.
#[derive(Debug)]
pub(super) struct Ban {
    pub(super) ids: Vec<u32>,
    pub(super) known: Option<usize>,
}

impl Sampler for Ban {
    fn key(&self) -> &'static str {
        "banned_tokens"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        for &id in &self.ids {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        if let Some(known) = self.known.filter(|&known| known < logits.len()) {
            logits[known..].fill(f32::NEG_INFINITY);
        }
        None
    }
}
