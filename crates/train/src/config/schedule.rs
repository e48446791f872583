//! The `[schedule]` table: the learning rate over the run.

use serde::{Deserialize, Serialize};

use super::check;
use crate::TrainError;

/// Optimizer steps of warm-up in long runs that do not say how many they want.
const LONGEST_DEFAULT_WARMUP: u64 = 100;

/// Shape of the learning rate over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Half a cosine from the peak to the minimum.
    #[default]
    Cosine,
    /// A straight line from the peak to the minimum.
    Linear,
    /// The peak throughout.
    Constant,
    /// Down with the inverse root of the step: at twice the warm-up's steps 0.71 of the peak, at four times half of it (Vaswani et al. 2017).
    Noam,
    /// Warm-up, stable, decay: the peak until the last `decay_share` of the steps, then a straight line to the minimum.
    Wsd,
}

/// The `[schedule]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The shape after the warm-up. Default: `cosine`.
    pub kind: ScheduleKind,
    /// Optimizer steps of linear warm-up, at most `train.max_steps`. Default: a tenth of `train.max_steps`, at most 100.
    pub warmup_steps: Option<u64>,
    /// Learning rate at the end, of `cosine`, `linear` and `wsd`. Default: a tenth of `optimizer.learning_rate`.
    pub min_learning_rate: Option<f64>,
    /// Share of the steps in which `wsd` decays. Default: 0.2. Only with `kind = "wsd"`.
    pub decay_share: Option<f64>,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Cosine,
            warmup_steps: None,
            min_learning_rate: None,
            decay_share: None,
        }
    }
}

impl ScheduleConfig {
    /// Optimizer steps of warm-up in a run of `max_steps` steps.
    pub fn warmup(&self, max_steps: u64) -> u64 {
        self.warmup_steps
            .unwrap_or_else(|| LONGEST_DEFAULT_WARMUP.min(max_steps / 10))
    }

    /// Checks every number against its range and against the length and the peak of the run.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self, max_steps: u64, learning_rate: f64) -> Result<(), TrainError> {
        check(
            "schedule.warmup_steps",
            self.warmup(max_steps) as f64,
            "at most train.max_steps",
            self.warmup(max_steps) <= max_steps,
        )?;
        if let Some(v) = self.min_learning_rate {
            check(
                "schedule.min_learning_rate",
                v,
                "nothing when schedule.kind is \"constant\" or \"noam\"",
                !matches!(self.kind, ScheduleKind::Constant | ScheduleKind::Noam),
            )?;
            check(
                "schedule.min_learning_rate",
                v,
                "from 0 to optimizer.learning_rate",
                (0.0..=learning_rate).contains(&v),
            )?;
        }
        if let Some(v) = self.decay_share {
            check(
                "schedule.decay_share",
                v,
                "nothing unless schedule.kind is \"wsd\"",
                self.kind == ScheduleKind::Wsd,
            )?;
            check(
                "schedule.decay_share",
                v,
                "above 0, at most 1",
                v > 0.0 && v <= 1.0,
            )?;
        }
        Ok(())
    }
}
