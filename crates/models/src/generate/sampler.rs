//! From logits to a token: filters in the order of transformers' `generate`, then a draw.
//!
//! Sources: Keskar et al. 2019, "CTRL", section 4.1 (repetition penalty); Holtzman et al. 2020, "The Curious Case of Neural Text
//! Degeneration" (top-p); Nguyen et al. 2024, "Min-p Sampling". Compared with transformers' logits processors in the tests.

use llm_core::kernels::{arg_max, log_sum_exp, softmax_in_place};
use llm_core::random::RandomKey;

use super::config::{GenerateConfig, Strategy};

/// Changes the logits of one step. A token that may not be chosen gets minus infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Filter {
    /// Divides positive and multiplies negative logits of the tokens in the history.
    RepetitionPenalty(f32),
    /// Forbids what would complete an n-gram of the history a second time.
    NoRepeatNgram(usize),
    /// Divides all logits.
    Temperature(f32),
    /// Keeps the `k` best and all that equal the last of them.
    TopK(usize),
    /// Keeps the smallest set that reaches the probability, the token that crosses it included.
    TopP(f32),
    /// Keeps what has at least this share of the best token's probability.
    MinP(f32),
}

impl Filter {
    /// The filters that a configuration asks for, in the order of transformers.
    pub(crate) fn chain(config: &GenerateConfig) -> Vec<Self> {
        let mut chain = Vec::new();
        if config.repetition_penalty != 1.0 {
            chain.push(Self::RepetitionPenalty(config.repetition_penalty));
        }
        if config.no_repeat_ngram > 0 {
            chain.push(Self::NoRepeatNgram(config.no_repeat_ngram));
        }
        if config.strategy == Strategy::Greedy {
            return chain;
        }
        let default = |strategy, value| (config.strategy == strategy).then_some(value);
        chain.extend(config.temperature.map(Self::Temperature));
        chain.extend(config.top_k.or(default(Strategy::TopK, 50)).map(Self::TopK));
        chain.extend(
            config
                .top_p
                .or((config.strategy == Strategy::TopP).then_some(0.9))
                .map(Self::TopP),
        );
        chain.extend(
            config
                .min_p
                .or((config.strategy == Strategy::MinP).then_some(0.05))
                .map(Self::MinP),
        );
        chain
    }

    /// Applies this filter, given all tokens so far.
    pub(crate) fn apply(self, logits: &mut [f32], history: &[u32]) {
        match self {
            Self::RepetitionPenalty(penalty) => {
                let mut seen: Vec<usize> = history.iter().map(|&id| id as usize).collect();
                seen.sort_unstable();
                seen.dedup();
                for id in seen {
                    let logit = &mut logits[id];
                    *logit = if *logit < 0.0 {
                        *logit * penalty
                    } else {
                        *logit / penalty
                    };
                }
            }
            Self::NoRepeatNgram(n) => {
                if history.len() + 1 < n {
                    return;
                }
                let (begun, _) = history[history.len() + 1 - n..].split_at(n - 1);
                for ngram in history.windows(n).filter(|ngram| &ngram[..n - 1] == begun) {
                    logits[ngram[n - 1] as usize] = f32::NEG_INFINITY;
                }
            }
            Self::Temperature(temperature) => {
                logits.iter_mut().for_each(|logit| *logit /= temperature)
            }
            Self::TopK(k) => {
                let mut sorted = logits.to_vec();
                let k = k.min(sorted.len());
                let (_, least, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
                let least = *least;
                forbid(logits, |logit| logit < least);
            }
            Self::TopP(p) => {
                if p >= 1.0 {
                    return;
                }
                keep_nucleus(logits, f64::from(p));
            }
            Self::MinP(share) => {
                let probabilities = softmax(logits);
                let best = probabilities.iter().copied().fold(0.0, f32::max);
                let mut probabilities = probabilities.into_iter();
                forbid(logits, |_| {
                    probabilities.next().is_some_and(|p| p < share * best)
                });
            }
        }
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

fn forbid(logits: &mut [f32], mut unwanted: impl FnMut(f32) -> bool) {
    logits
        .iter_mut()
        .filter(|logit| unwanted(**logit))
        .for_each(|logit| *logit = f32::NEG_INFINITY);
}

/// Probabilities of finite or minus infinite logits.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let mut probabilities = logits.to_vec();
    softmax_in_place(&mut probabilities);
    probabilities
}

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
