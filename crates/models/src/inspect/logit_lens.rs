//! The logit lens: what a model would predict if it stopped after a block.
//!
//! The residual stream of every depth goes through the model's own last norm and head. Every block only adds to the stream, so the
//! prediction is seen to form; of a family whose blocks end with a norm (GPT) the same holds less exactly. Early depths may say little:
//! the head was never trained to read them (Belrose et al. 2023, "Eliciting Latent Predictions", train an affine map for that; here none is).
//!
//! Source: nostalgebraist 2020, "interpreting GPT: the logit lens".

use rayon::prelude::*;

use super::Streams;
use crate::LanguageModel;

/// Positions whose scores are in memory at a time, at all depths one after the other.
const POSITIONS: usize = 64;

/// What the model would predict after one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// 0 for the embedding, else the number of blocks passed.
    pub depth: usize,
    /// One for each position of the text.
    pub readings: Vec<Reading>,
}

/// A prediction of the token after one position.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The likeliest tokens, best first.
    pub best: Vec<Guess>,
    /// The token that really comes next; `None` behind the last.
    pub next: Option<NextToken>,
    /// Entropy in nats.
    pub entropy: f64,
    /// KL divergence of the model's final prediction from this one, `KL(final ‖ this)`, in nats. Not finite where scores are not.
    pub kl: f64,
}

/// A token and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// Id.
    pub token: u32,
    /// From 0 to 1.
    pub probability: f64,
}

/// What a prediction makes of the token that really comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextToken {
    /// Id.
    pub token: u32,
    /// From 0 to 1.
    pub probability: f64,
    /// 1 for the likeliest token; 1 more than the number of tokens with a higher score.
    pub rank: usize,
}

/// The predictions of every depth while `model` reads `tokens`, the embedding's first, with the `top` likeliest tokens of each.
///
/// # Panics
/// When there are no tokens, or one is not below the vocabulary's size.
pub fn logit_lens(model: &LanguageModel, tokens: &[u32], top: usize) -> Vec<Depth> {
    let streams = Streams::of(model, tokens);
    let vocab_size = model.architecture().vocab_size();
    let last = streams.n_depths() - 1;
    let mut depths: Vec<Depth> = (0..=last)
        .map(|depth| Depth {
            depth,
            readings: Vec::with_capacity(tokens.len()),
        })
        .collect();
    for first in (0..tokens.len()).step_by(POSITIONS) {
        let positions = first..(first + POSITIONS).min(tokens.len());
        let scores_of_last = streams.scores(last, positions.clone());
        let finals: Vec<Prediction<'_>> = predictions(&scores_of_last, vocab_size);
        for (depth, Depth { readings, .. }) in depths.iter_mut().enumerate() {
            let scores = streams.scores(depth, positions.clone());
            let here = predictions(&scores, vocab_size);
            readings.par_extend(here.par_iter().zip(&finals).enumerate().map(
                |(i, (here, last))| Reading {
                    best: here.best(top),
                    next: tokens.get(first + i + 1).map(|token| here.next(*token)),
                    entropy: -here.expectation_under(here),
                    kl: last.expectation_under(last) - here.expectation_under(last),
                },
            ));
        }
    }
    depths
}

/// The scores of one position, and the log of their softmax sum.
struct Prediction<'a> {
    scores: &'a [f32],
    log_sum: f64,
}

fn predictions(scores: &[f32], vocab_size: usize) -> Vec<Prediction<'_>> {
    let rows = scores.par_chunks(vocab_size);
    rows.map(|scores| {
        let largest = scores.iter().fold(f32::NEG_INFINITY, |max, s| max.max(*s));
        let largest = f64::from(largest);
        let sum: f64 = scores.iter().map(|s| (f64::from(*s) - largest).exp()).sum();
        Prediction {
            scores,
            log_sum: largest + sum.ln(),
        }
    })
    .collect()
}

impl Prediction<'_> {
    fn log_probability(&self, token: usize) -> f64 {
        f64::from(self.scores[token]) - self.log_sum
    }

    /// Mean log-probability of tokens drawn from `truth`.
    fn expectation_under(&self, truth: &Self) -> f64 {
        let terms = (0..self.scores.len()).map(|token| {
            let p = truth.log_probability(token).exp();
            // 0 · log 0 is 0.
            if p > 0.0 {
                p * self.log_probability(token)
            } else {
                p
            }
        });
        terms.sum()
    }

    fn best(&self, top: usize) -> Vec<Guess> {
        let mut ids: Vec<u32> = (0..self.scores.len() as u32).collect();
        let top = top.min(ids.len());
        // Of equal scores the lower id is first, as in greedy decoding.
        let better = |a: &u32, b: &u32| {
            let [a_score, b_score] = [a, b].map(|id| self.scores[*id as usize]);
            b_score.total_cmp(&a_score).then(a.cmp(b))
        };
        if top < ids.len() {
            ids.select_nth_unstable_by(top, better);
        }
        ids.truncate(top);
        ids.sort_unstable_by(better);
        let guess = |token: u32| Guess {
            token,
            probability: self.log_probability(token as usize).exp(),
        };
        ids.into_iter().map(guess).collect()
    }

    fn next(&self, token: u32) -> NextToken {
        let score = self.scores[token as usize];
        NextToken {
            token,
            probability: self.log_probability(token as usize).exp(),
            rank: 1 + self.scores.iter().filter(|s| **s > score).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_measured() {
        let scores = [0.0, 2f32.ln(), 2f32.ln(), f32::NEG_INFINITY];
        let uniform = [0.0; 4];
        let [p, q] = [&scores, &uniform].map(|scores| predictions(scores, 4).remove(0));
        let best = p.best(2);
        assert_eq!(best.iter().map(|g| g.token).collect::<Vec<_>>(), [1, 2]);
        assert!((best[0].probability - 0.4).abs() < 1e-7);
        assert_eq!(p.best(9).len(), 4);
        assert_eq!((p.next(0).rank, p.next(2).rank, p.next(3).rank), (3, 1, 4));
        let entropy = -(0.2 * 0.2f64.ln() + 2.0 * 0.4 * 0.4f64.ln());
        assert!((-p.expectation_under(&p) - entropy).abs() < 1e-7);
        // KL(p ‖ uniform) = log 4 - entropy.
        let kl = p.expectation_under(&p) - q.expectation_under(&p);
        assert!((kl - (4f64.ln() - entropy)).abs() < 1e-7);
    }
}
