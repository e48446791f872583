//! Tree-structured Parzen estimators: new points are drawn where good trials are denser than the others.
//!
//! The best trials make one density, all others a second; of many points drawn from the first, the one with the largest ratio of the two is tried. The
//! densities are over all parameters at once, so that what goes together is found. Trials that run stand among the others, so that workers
//! keep away from each other (the constant liar), and so do failed ones.
//!
//! Sources: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; Falkner, Klein and Hutter 2018, "BOHB"; Watanabe 2023,
//! "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components"; for several objectives Ozaki et al. 2020, "Multiobjective TPE".

mod density;
mod split;

use serde::Deserialize;

use self::density::Density;
use super::{Proposal, Sampler, random_point};
use crate::error::Result;
use crate::history::Request;

/// A sampler by Parzen estimators.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TpeSampler {
    /// Trials at random before the first that is estimated.
    pub startup_trials: usize,
    /// Points that are drawn and compared for one trial.
    pub candidates: usize,
    /// Scale.
    #[serde(skip)]
    pub tune: Tune,
}

/// TUNE
#[derive(Clone, Debug, Default)]
pub struct Tune {
    pub gamma: f64,
    pub gamma_sqrt: bool,
    pub gamma_cap: usize,
    pub min_sigma: f64,
    pub sigma_scale: f64,
    pub mode: usize,
    pub prior: f64,
    pub above_mode: usize,
    pub sobol: bool,
    pub weight_mode: usize,
    pub mix: f64,
    pub floor_span: f64,
    pub fk: f64,
}

impl Default for TpeSampler {
    fn default() -> Self {
        Self {
            startup_trials: 10,
            candidates: 24,
            tune: Tune { gamma: 0.1, gamma_sqrt: false, gamma_cap: 25, min_sigma: 0.0, sigma_scale: 1.0, mode: 0, prior: 1.0, above_mode: 0, sobol: false, weight_mode: 0, mix: 0.0, floor_span: 1.0, fk: 0.0 },
        }
    }
}

impl Sampler for TpeSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        let finished = request.observations().filter(|(state, _)| split::counts(*state)).count();
        if finished < self.startup_trials {
            for attempt in 0..100 {
                let point = if self.tune.sobol { super::qmc::sobol_point(request, attempt as u32)? } else { random_point(request, attempt)? };
                if request.accepts(&point) {
                    return Ok(Some(Proposal { point, ..Proposal::default() }));
                }
            }
            return Ok(None);
        }
        let mut t = self.tune.clone();
        let mut st = request.stream(&[0x55]);
        if st.uniform() < t.mix { t.mode = 0; }
        t.min_sigma *= t.floor_span.powf(st.uniform());
        let t = &t;
        let n_good = if t.gamma_sqrt { (t.gamma * (finished as f64).sqrt()).ceil() } else { (t.gamma * finished as f64).ceil() } as usize;
        let (good, others) = split::split(request, n_good.min(t.gamma_cap));
        let good = Density::of(request.space(), &good, t, false);
        let others = Density::of(request.space(), &others, t, true);
        let mut stream = request.stream(&[0x54]);
        let mut best: Option<(f64, crate::space::Point)> = None;
        let mut drawn = 0;
        for _ in 0..self.candidates * 10 {
            let point = request.space().point_of_units(good.draw(&mut stream).into_iter())?;
            if !request.accepts(&point) {
                continue;
            }
            let score = good.log_density(&point) - others.log_density(&point);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, point));
            }
            drawn += 1;
            if drawn == self.candidates {
                break;
            }
        }
        Ok(best.map(|(_, point)| Proposal { point, ..Proposal::default() }))
    }
}
