//! Ends what is worse, at the same step, than most of the trials that were completed: the median rule, and its like for other shares.
//!
//! Source: Golovin et al. 2017, "Google Vizier"; the details, such as the best report so far against the others' report at the step, are Optuna's.

use serde::Deserialize;

use super::{Pruner, Reports, is_due};
use crate::error::{Result, SearchError};
use crate::trial::Trial;

/// Ends a trial whose best loss so far is above a percentile of the losses at this step.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PercentilePruner {
    /// The share that goes on, in percent, from 0 to 100. 50 is the median.
    pub percentile: f64,
    /// Complete trials before the first is pruned.
    pub startup_trials: usize,
    /// Steps before a trial can be pruned.
    pub warmup_steps: i64,
    /// Steps between two looks at a trial, at least 1.
    pub interval_steps: i64,
    /// Complete trials that must have reported at the step.
    pub min_trials: usize,
}

impl Default for PercentilePruner {
    fn default() -> Self {
        Self {
            percentile: 50.0,
            startup_trials: 5,
            warmup_steps: 0,
            interval_steps: 1,
            min_trials: 1,
        }
    }
}

impl PercentilePruner {
    /// # Errors
    /// Settings out of their range.
    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..=100.0).contains(&self.percentile) {
            return Err(SearchError::Setting(format!(
                "percentile must be from 0 to 100, not {}",
                self.percentile
            )));
        }
        if self.min_trials == 0 {
            return Err(SearchError::Setting(
                "min_trials must be at least 1".to_owned(),
            ));
        }
        super::check_interval(self.warmup_steps, self.interval_steps)
    }
}

impl Pruner for PercentilePruner {
    fn prunes(&self, reports: &Reports<'_>, trial: &Trial) -> bool {
        let complete = reports.complete(trial).count();
        if complete == 0 || complete < self.startup_trials {
            return false;
        }
        let Some((step, _)) = trial.last_report() else {
            return false;
        };
        if !is_due(trial, self.warmup_steps, self.interval_steps) {
            return false;
        }
        let best = reports
            .losses(trial)
            .map(|(_, loss)| loss)
            .fold(f64::NAN, f64::min);
        if best.is_nan() {
            return true;
        }
        let at_step = |other: &Trial| {
            reports
                .losses(other)
                .find(|(reported, _)| *reported == step)
                .map(|(_, loss)| loss)
        };
        let others: Vec<f64> = reports.complete(trial).filter_map(at_step).collect();
        others.len() >= self.min_trials
            && percentile(others, self.percentile).is_some_and(|limit| best > limit)
    }
}

/// The percentile by linear interpolation, values that are NaN left out.
fn percentile(mut values: Vec<f64>, percent: f64) -> Option<f64> {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let place = percent / 100.0 * (values.len().checked_sub(1)? as f64);
    let below = values[place.floor() as usize];
    let above = values[place.ceil() as usize];
    // Equal infinities have no difference.
    Some(if below == above {
        below
    } else {
        below + (above - below) * place.fract()
    })
}
