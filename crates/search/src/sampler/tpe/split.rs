//! Which trials are the good ones.

use crate::history::{Observation, Request};
use crate::pareto;
use crate::trial::TrialState;

/// Whether a trial in this state says something about its point.
pub(super) fn counts(state: TrialState) -> bool {
    matches!(state, TrialState::Complete | TrialState::Pruned)
}

/// The `n` best trials and all others, each in the order of their numbers. Complete ones are better than pruned ones, and pruned ones are better the
/// later they were pruned; then come those that break constraints, the least first. Failed and running ones are never good.
pub(super) fn split<'a>(
    request: &'a Request<'_>,
    n: usize,
) -> (Vec<&'a Observation>, Vec<&'a Observation>) {
    let trials: Vec<(TrialState, &Observation)> = request
        .observations()
        .filter(|(state, _)| *state != TrialState::Waiting)
        .filter(|(_, observation)| observation.point.iter().any(Option::is_some))
        .collect();
    let complete: Vec<usize> = (0..trials.len())
        .filter(|place| {
            let (state, trial) = trials[*place];
            state == TrialState::Complete && trial.violation <= 0.0 && !trial.losses.is_empty()
        })
        .collect();
    let losses: Vec<&[f64]> = complete
        .iter()
        .map(|place| trials[*place].1.losses.as_slice())
        .collect();
    let mut order: Vec<usize> = if request.objectives() > 1 {
        by_dominance(&losses)
            .into_iter()
            .map(|place| complete[place])
            .collect()
    } else {
        let mut order = complete;
        order.sort_by(|a, b| trials[*a].1.losses[0].total_cmp(&trials[*b].1.losses[0]));
        order
    };
    let mut pruned: Vec<(i64, f64, usize)> = Vec::new();
    let mut infeasible: Vec<(f64, usize)> = Vec::new();
    for (place, (state, trial)) in trials.iter().enumerate() {
        if counts(*state) && trial.violation > 0.0 {
            infeasible.push((trial.violation, place));
        } else if *state == TrialState::Pruned {
            let (step, loss) = trial.report.unwrap_or((i64::MIN, f64::INFINITY));
            pruned.push((
                step,
                if loss.is_nan() { f64::INFINITY } else { loss },
                place,
            ));
        }
    }
    pruned.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    infeasible.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.extend(pruned.into_iter().map(|(_, _, place)| place));
    order.extend(infeasible.into_iter().map(|(_, place)| place));
    let mut is_good = vec![false; trials.len()];
    order
        .iter()
        .take(n)
        .for_each(|place| is_good[*place] = true);
    let part = |wanted: bool| {
        let chosen = trials
            .iter()
            .zip(&is_good)
            .filter(|(_, good)| **good == wanted);
        chosen.map(|((_, trial), _)| *trial).collect()
    };
    (part(true), part(false))
}

/// Places from the best on: by the rank of their front, and within one those that stand more alone first.
fn by_dominance(losses: &[&[f64]]) -> Vec<usize> {
    let ranks = pareto::ranks(losses);
    let mut keyed = Vec::new();
    for rank in 0..=ranks.iter().copied().max().unwrap_or(0) {
        let places: Vec<usize> = (0..losses.len())
            .filter(|place| ranks[*place] == rank)
            .collect();
        let front: Vec<&[f64]> = places.iter().map(|place| losses[*place]).collect();
        let crowding = pareto::crowding(&front);
        keyed.extend(
            places
                .into_iter()
                .zip(crowding)
                .map(|(place, alone)| (rank, alone, place)),
        );
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
    keyed.into_iter().map(|(_, _, place)| place).collect()
}
