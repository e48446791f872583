//! Top-k: the `k` best tokens stay, and all that equal the last of them.
//!
//! Source: Fan et al. 2018, "Hierarchical Neural Story Generation", section 5.4.

use super::{Moment, Sampler, forbid};

/// `k`, at least 1.
#[derive(Debug)]
pub(super) struct TopK(pub(super) usize);

impl Sampler for TopK {
    fn key(&self) -> &'static str {
        "top_k"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        let mut sorted = logits.to_vec();
        let k = self.0.min(sorted.len());
        let (_, least, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        let least = *least;
        forbid(logits, |logit| logit < least);
        None
    }
}
