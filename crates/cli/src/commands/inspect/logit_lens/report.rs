//! The logit lens in numbers: every prediction as JSON, and the sums of each depth.

use llm_models::inspect::{Depth, Guess, NextToken, Reading};
use serde::Serialize;

use super::super::seen::Token;
use super::{Lens, name_of};

/// What is written as JSON.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    tokens: &'a [Token],
    depths: Vec<DepthRow>,
}

#[derive(Serialize)]
struct DepthRow {
    /// 0 for the embedding, else the number of blocks passed.
    depth: usize,
    name: String,
    #[serde(flatten)]
    summary: Summary,
    positions: Vec<Position>,
}

/// One prediction.
#[derive(Serialize)]
struct Position {
    /// Best first.
    best: Vec<Likely>,
    /// The token that really comes next.
    next: Option<Next>,
    /// In nats.
    entropy: f64,
    /// KL divergence of the final prediction from this one, in nats.
    kl: f64,
}

#[derive(Serialize)]
struct Likely {
    id: u32,
    label: String,
    probability: f64,
}

#[derive(Serialize)]
struct Next {
    id: u32,
    label: String,
    probability: f64,
    rank: usize,
}

/// A depth in a few numbers: means over the positions; of the next token over those that have one.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Summary {
    /// Probability of the token that really comes next; `None` for a text of one token, as below.
    pub(super) next_probability: Option<f64>,
    /// Its median rank, the lower one of two.
    pub(super) next_rank: Option<usize>,
    /// Share of the positions at which it is the likeliest.
    pub(super) next_is_best: Option<f64>,
    /// Share of the positions at which the likeliest token is the final one.
    pub(super) best_is_final: f64,
    /// Entropy in nats.
    pub(super) mean_entropy: f64,
    /// KL divergence of the final prediction in nats.
    pub(super) mean_kl: f64,
}

impl<'a> Report<'a> {
    pub(super) fn of(lens: &'a Lens<'_>) -> Self {
        let depths = lens.depths.iter().map(|depth| DepthRow {
            depth: depth.depth,
            name: name_of(depth.depth),
            summary: Summary::of(depth, lens),
            positions: depth
                .readings
                .iter()
                .map(|reading| Position::of(reading, lens))
                .collect(),
        });
        Self {
            tokens: &lens.tokens,
            depths: depths.collect(),
        }
    }
}

impl Position {
    fn of(reading: &Reading, lens: &Lens<'_>) -> Self {
        let likely = |guess: &Guess| Likely {
            id: guess.token,
            label: lens.label(guess.token),
            probability: guess.probability,
        };
        let next = |next: NextToken| Next {
            id: next.token,
            label: lens.label(next.token),
            probability: next.probability,
            rank: next.rank,
        };
        Self {
            best: reading.best.iter().map(likely).collect(),
            next: reading.next.map(next),
            entropy: reading.entropy,
            kl: reading.kl,
        }
    }
}

impl Summary {
    pub(super) fn of(depth: &Depth, lens: &Lens<'_>) -> Self {
        let last = &lens.depths[lens.depths.len() - 1];
        let n = depth.readings.len() as f64;
        let mean = |of: fn(&Reading) -> f64| depth.readings.iter().map(of).sum::<f64>() / n;
        let best = |reading: &Reading| reading.best[0].token;
        let pairs = depth.readings.iter().zip(&last.readings);
        let agree = pairs.filter(|(here, last)| best(here) == best(last));
        let nexts: Vec<(bool, NextToken)> = depth
            .readings
            .iter()
            .filter_map(|reading| reading.next.map(|next| (best(reading) == next.token, next)))
            .collect();
        let n_next = nexts.len() as f64;
        let some = (!nexts.is_empty()).then_some(());
        let mut ranks: Vec<usize> = nexts.iter().map(|(_, next)| next.rank).collect();
        ranks.sort_unstable();
        Self {
            next_probability: some
                .map(|()| nexts.iter().map(|(_, next)| next.probability).sum::<f64>() / n_next),
            next_rank: some.map(|()| ranks[(ranks.len() - 1) / 2]),
            next_is_best: some
                .map(|()| nexts.iter().filter(|(is_best, _)| *is_best).count() as f64 / n_next),
            best_is_final: agree.count() as f64 / n,
            mean_entropy: mean(|reading| reading.entropy),
            mean_kl: mean(|reading| reading.kl),
        }
    }
}
