//! Dynamic temperature: low where the model is sure, high where it is not.
//!
//! `T = low + (high - low) * (H / ln n)^exponent`, with `low` and `high` the temperature less and plus the range, `H` the entropy of the `n`
//! candidates that are left. So it comes last in the chain, where temperature alone comes before the candidates are cut.
//!
//! Source: kalomaze 2023, "Dynamic Temperature Sampling", as koboldcpp and llama.cpp have it.

use super::temperature::divide;
use super::{Moment, Sampler, n_candidates, softmax};

/// Smallest divisor: what all but the best have left is nothing.
const LEAST: f32 = 1e-6;

/// The settings.
#[derive(Debug)]
pub(super) struct DynamicTemperature {
    pub(super) temperature: f32,
    pub(super) range: f32,
    pub(super) exponent: f32,
}

impl Sampler for DynamicTemperature {
    fn key(&self) -> &'static str {
        "dynatemp_range"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        let candidates = n_candidates(logits);
        if candidates < 2 {
            return None;
        }
        let probabilities = softmax(logits);
        let present = probabilities.into_iter().filter(|p| *p > 0.0);
        let entropy: f32 = -present.map(|p| p * p.ln()).sum::<f32>();
        let share = (entropy / (candidates as f32).ln()).clamp(0.0, 1.0);
        let low = (self.temperature - self.range).max(0.0);
        let high = self.temperature + self.range;
        let temperature = low + (high - low) * share.powf(self.exponent);
        divide(logits, temperature.max(LEAST));
        Some(temperature)
    }
}
