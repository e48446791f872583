//! Covariance matrix adaptation: a normal distribution that follows the best of every generation.
//!
//! The distribution is worked out from the history, generation by generation; a trial bears a note of the one that it belongs to. It lives in the unit cube of
//! the numeric parameters; choices are drawn at random.
//!
//! Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial", <https://arxiv.org/abs/1604.00772>; the constants are those of its table 1.

use serde::Deserialize;
use serde_json::json;

use super::{Proposal, Sampler};
use crate::distribution::Distribution;
use crate::error::{Result, SearchError};
use crate::history::{GENERATION, Observation, Request};
use crate::linalg::{dot, eigen};
use crate::trial::TrialState;

/// Evolves a normal distribution.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CmaEsSampler {
    /// Trials of a generation, at least 4. Default: `4 + 3 ln(n)` for `n` numeric parameters.
    pub population: Option<usize>,
    /// First standard deviation, as a part of every parameter's range, above 0 and at most 1. Default: 1/6.
    pub sigma: f64,
    /// What was worked out for the last trial.
    #[serde(skip)]
    evolved: Option<Evolution>,
}

impl Default for CmaEsSampler {
    fn default() -> Self {
        Self {
            population: None,
            sigma: 1.0 / 6.0,
            evolved: None,
        }
    }
}

#[derive(Clone, Debug)]
struct Evolution {
    generation: u64,
    mean: Vec<f64>,
    sigma: f64,
    covariance: Vec<Vec<f64>>,
    path: Vec<f64>,
    sigma_path: Vec<f64>,
    /// Square roots of the eigenvalues, and eigenvectors as columns.
    lengths: Vec<f64>,
    axes: Vec<Vec<f64>>,
}

impl Evolution {
    fn new(dimensions: usize, sigma: f64) -> Self {
        let identity: Vec<Vec<f64>> = (0..dimensions)
            .map(|i| {
                (0..dimensions)
                    .map(|j| f64::from(u8::from(i == j)))
                    .collect()
            })
            .collect();
        Self {
            generation: 0,
            mean: vec![0.5; dimensions],
            sigma,
            covariance: identity.clone(),
            path: vec![0.0; dimensions],
            sigma_path: vec![0.0; dimensions],
            lengths: vec![1.0; dimensions],
            axes: identity,
        }
    }

    /// Takes in a generation, the best first.
    fn update(&mut self, points: &[Vec<f64>]) {
        let n = self.mean.len() as f64;
        let lambda = points.len();
        let mu = lambda / 2;
        let raw: Vec<f64> = (0..mu)
            .map(|rank| ((lambda as f64 + 1.0) / 2.0).ln() - (rank as f64 + 1.0).ln())
            .collect();
        let total: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|weight| weight / total).collect();
        let mu_eff = 1.0 / dot(&weights, &weights);
        let c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0);
        let d_sigma = 1.0 + 2.0 * (((mu_eff - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        let c_c = (4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n);
        let c_1 = 2.0 / ((n + 1.3).powi(2) + mu_eff);
        let c_mu =
            (1.0 - c_1).min(2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((n + 2.0).powi(2) + mu_eff));
        let expected = n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n));

        let steps: Vec<Vec<f64>> = points[..mu]
            .iter()
            .map(|point| {
                point
                    .iter()
                    .zip(&self.mean)
                    .map(|(x, mean)| (x - mean) / self.sigma)
                    .collect()
            })
            .collect();
        let size = self.mean.len();
        let step: Vec<f64> = (0..size)
            .map(|i| {
                steps
                    .iter()
                    .zip(&weights)
                    .map(|(step, weight)| weight * step[i])
                    .sum()
            })
            .collect();
        for (mean, step) in self.mean.iter_mut().zip(&step) {
            *mean += self.sigma * step;
        }
        // The inverse square root of the covariance, times the step.
        let along: Vec<f64> = (0..size)
            .map(|k| (0..size).map(|i| self.axes[i][k] * step[i]).sum::<f64>() / self.lengths[k])
            .collect();
        let decay = (c_sigma * (2.0 - c_sigma) * mu_eff).sqrt();
        for i in 0..size {
            self.sigma_path[i] =
                (1.0 - c_sigma) * self.sigma_path[i] + decay * dot(&self.axes[i], &along);
        }
        let length = dot(&self.sigma_path, &self.sigma_path).sqrt();
        let spent = 1.0 - (1.0 - c_sigma).powf(2.0 * (self.generation as f64 + 1.0));
        let is_short = length / spent.sqrt() < (1.4 + 2.0 / (n + 1.0)) * expected;
        let h = f64::from(u8::from(is_short));
        let decay = h * (c_c * (2.0 - c_c) * mu_eff).sqrt();
        for (path, step) in self.path.iter_mut().zip(&step) {
            *path = (1.0 - c_c) * *path + decay * step;
        }
        let keep = 1.0 - c_1 - c_mu + c_1 * (1.0 - h) * c_c * (2.0 - c_c);
        for i in 0..size {
            for j in 0..size {
                let spread: f64 = steps
                    .iter()
                    .zip(&weights)
                    .map(|(step, weight)| weight * step[i] * step[j])
                    .sum();
                self.covariance[i][j] = keep * self.covariance[i][j]
                    + c_1 * self.path[i] * self.path[j]
                    + c_mu * spread;
            }
        }
        self.sigma *= ((c_sigma / d_sigma) * (length / expected - 1.0)).exp();
        // Below what numbers can tell apart, or beyond the cube, there is nothing to find.
        self.sigma = self.sigma.clamp(1e-12, 1.0);
        let (values, axes) = eigen(&self.covariance);
        self.lengths = values.iter().map(|value| value.max(1e-20).sqrt()).collect();
        self.axes = axes;
        self.generation += 1;
    }
}

impl Sampler for CmaEsSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        if self.population.is_some_and(|population| population < 4)
            || !(self.sigma > 0.0 && self.sigma <= 1.0)
        {
            return Err(SearchError::Setting(
                "cma-es needs a population of at least 4 and sigma above 0 and at most 1"
                    .to_owned(),
            ));
        }
        if request.objectives() > 1 {
            return Err(SearchError::Setting(
                "cma-es has one objective; nsga2 and tpe have several".to_owned(),
            ));
        }
        let parameters = request.space().parameters();
        let numeric: Vec<usize> = (0..parameters.len())
            .filter(|place| {
                !matches!(
                    *parameters[*place].distribution,
                    Distribution::Categorical { .. }
                )
            })
            .collect();
        if numeric.is_empty() {
            return Ok(None);
        }
        let natural = 4 + (3.0 * (numeric.len() as f64).ln()).floor() as usize;
        let population = self.population.unwrap_or(natural);
        let evolved = self.evolve(request, &numeric, population);
        let mut notes = serde_json::Map::new();
        notes.insert(GENERATION.to_owned(), json!(evolved.generation));
        for attempt in 0..100 {
            let mut stream = request.stream(&[0x43, attempt]);
            let draws: Vec<f64> = evolved
                .lengths
                .iter()
                .map(|length| length * stream.normal())
                .collect();
            let place: Vec<f64> = evolved
                .axes
                .iter()
                .zip(&evolved.mean)
                .map(|(row, mean)| mean + evolved.sigma * dot(row, &draws))
                .collect();
            let is_inside = place.iter().all(|x| (0.0..=1.0).contains(x));
            if !is_inside && attempt < 50 {
                continue;
            }
            let mut units: Vec<f64> = parameters.iter().map(|_| stream.uniform()).collect();
            for (parameter, x) in numeric.iter().zip(place) {
                units[*parameter] = x.clamp(0.0, 1.0);
            }
            let point = request.space().point_of_units(units.into_iter())?;
            if request.accepts(&point) {
                return Ok(Some(Proposal { point, notes }));
            }
        }
        Ok(None)
    }
}

impl CmaEsSampler {
    /// The distribution for the next trial, from all generations that are full.
    fn evolve(
        &mut self,
        request: &Request<'_>,
        numeric: &[usize],
        population: usize,
    ) -> &Evolution {
        let start = self.evolved.take();
        let mut evolved = start.unwrap_or_else(|| Evolution::new(numeric.len(), self.sigma));
        loop {
            let finished: Vec<(TrialState, &Observation)> = request
                .observations()
                .filter(|(state, trial)| {
                    state.is_finished() && trial.generation == Some(evolved.generation)
                })
                .take(population)
                .collect();
            if finished.len() < population {
                break;
            }
            let mut ranked: Vec<((u8, f64), Vec<f64>)> = finished
                .into_iter()
                .map(|(state, trial)| {
                    let place = numeric
                        .iter()
                        .enumerate()
                        .map(|(dimension, parameter)| {
                            let distribution =
                                &request.space().parameters()[*parameter].distribution;
                            // What is not active pulls nowhere.
                            trial.point[*parameter].map_or(evolved.mean[dimension], |value| {
                                distribution.unit_of(value)
                            })
                        })
                        .collect();
                    (worth(state, trial), place)
                })
                .collect();
            ranked.sort_by(|a, b| a.0.0.cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)));
            let points: Vec<Vec<f64>> = ranked.into_iter().map(|(_, place)| place).collect();
            evolved.update(&points);
        }
        self.evolved.insert(evolved)
    }
}

/// The rank of a trial: complete ones first, then pruned, infeasible and failed ones.
fn worth(state: TrialState, trial: &Observation) -> (u8, f64) {
    match (state, trial.losses.first()) {
        (TrialState::Complete, Some(loss)) if trial.violation <= 0.0 => (0, *loss),
        (TrialState::Complete, _) => (2, trial.violation),
        (TrialState::Pruned, _) => (1, trial.report.map_or(f64::INFINITY, |(_, loss)| loss)),
        _ => (3, 0.0),
    }
}
