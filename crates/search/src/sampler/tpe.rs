//! Tree-structured Parzen estimators: new points are drawn where good trials are denser than the others.
//!
//! The best trials make one density, all others a second; of many points drawn from the first, the one with the largest ratio of the two is tried. The
//! densities are over all parameters at once, so that what goes together is found. Trials that run stand among the others, so that workers
//! keep away from each other (the constant liar), and so do failed ones. The first trials are scrambled Sobol points.
//!
//! Sources: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; Falkner, Klein and Hutter 2018, "BOHB"; Watanabe 2023,
//! "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components"; for several objectives Ozaki et al. 2020, "Multiobjective TPE".

mod density;
mod split;

use serde::Deserialize;

use self::density::{Density, Width};
use super::qmc::first_sobol_point;
use super::{Proposal, Sampler};
use crate::error::{Result, SearchError};
use crate::history::Request;
use crate::space::Point;

/// A sampler by Parzen estimators.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct TpeSampler {
    /// Sobol points before the first that is estimated. Default: 10.
    pub startup_trials: usize,
    /// Points that are drawn and compared for one trial, at least 1. Default: 24.
    pub candidates: usize,
    /// The part of the trials that is held for good, above 0 and below 1; never more than 25 trials. Default: 0.1.
    pub good: f64,
}

impl Default for TpeSampler {
    fn default() -> Self {
        Self {
            startup_trials: 10,
            candidates: 24,
            good: 0.1,
        }
    }
}

const MOST_GOOD: usize = 25;
/// Draws for every candidate, where many break constraints or have been tried.
const DRAWS: usize = 10;

impl Sampler for TpeSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        if self.candidates == 0 || !(self.good > 0.0 && self.good < 1.0) {
            return Err(SearchError::Setting(
                "tpe needs at least 1 candidate, and good above 0 and below 1".to_owned(),
            ));
        }
        let finished = request
            .observations()
            .filter(|(state, _)| split::counts(*state))
            .count();
        if finished < self.startup_trials.max(1) {
            return first_sobol_point(request);
        }
        let n_good = ((self.good * finished as f64).ceil() as usize).min(MOST_GOOD);
        let (good, others) = split::split(request, n_good);
        let good = Density::of(request.space(), &good, Width::Spread);
        let others = Density::of(request.space(), &others, Width::Neighbour);
        let mut stream = request.stream(&[0x54]);
        let mut best: Option<(f64, Point)> = None;
        let mut candidates = 0;
        for _ in 0..self.candidates * DRAWS {
            let point = request
                .space()
                .point_of_units(good.draw(&mut stream).into_iter())?;
            if !request.accepts(&point) {
                continue;
            }
            let score = good.log_density(&point) - others.log_density(&point);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, point));
            }
            candidates += 1;
            if candidates == self.candidates {
                break;
            }
        }
        Ok(best.map(|(_, point)| Proposal {
            point,
            ..Proposal::default()
        }))
    }
}
