//! Pruners that look at a trial alone: one that waits for progress, and one that knows what is out of bounds.

use serde::Deserialize;

use super::{Pruner, Reports, check_interval, is_due};
use crate::error::{Result, SearchError};
use crate::trial::Trial;

/// Lets another pruner decide only about trials that have stopped to improve.
pub struct PatientPruner {
    /// Who decides then; nobody ends the trial at once.
    pub wrapped: Option<Box<dyn Pruner>>,
    /// Reports without improvement that are borne.
    pub patience: usize,
    /// A loss that is worse by no more than this still counts as improvement.
    pub min_delta: f64,
}

impl Pruner for PatientPruner {
    fn prunes(&self, reports: &Reports<'_>, trial: &Trial) -> bool {
        let losses: Vec<f64> = reports.losses(trial).map(|(_, loss)| loss).collect();
        let Some(split) = losses
            .len()
            .checked_sub(self.patience + 1)
            .filter(|split| *split > 0)
        else {
            return false;
        };
        let best = |losses: &[f64]| losses.iter().copied().fold(f64::NAN, f64::min);
        best(&losses[..split]) + self.min_delta < best(&losses[split..])
            && self
                .wrapped
                .as_ref()
                .is_none_or(|pruner| pruner.prunes(reports, trial))
    }
}

/// Ends trials whose value is NaN or leaves an interval.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ThresholdPruner {
    /// Smallest value that is allowed.
    pub lower: Option<f64>,
    /// Largest value that is allowed.
    pub upper: Option<f64>,
    /// Steps before a trial can be pruned.
    #[serde(default)]
    pub warmup_steps: i64,
    /// Steps between two looks at a trial, at least 1.
    #[serde(default = "one")]
    pub interval_steps: i64,
}

fn one() -> i64 {
    1
}

impl ThresholdPruner {
    /// # Errors
    /// Settings out of their range.
    pub(super) fn check(&self) -> Result<()> {
        match (self.lower, self.upper) {
            (None, None) => {
                return Err(SearchError::Setting(
                    "threshold needs lower, upper or both".to_owned(),
                ));
            }
            (Some(lower), Some(upper)) if lower > upper => {
                return Err(SearchError::Setting(format!(
                    "lower {lower} is above upper {upper}"
                )));
            }
            _ => {}
        }
        check_interval(self.warmup_steps, self.interval_steps)
    }
}

impl Pruner for ThresholdPruner {
    fn prunes(&self, _: &Reports<'_>, trial: &Trial) -> bool {
        let Some((_, value)) = trial.last_report() else {
            return false;
        };
        is_due(trial, self.warmup_steps, self.interval_steps)
            && (value.is_nan()
                || self.lower.is_some_and(|lower| value < lower)
                || self.upper.is_some_and(|upper| value > upper))
    }
}
