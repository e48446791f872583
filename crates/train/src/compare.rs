//! How far the predictions of two models for the same text are apart.
//!
//! Protocol: [`Protocol::side_by_side`]. Logarithms and sums are taken in f64, so that equal models are exactly equal.

use burn::module::Module;
use burn::prelude::*;
use llm_data::TokenShard;
use llm_models::LanguageModel;
use rayon::prelude::*;
use serde::Serialize;

use crate::TrainError;
use crate::batch::Batch;
use crate::evaluate::{Protocol, windows};
use crate::objective::hidden;
use crate::packing::Packing;

/// Positions whose scores are held at a time.
const POSITIONS: usize = 128;

/// How many of the best tokens are compared.
const BEST: usize = 5;

/// What two models, A and B, make of one text, over all tokens that are predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// How much B's predictions lose when A's are the truth.
    pub kl: KlDivergence,
    /// Mean cosine of the two vectors of scores.
    pub cosine: f64,
    /// Share of the tokens for which both have the same best token, from 0 to 1.
    pub same_best: f64,
    /// Mean share of A's five best tokens that are among B's, from 0 to 1.
    pub shared_best_five: f64,
    /// Largest difference of two scores.
    pub largest_difference: f64,
    /// Mean loss of A and of B, in nats per token.
    pub losses: [f64; 2],
    /// Number of tokens that were predicted.
    pub tokens: u64,
}

/// `Σ p_A (ln p_A - ln p_B)` of each token that is predicted, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KlDivergence {
    /// Over all tokens.
    pub mean: f64,
    /// 99 of 100 tokens have at most this.
    pub percentile_99: f64,
    /// The largest.
    pub max: f64,
}

/// Compares A and B over all windows of so many tokens.
///
/// # Errors
/// Those of [`evaluate`](crate::evaluate); [`TrainError::Vocabularies`] when the models have not the same number of tokens;
/// [`TrainError::ScoresNotFinite`].
pub fn compare(
    models: [&LanguageModel; 2],
    text: &TokenShard,
    window: usize,
) -> Result<Comparison, TrainError> {
    let vocabularies = models.map(|model| model.architecture().vocab_size());
    if vocabularies[0] != vocabularies[1] {
        return Err(TrainError::Vocabularies(vocabularies));
    }
    let protocol = Protocol::side_by_side(window);
    let all = windows(models[0], text, &protocol)?;
    // The same windows, when they fit the other context too.
    windows(models[1], text, &protocol)?;
    // Share the weights, without a graph.
    let models = models.map(|model| model.valid());
    let mut positions = Vec::with_capacity(text.len());
    for window in all {
        let (start, seq) = (window.start, window.seq);
        let targets = text.tokens(start + window.first_target + 1..start + seq + 1);
        let hidden = [0, 1].map(|i| {
            let device = models[i].device();
            let batch = Batch::new(text, &[start], seq, Packing::Across, &device);
            hidden(&models[i], &batch, None)
        });
        let firsts = (window.first_target..).step_by(POSITIONS);
        for (first, targets) in firsts.zip(targets.chunks(POSITIONS)) {
            let scores = [0, 1].map(|i| {
                let rows = hidden[i].clone().narrow(0, first, targets.len());
                scores(&models[i], rows)
            });
            positions.extend(compared(&scores, targets, vocabularies[0]));
        }
    }
    if !positions.iter().all(Position::is_finite) {
        return Err(TrainError::ScoresNotFinite);
    }
    Ok(summary(&positions))
}

/// Scores of every token after each row, `[rows, vocab_size]`.
fn scores(model: &LanguageModel, rows: Tensor<2>) -> Vec<f32> {
    let scores = model.logits(rows).into_data().convert::<f32>();
    scores.try_to_vec().expect("converted to f32")
}

fn compared(scores: &[Vec<f32>; 2], targets: &[u32], vocab_size: usize) -> Vec<Position> {
    let [a, b] = [&scores[0], &scores[1]].map(|scores| scores.par_chunks_exact(vocab_size));
    a.zip(b)
        .zip(targets)
        .map(|((a, b), &target)| Position::new(a, b, target as usize))
        .collect()
}

/// The comparison at one token.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Position {
    kl: f64,
    cosine: f64,
    same_best: bool,
    shared_best: f64,
    difference: f64,
    losses: [f64; 2],
}

impl Position {
    fn new(a: &[f32], b: &[f32], target: usize) -> Self {
        let [norm_a, norm_b] = [a, b].map(log_sum);
        let (mut kl, mut difference) = (0.0, 0.0f64);
        let mut products = [0.0; 3];
        for (&a, &b) in a.iter().zip(b) {
            let (a, b) = (f64::from(a), f64::from(b));
            let (log_a, log_b) = (a - norm_a, b - norm_b);
            kl += log_a.exp() * (log_a - log_b);
            difference = difference.max((a - b).abs());
            products[0] += a * b;
            products[1] += a * a;
            products[2] += b * b;
        }
        let length = (products[1] * products[2]).sqrt();
        let (best_a, best_b) = (best(a), best(b));
        let shared = best_a.iter().filter(|token| best_b.contains(token)).count();
        Self {
            // Rounding can take it below.
            kl: if kl < 0.0 { 0.0 } else { kl },
            cosine: if length > 0.0 {
                products[0] / length
            } else {
                1.0
            },
            same_best: best_a[0] == best_b[0],
            shared_best: shared as f64 / best_a.len() as f64,
            difference,
            losses: [norm_a - f64::from(a[target]), norm_b - f64::from(b[target])],
        }
    }

    fn is_finite(&self) -> bool {
        let Self { kl, losses, .. } = self;
        kl.is_finite() && losses.iter().all(|loss| loss.is_finite())
    }
}

/// `ln Σ exp(score)`.
fn log_sum(scores: &[f32]) -> f64 {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let max = f64::from(max);
    let sum: f64 = scores.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    max + sum.ln()
}

/// The tokens with the highest scores, the best first; the first of equals comes first.
fn best(scores: &[f32]) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(BEST + 1);
    for (token, &score) in scores.iter().enumerate() {
        let place = best.partition_point(|&other| scores[other] >= score);
        if place < BEST {
            best.insert(place, token);
            best.truncate(BEST);
        }
    }
    best
}

fn summary(positions: &[Position]) -> Comparison {
    let n = positions.len() as f64;
    let mean = |value: fn(&Position) -> f64| positions.iter().map(value).sum::<f64>() / n;
    let mut kls: Vec<f64> = positions.iter().map(|position| position.kl).collect();
    kls.sort_by(f64::total_cmp);
    let rank = (0.99 * n).ceil() as usize;
    Comparison {
        kl: KlDivergence {
            mean: mean(|position| position.kl),
            percentile_99: kls[rank.max(1) - 1],
            max: kls[kls.len() - 1],
        },
        cosine: mean(|position| position.cosine),
        same_best: mean(|position| f64::from(u8::from(position.same_best))),
        shared_best_five: mean(|position| position.shared_best),
        largest_difference: positions
            .iter()
            .map(|position| position.difference)
            .fold(0.0, f64::max),
        losses: [
            mean(|position| position.losses[0]),
            mean(|position| position.losses[1]),
        ],
        tokens: positions.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tokens with the probabilities 3/4 and 1/4, and even ones: KL is ¾ ln 1.5 + ¼ ln 0.5.
    #[test]
    fn a_position_is_that_of_the_definition() {
        let a = [3f32.ln(), 0.0];
        let position = Position::new(&a, &[7.0, 7.0], 1);
        let kl = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((position.kl - kl).abs() < 1e-7, "{}", position.kl);
        assert!((position.losses[0] - 4f64.ln()).abs() < 1e-7);
        assert!((position.losses[1] - 2f64.ln()).abs() < 1e-7);
        assert!((position.cosine - 0.5f64.sqrt()).abs() < 1e-7);
        assert_eq!(position.difference, 7.0);
        // The first of equals is the best.
        assert!(position.same_best);
        assert_eq!(position.shared_best, 1.0);
    }

    #[test]
    fn equal_scores_are_exactly_equal() {
        let scores: Vec<f32> = (0..100).map(|i| ((i * 37) % 19) as f32 * 0.3).collect();
        let position = Position::new(&scores, &scores, 5);
        assert_eq!((position.kl, position.difference), (0.0, 0.0));
        assert!((position.cosine - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_best_are_in_order() {
        assert_eq!(best(&[1.0, 5.0, 5.0, 0.0, 9.0, 2.0, 3.0]), [4, 1, 2, 6, 5]);
        assert_eq!(best(&[1.0, 2.0]), [1, 0]);
        let other = [9.0, 5.0, 5.0, 0.0, 1.0, 2.0, 3.0];
        let position = Position::new(&[1.0, 5.0, 5.0, 0.0, 9.0, 2.0, 3.0], &other, 0);
        assert!(!position.same_best);
        assert_eq!(position.shared_best, 0.8);
    }

    #[test]
    fn a_summary_has_the_mean_and_the_tail() {
        let position = |kl| Position {
            kl,
            cosine: 1.0,
            same_best: kl < 50.5,
            shared_best: 1.0,
            difference: kl,
            losses: [1.0, kl],
        };
        let positions: Vec<_> = (1..=100).map(|i| position(f64::from(i))).collect();
        let found = summary(&positions);
        assert_eq!(found.kl.mean, 50.5);
        assert_eq!((found.kl.percentile_99, found.kl.max), (99.0, 100.0));
        assert_eq!((found.same_best, found.largest_difference), (0.5, 100.0));
        assert_eq!(found.losses, [1.0, 50.5]);
        assert_eq!(found.tokens, 100);
        assert_eq!(summary(&positions[..1]).kl.percentile_99, 1.0);
    }
}
