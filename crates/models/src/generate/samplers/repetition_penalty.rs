//! Repetition penalty: positive logits of tokens seen before are divided by it, negative ones multiplied. The prompt counts.
//!
//! Source: Keskar et al. 2019, "CTRL", section 4.1; for negative logits as transformers has it.

use super::{Moment, Sampler};

/// The divisor.
#[derive(Debug)]
pub(super) struct RepetitionPenalty(pub(super) f32);

impl Sampler for RepetitionPenalty {
    fn key(&self) -> &'static str {
        "repetition_penalty"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        let mut seen: Vec<usize> = moment.tokens.iter().map(|&id| id as usize).collect();
        seen.sort_unstable();
        seen.dedup();
        for id in seen {
            let logit = &mut logits[id];
            *logit = if *logit < 0.0 {
                *logit * self.0
            } else {
                *logit / self.0
            };
        }
        None
    }
}
