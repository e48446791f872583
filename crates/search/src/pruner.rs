//! When a trial is not worth going on with. A pruner is a function of the reports of all trials; it keeps nothing.

mod halving;
mod patient;
mod percentile;

use serde::Deserialize;

pub use self::halving::{HalvingPruner, HyperbandPruner};
pub use self::patient::{PatientPruner, ThresholdPruner};
pub use self::percentile::PercentilePruner;
use crate::error::{Result, SearchError, nearest};
use crate::trial::{Trial, TrialState};

/// Reports of a study, for a pruner; values are losses, for which less is better.
pub struct Reports<'a> {
    pub(crate) trials: &'a [Trial],
    /// Results of trials from this number on are not to be looked at.
    pub(crate) horizon: usize,
    pub(crate) direction: crate::trial::Direction,
    pub(crate) study: &'a str,
}

impl Reports<'_> {
    /// The name of the study.
    #[must_use]
    pub fn study(&self) -> &str {
        self.study
    }

    /// The reports of a trial as losses, by ascending step.
    pub fn losses<'a>(
        &self,
        trial: &'a Trial,
    ) -> impl DoubleEndedIterator<Item = (i64, f64)> + Clone + use<'a> {
        let direction = self.direction;
        trial
            .intermediate
            .iter()
            .map(move |(step, value)| (*step, direction.turned(*value)))
    }

    /// All trials but `trial` that may be looked at.
    pub fn others<'a>(&'a self, trial: &'a Trial) -> impl Iterator<Item = &'a Trial> + Clone {
        self.trials
            .iter()
            .take(self.horizon)
            .filter(|other| other.number != trial.number)
    }

    /// Those of [`Self::others`] that are complete.
    pub fn complete<'a>(&'a self, trial: &'a Trial) -> impl Iterator<Item = &'a Trial> + Clone {
        self.others(trial)
            .filter(|other| other.state == TrialState::Complete)
    }
}

/// Decides whether a trial ends early.
pub trait Pruner: Send {
    /// Whether `trial`, after its last report, shall end.
    fn prunes(&self, reports: &Reports<'_>, trial: &Trial) -> bool;
}

/// Lets every trial run to its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPruner;

impl Pruner for NoPruner {
    fn prunes(&self, _: &Reports<'_>, _: &Trial) -> bool {
        false
    }
}

/// Whether the last report of a trial is the first in its interval of steps, after the warm-up.
fn is_due(trial: &Trial, warmup_steps: i64, interval_steps: i64) -> bool {
    let mut steps = trial.intermediate.iter().rev().map(|(step, _)| *step);
    let Some(step) = steps.next() else {
        return false;
    };
    let since_warmup = step - warmup_steps;
    let begin = since_warmup.div_euclid(interval_steps) * interval_steps + warmup_steps;
    since_warmup >= 0 && steps.next().is_none_or(|before| before < begin)
}

fn check_interval(warmup_steps: i64, interval_steps: i64) -> Result<()> {
    if warmup_steps < 0 || interval_steps < 1 {
        return Err(SearchError::Setting(format!(
            "warmup_steps must be at least 0 and interval_steps at least 1, not {warmup_steps} and {interval_steps}"
        )));
    }
    Ok(())
}

/// A pruner, as settings name it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PrunerConfig {
    /// Nothing is pruned.
    #[default]
    None,
    /// The median rule; the percentile is 50.
    Median(PercentilePruner),
    /// The percentile rule; without a setting 25.
    Percentile(PercentilePruner),
    /// Successive halving without waiting.
    #[serde(alias = "asha", alias = "successive-halving")]
    Halving(HalvingPruner),
    /// Hyperband.
    Hyperband(HyperbandPruner),
    /// Bounds.
    Threshold(ThresholdPruner),
    /// Another pruner, for trials that stopped to improve.
    Patient(PatientConfig),
}

/// Settings of a [`PatientPruner`].
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PatientConfig {
    /// Reports without improvement that are borne.
    pub patience: usize,
    /// A loss that is worse by no more than this still counts as improvement.
    #[serde(default)]
    pub min_delta: f64,
    /// Who decides then; nobody ends the trial at once.
    #[serde(default)]
    pub wrapped: Box<PrunerConfig>,
}

const NAMES: [&str; 7] = [
    "none",
    "median",
    "percentile",
    "halving",
    "hyperband",
    "threshold",
    "patient",
];

impl PrunerConfig {
    /// The pruner of a name with its default settings; `asha` and `successive-halving` are names of `halving`.
    ///
    /// # Errors
    /// A name that is none of the known, or one of a pruner that has no default.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "none" => Self::None,
            "median" => Self::Median(PercentilePruner::default()),
            "percentile" => Self::Percentile(PercentilePruner {
                percentile: 25.0,
                ..PercentilePruner::default()
            }),
            "halving" | "asha" | "successive-halving" => Self::Halving(HalvingPruner::default()),
            "hyperband" => Self::Hyperband(HyperbandPruner::default()),
            "patient" => Self::Patient(PatientConfig {
                patience: 10,
                min_delta: 0.0,
                wrapped: Box::default(),
            }),
            "threshold" => {
                return Err(SearchError::Setting(
                    "the pruner threshold needs a table with lower, upper or both".to_owned(),
                ));
            }
            _ => {
                return Err(SearchError::Setting(format!(
                    "no pruner is called `{name}`; {}",
                    nearest(name, NAMES)
                )));
            }
        })
    }

    /// The pruner.
    ///
    /// # Errors
    /// Settings out of their range.
    pub fn build(&self) -> Result<Box<dyn Pruner>> {
        Ok(match self {
            Self::None => Box::new(NoPruner),
            Self::Median(pruner) => {
                let pruner = PercentilePruner {
                    percentile: 50.0,
                    ..*pruner
                };
                pruner.check()?;
                Box::new(pruner)
            }
            Self::Percentile(pruner) => {
                pruner.check()?;
                Box::new(*pruner)
            }
            Self::Halving(pruner) => {
                pruner.check()?;
                Box::new(*pruner)
            }
            Self::Hyperband(pruner) => {
                pruner.check()?;
                Box::new(*pruner)
            }
            Self::Threshold(pruner) => {
                pruner.check()?;
                Box::new(*pruner)
            }
            Self::Patient(config) => {
                if config.min_delta.is_nan() || config.min_delta < 0.0 {
                    return Err(SearchError::Setting(
                        "min_delta must be at least 0".to_owned(),
                    ));
                }
                let wrapped = match *config.wrapped {
                    Self::None => None,
                    ref wrapped => Some(wrapped.build()?),
                };
                Box::new(PatientPruner {
                    wrapped,
                    patience: config.patience,
                    min_delta: config.min_delta,
                })
            }
        })
    }
}
