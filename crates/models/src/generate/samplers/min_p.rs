//! Min-p: tokens with at least this share of the best token's probability stay.
//!
//! Source: Nguyen et al. 2024, "Turning Up the Heat: Min-p Sampling".

use super::{Moment, Sampler, forbid, softmax};

/// The share, from 0 to 1.
#[derive(Debug)]
pub(super) struct MinP(pub(super) f32);

impl Sampler for MinP {
    fn key(&self) -> &'static str {
        "min_p"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        let probabilities = softmax(logits);
        let best = probabilities.iter().copied().fold(0.0, f32::max);
        let mut probabilities = probabilities.into_iter();
        forbid(logits, |_| {
            probabilities.next().is_some_and(|p| p < self.0 * best)
        });
        None
    }
}
