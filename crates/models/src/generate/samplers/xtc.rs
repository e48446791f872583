//! XTC ("exclude top choices"): now and then all tokens above a threshold go, but for the least probable of them.
//!
//! Where only one token is above it there is no choice to exclude, and nothing changes; so texts stay sound while they become less
//! predictable.
//!
//! Source: p-e-w 2024, <https://github.com/oobabooga/text-generation-webui/pull/6335>, as llama.cpp has it.

use super::{Moment, Sampler, softmax};

/// The settings.
#[derive(Debug)]
pub(super) struct Xtc {
    /// How often it acts, in `(0, 1]`.
    pub(super) probability: f32,
    /// Probability from which on a token is a top choice, in `(0, 0.5]`.
    pub(super) threshold: f32,
}

impl Sampler for Xtc {
    fn key(&self) -> &'static str {
        "xtc_probability"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        if moment.chance() >= f64::from(self.probability) {
            return None;
        }
        let probabilities = softmax(logits);
        let top = |id: &usize| probabilities[*id] >= self.threshold;
        let top: Vec<usize> = (0..logits.len()).filter(top).collect();
        // Of equals the last stays.
        let rarer = |a: &&usize, b: &&usize| {
            let rarer = probabilities[**b].total_cmp(&probabilities[**a]);
            rarer.then(a.cmp(b))
        };
        let least = top.iter().max_by(rarer).copied();
        for id in top.into_iter().filter(|id| Some(*id) != least) {
            logits[id] = f32::NEG_INFINITY;
        }
        None
    }
}
