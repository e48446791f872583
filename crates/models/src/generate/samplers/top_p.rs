//! Top-p, or nucleus: the smallest set of best tokens that reaches the probability stays, the token that crosses it included.
//!
//! Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".

use super::{Moment, Sampler, softmax};

/// The probability, in `(0, 1]`.
#[derive(Debug)]
pub(super) struct TopP(pub(super) f32);

impl Sampler for TopP {
    fn key(&self) -> &'static str {
        "top_p"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        if self.0 < 1.0 {
            keep_nucleus(logits, f64::from(self.0));
        }
        None
    }
}

/// Forbids all but the most probable tokens that together reach `p`. Puts no more tokens in order than it keeps, but for a factor.
fn keep_nucleus(logits: &mut [f32], p: f64) {
    let probabilities = softmax(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Of equal tokens transformers drops those with the smaller ids first.
    let better = |&a: &usize, &b: &usize| logits[b].total_cmp(&logits[a]).then(b.cmp(&a));
    let (mut in_order, mut wanted) = (0, 64);
    let (mut kept, mut reached) = (0, 0.0);
    while kept < order.len() && (kept == 0 || reached < p) {
        if kept == in_order {
            let rest = &mut order[in_order..];
            let n = wanted.min(rest.len());
            if n < rest.len() {
                rest.select_nth_unstable_by(n, better);
            }
            rest[..n].sort_unstable_by(better);
            in_order += n;
            wanted *= 8;
        }
        reached += f64::from(probabilities[order[kept]]);
        kept += 1;
    }
    for &id in &order[kept..] {
        logits[id] = f32::NEG_INFINITY;
    }
}
