//! Samplers: each changes the logits of one step, one idea a file; [`Chain`] puts them in order, [`draw`] picks the token.
//!
//! A token that may not be chosen has minus infinity, and no sampler gives it another chance. Nothing here depends on how many steps a pass
//! of the model computed: what is random is a function of seed, sequence and position, and what has a memory learns from chosen tokens
//! alone. So guessed tokens change nothing.

mod ban;
mod chain;
mod draw;
mod dry;
mod dynamic_temperature;
mod logit_bias;
mod min_new_tokens;
mod min_p;
mod mirostat;
mod no_repeat_ngram;
mod presence_frequency;
mod repetition_penalty;
mod temperature;
mod top_k;
mod top_p;
mod typical;
mod xtc;

#[cfg(test)]
mod tests;

use std::fmt::Debug;

use llm_core::kernels::softmax_in_place;
use llm_core::random::RandomKey;

pub(super) use chain::Chain;
pub(super) use draw::{draw, log_probability};
pub(super) use mirostat::Mirostat;

/// One link of the chain.
pub(super) trait Sampler: Debug {
    /// The key of `[generate]` that asks for it.
    fn key(&self) -> &'static str;

    /// Changes the logits. Returns the number that it worked with, where that is another one at every step.
    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32>;
}

/// What a sampler may know beside the logits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    /// Prompt and new tokens.
    pub(super) tokens: &'a [u32],
    /// How many of them are the prompt.
    pub(super) prompt_len: usize,
    /// Random numbers of this sequence.
    pub(super) key: RandomKey,
    /// Mirostat's bound of surprise in bits; `None` before the first token.
    pub(super) mirostat_mu: Option<f32>,
}

impl<'a> Moment<'a> {
    /// The new tokens.
    fn new_tokens(&self) -> &'a [u32] {
        &self.tokens[self.prompt_len..]
    }

    /// A number in `[0, 1)` for this position, apart from the one that draws the token.
    fn chance(&self) -> f64 {
        self.key.child(0).uniform(self.new_tokens().len() as u64)
    }
}

/// Forbids all tokens whose logit is unwanted.
fn forbid(logits: &mut [f32], mut unwanted: impl FnMut(f32) -> bool) {
    logits
        .iter_mut()
        .filter(|logit| unwanted(**logit))
        .for_each(|logit| *logit = f32::NEG_INFINITY);
}

/// Forbids these tokens, unless none would be left.
fn forbid_ids(logits: &mut [f32], ids: impl IntoIterator<Item = u32>) {
    let mut before = Vec::new();
    for id in ids {
        if let Some(logit) = logits.get_mut(id as usize) {
            before.push((id, std::mem::replace(logit, f32::NEG_INFINITY)));
        }
    }
    if n_candidates(logits) == 0 {
        for (id, logit) in before.into_iter().rev() {
            logits[id as usize] = logit;
        }
    }
}

/// How many tokens may be chosen.
fn n_candidates(logits: &[f32]) -> usize {
    let candidates = logits.iter().filter(|logit| **logit > f32::NEG_INFINITY);
    candidates.count()
}

/// The largest logit.
fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Probabilities of finite or minus infinite logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let mut probabilities = logits.to_vec();
    softmax_in_place(&mut probabilities);
    probabilities
}
