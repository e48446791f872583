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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::LANES;

    /// Attention relies on it: it takes rows of any length in whole vectors.
    #[test]
    fn scores_of_minus_infinity_after_a_row_change_no_bit_of_it() {
        let run = |row: &mut [f32]| {
            vectorized(
                #[inline(always)]
                || softmax(row, 0.3),
            )
        };
        for n in 1..=3 * LANES {
            let mut row: Vec<f32> = (0..n).map(|i| ((i * 37) % 101) as f32 * 0.17).collect();
            let mut padded = row.clone();
            padded.resize(n.next_multiple_of(LANES), f32::NEG_INFINITY);
            assert_eq!(run(&mut padded), run(&mut row), "{n} scores");
            assert_eq!(padded[..n], row, "{n} scores");
            assert!(padded[n..].iter().all(|p| *p == 0.0), "{n} scores");
        }
    }
}
