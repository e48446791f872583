//! Presence and frequency penalty: a logit loses one amount when its token has been generated, and another for every time that it has.
//!
//! `logit -= count * frequency + (count > 0) * presence`, over the new tokens; the prompt does not count.
//!
//! Source: OpenAI's API reference, "Frequency and presence penalties", which speaks of tokens sampled before; llama.cpp counts the
//! prompt too, vLLM does not.

use std::collections::HashMap;

use super::{Moment, Sampler};

/// What a token loses that has been generated.
#[derive(Debug)]
pub(super) struct PresencePenalty(pub(super) f32);

/// What a token loses for every time.
#[derive(Debug)]
pub(super) struct FrequencyPenalty(pub(super) f32);

impl Sampler for PresencePenalty {
    fn key(&self) -> &'static str {
        "presence_penalty"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        for id in counts(moment).into_keys() {
            logits[id as usize] -= self.0;
        }
        None
    }
}

impl Sampler for FrequencyPenalty {
    fn key(&self) -> &'static str {
        "frequency_penalty"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        for (id, count) in counts(moment) {
            logits[id as usize] -= count * self.0;
        }
        None
    }
}

/// How often each token has been generated.
fn counts(moment: &Moment<'_>) -> HashMap<u32, f32> {
    let mut counts = HashMap::new();
    for &id in moment.new_tokens() {
        *counts.entry(id).or_default() += 1.0;
    }
    counts
}
