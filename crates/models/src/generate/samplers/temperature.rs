//! Temperature: all logits are divided by it. Below 1 what is probable becomes more so, above 1 less.
//!
//! Source: Ackley et al. 1985, "A Learning Algorithm for Boltzmann Machines".

use super::{Moment, Sampler, largest};

/// The divisor.
#[derive(Debug)]
pub(super) struct Temperature(pub(super) f32);

impl Sampler for Temperature {
    fn key(&self) -> &'static str {
        "temperature"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        divide(logits, self.0);
        None
    }
}

/// Divides all logits. Where the best would become infinite, all are lowered by it first, which changes no probability.
pub(super) fn divide(logits: &mut [f32], temperature: f32) {
    let best = largest(logits);
    let fits = (best / temperature).is_finite();
    let shift = if fits { 0.0 } else { best };
    for logit in logits {
        *logit = (*logit - shift) / temperature;
    }
}
