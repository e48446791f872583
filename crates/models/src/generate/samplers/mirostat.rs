//! Mirostat 2: tokens above a bound of surprise go; the bound follows the surprise of the tokens that were chosen, so that it stays near
//! `tau` bits on average.
//!
//! Surprise is `-log2 p`. The bound `mu` begins at `2 tau`; after each token `mu -= eta * (surprise - tau)`, with the surprise among the
//! tokens that were left.
//!
//! Source: Basu et al. 2021, "Mirostat: A Neural Text Decoding Algorithm that Directly Controls Perplexity", algorithm 2, as llama.cpp has
//! it.

use llm_core::kernels::log_sum_exp;

use super::{Moment, Sampler, forbid, largest};

/// The settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mirostat {
    /// Surprise to hold, in bits.
    pub(crate) tau: f32,
    /// How fast the bound moves.
    pub(crate) eta: f32,
}

impl Mirostat {
    fn bound(&self, mu: Option<f32>) -> f32 {
        mu.unwrap_or(2.0 * self.tau)
    }

    /// The bound after a token was drawn from these logits, those after the whole chain.
    pub(crate) fn learn(&self, mu: Option<f32>, logits: &[f32], token: usize) -> f32 {
        let error = surprise(logits)(logits[token]) - self.tau;
        self.bound(mu) - self.eta * error
    }
}

impl Sampler for Mirostat {
    fn key(&self) -> &'static str {
        "mirostat_tau"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        let mu = self.bound(moment.mirostat_mu);
        let surprise = surprise(logits);
        // The best token always stays.
        let bound = mu.max(surprise(largest(logits)));
        forbid(logits, |logit| surprise(logit) > bound);
        Some(mu)
    }
}

/// Bits of surprise of a logit among these.
fn surprise(logits: &[f32]) -> impl Fn(f32) -> f32 + use<> {
    let (best, log_sum) = log_sum_exp(logits);
    move |logit| (best - logit + log_sum) * std::f32::consts::LOG2_E
}
