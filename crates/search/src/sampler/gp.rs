//! A Gaussian process: a smooth guess at the objective with its uncertainty, and the point where most improvement is expected.
//!
//! Best where a trial is dear, parameters are few and numeric, and 100 trials are many: its work grows with the cube of their number. The kernel is Matérn's
//! with 5/2, with a length for every parameter; lengths, variance and noise are those of the largest posterior density.
//!
//! Sources: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapters 2, 4 and 5; Ament et al. 2023, "Unexpected Improvements to
//! Expected Improvement", for its logarithm.

mod process;

use serde::Deserialize;

use self::process::Process;
use super::qmc::{first_sobol_point, sobol_point};
use super::{Proposal, Sampler};
use crate::distribution::Distribution;
use crate::error::{Result, SearchError};
use crate::history::{Observation, Request};
use crate::random::Stream;
use crate::space::Point;
use crate::trial::TrialState;

/// Fits a Gaussian process.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct GpSampler {
    /// Sobol points before the first fit. Default: 10.
    pub startup_trials: usize,
    /// Trials that are fitted: the best half and the newest, where there are more. Default: 200.
    pub max_trials: usize,
}

impl Default for GpSampler {
    fn default() -> Self {
        Self {
            startup_trials: 10,
            max_trials: 200,
        }
    }
}

/// Points spread over the cube, and how many of the best of them are improved step by step.
const SPREAD: u32 = 1024;
const CLIMBERS: usize = 6;
const CLIMBS: usize = 60;

impl Sampler for GpSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        if request.objectives() > 1 {
            return Err(SearchError::Setting(
                "gp has one objective; nsga2 and tpe have several".to_owned(),
            ));
        }
        if self.max_trials < 2 {
            return Err(SearchError::Setting(
                "max_trials of gp must be at least 2".to_owned(),
            ));
        }
        let seen = self.seen(request);
        let complete = seen.iter().filter(|(_, loss)| loss.is_some()).count();
        if complete < self.startup_trials.max(2) {
            return first_sobol_point(request);
        }
        let losses: Vec<f64> = normalized(seen.iter().map(|(_, loss)| *loss));
        let points: Vec<Vec<f64>> = seen
            .iter()
            .map(|(point, _)| units(request, point))
            .collect();
        let is_choice: Vec<bool> = request
            .space()
            .parameters()
            .iter()
            .map(|parameter| matches!(*parameter.distribution, Distribution::Categorical { .. }))
            .collect();
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let Some(process) = Process::fit(points, losses, is_choice) else {
            return Ok(None);
        };
        let found = climb(request, &process, best)?;
        Ok(found.map(|point| Proposal {
            point,
            ..Proposal::default()
        }))
    }
}

impl GpSampler {
    /// Points with their losses; nothing for those that run.
    fn seen<'a>(&self, request: &'a Request<'_>) -> Vec<(&'a Point, Option<f64>)> {
        let loss = |state: TrialState, trial: &Observation| match state {
            TrialState::Complete if trial.violation <= 0.0 => trial.losses.first().copied(),
            TrialState::Pruned => trial.report.map(|(_, loss)| loss),
            // As bad as can be.
            TrialState::Complete | TrialState::Failed => Some(f64::INFINITY),
            _ => None,
        };
        let mut seen: Vec<(&Point, Option<f64>)> = request
            .observations()
            .filter(|(state, trial)| {
                *state != TrialState::Waiting && trial.point.iter().any(Option::is_some)
            })
            .map(|(state, trial)| (&trial.point, loss(state, trial)))
            .collect();
        if seen.len() > self.max_trials {
            // The newest half, and the best of the older ones.
            let newest = seen.split_off(seen.len() - self.max_trials / 2);
            seen.retain(|(_, loss)| loss.is_some());
            seen.sort_by(|a, b| {
                a.1.unwrap_or(f64::INFINITY)
                    .total_cmp(&b.1.unwrap_or(f64::INFINITY))
            });
            seen.truncate(self.max_trials - newest.len());
            seen.extend(newest);
        }
        seen
    }
}

/// Losses with mean 0 and variance 1. Those far above the median are drawn in, so that a few bad trials do not hide what tells the good ones apart, and those
/// that are missing are put at the mean.
fn normalized(losses: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let losses: Vec<Option<f64>> = losses.collect();
    let mut sorted: Vec<f64> = losses
        .iter()
        .flatten()
        .copied()
        .filter(|loss| loss.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        sorted
            .get(((sorted.len() as f64 - 1.0) * share) as usize)
            .copied()
            .unwrap_or(0.0)
    };
    let (best, median) = (at(0.0), at(0.5));
    let scale = (median - best).max(1e-12);
    // Linear up to the median, logarithmic beyond.
    let drawn_in = |loss: f64| {
        let above = (loss.min(at(1.0)) - best) / scale;
        if above <= 1.0 {
            above
        } else {
            1.0 + above.ln()
        }
    };
    let values: Vec<Option<f64>> = losses.into_iter().map(|loss| loss.map(drawn_in)).collect();
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let variance =
        known.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64;
    let deviation = variance.sqrt().max(1e-9);
    values
        .into_iter()
        .map(|value| value.map_or(0.0, |value| (value - mean) / deviation))
        .collect()
}

fn units(request: &Request<'_>, point: &Point) -> Vec<f64> {
    let pairs = request.space().parameters().iter().zip(point);
    // What is not active stands in the middle, where it differs from nothing that is not active either.
    pairs
        .map(|(parameter, value)| value.map_or(0.5, |value| parameter.distribution.unit_of(value)))
        .collect()
}

/// The accepted point of the largest expected improvement that is found from many starts.
fn climb(request: &Request<'_>, process: &Process, best: f64) -> Result<Option<Point>> {
    let mut stream = request.stream(&[0x47]);
    let score = |point: &Point| process.log_improvement(&units(request, point), best);
    let mut starts: Vec<(f64, Point)> = Vec::new();
    for attempt in 1..=SPREAD {
        let point = sobol_point(request, attempt)?;
        if request.accepts(&point) {
            starts.push((score(&point), point));
        }
    }
    for around in process.best_points(CLIMBERS) {
        for _ in 0..16 {
            let point = shifted(request, around, 0.05, &mut stream)?;
            if request.accepts(&point) {
                starts.push((score(&point), point));
            }
        }
    }
    starts.sort_by(|a, b| b.0.total_cmp(&a.0));
    starts.truncate(CLIMBERS);
    for (value, point) in &mut starts {
        let mut reach = 0.1;
        for _ in 0..CLIMBS {
            let next = shifted(request, &units(request, point), reach, &mut stream)?;
            let next_value = if request.accepts(&next) {
                score(&next)
            } else {
                f64::NEG_INFINITY
            };
            if next_value > *value {
                (*value, *point) = (next_value, next);
                reach *= 1.5;
            } else {
                reach *= 0.87;
            }
        }
    }
    let highest = starts.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    Ok(highest.map(|(_, point)| point))
}

/// A point near `from`: numbers moved, and now and then another choice.
fn shifted(request: &Request<'_>, from: &[f64], reach: f64, stream: &mut Stream) -> Result<Point> {
    let parameters = request.space().parameters();
    let units: Vec<f64> = parameters
        .iter()
        .zip(from)
        .map(|(parameter, unit)| match &*parameter.distribution {
            Distribution::Categorical { .. } if stream.uniform() < 0.2 => stream.uniform(),
            Distribution::Categorical { .. } => *unit,
            _ => (unit + reach * stream.normal()).clamp(0.0, 1.0),
        })
        .collect();
    request.space().point_of_units(units.into_iter())
}
