//! Softmax of one row, for attention, cross-entropy and sampling.

use super::exp::exp;
use super::simd::{max, sum, sum_of, vectorized};

/// Turns scores into the probabilities of their softmax. Minus infinity becomes 0.
pub fn softmax_in_place(scores: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || softmax(scores, 1.0),
    );
}

/// The largest score and `ln Σ exp(score - largest)`: the logarithm of a softmax is `score - largest - the second`. NaN in, NaN out.
pub fn log_sum_exp(scores: &[f32]) -> (f32, f32) {
    vectorized(
        #[inline(always)]
        || {
            let max = max(scores);
            let sum = sum_of(
                [scores],
                #[inline(always)]
                |[score]| exp(score - max),
            );
            (max, sum.ln())
        },
    )
}

/// Index of the largest score, the first of equals. NaN is no maximum; 0 when there is none.
pub fn arg_max(scores: &[f32]) -> usize {
    let max = vectorized(
        #[inline(always)]
        || max(scores),
    );
    let first = scores.iter().position(|score| *score == max);
    first.unwrap_or(0)
}

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
