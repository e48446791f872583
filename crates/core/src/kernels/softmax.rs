//! Softmax of one row in place, for attention and cross-entropy.

use super::exp::exp;
use super::simd::{max, sum};

/// Scores to the probabilities of `softmax(scale * row)`; the largest scaled score and `ln Σ exp(scale * x - max)`, apart: their sum would
/// round away the second when the scores are large.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32], scale: f32) -> (f32, f32) {
    let max = max(row) * scale;
    for x in row.iter_mut() {
        *x = exp(*x * scale - max);
    }
    let sum = sum(row);
    let factor = 1.0 / sum;
    for x in row.iter_mut() {
        *x *= factor;
    }
    (max, sum.ln())
}
