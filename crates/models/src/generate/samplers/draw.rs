//! The draw of a token from what the samplers have left.

use llm_core::kernels::{arg_max, log_sum_exp};
use llm_core::random::RandomKey;

use super::softmax;

/// Natural logarithm of the probability of `id`.
pub(crate) fn log_probability(logits: &[f32], id: usize) -> f32 {
    let (max, log_sum) = log_sum_exp(logits);
    logits[id] - max - log_sum
}

/// Draws a token with the `n`-th number under `key`.
pub(crate) fn draw(logits: &[f32], key: RandomKey, n: u64) -> usize {
    let mut left = key.uniform(n);
    let mut last = arg_max(logits);
    for (id, p) in softmax(logits).into_iter().enumerate() {
        if p > 0.0 {
            last = id;
            left -= f64::from(p);
            if left < 0.0 {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_core::random::Stream;

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.0, f32::NEG_INFINITY, 2f32.ln(), 1f32.ln()];
        let key = RandomKey::new(1, Stream::Sampling);
        let mut counts = [0; 4];
        for n in 0..40_000 {
            counts[draw(&logits, key, n)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!(
            (9_600..10_400).contains(&counts[0]) && (19_600..20_400).contains(&counts[2]),
            "{counts:?}"
        );
    }

    #[test]
    fn log_probabilities_are_those_of_the_raw_softmax() {
        let logits = [1.0, 2.0, 3.0];
        let total: f32 = (0..3).map(|id| log_probability(&logits, id).exp()).sum();
        assert!((total - 1.0).abs() < 1e-6);
        assert!((log_probability(&logits, 2) + 0.407_606).abs() < 1e-5);
    }
}
