//! When a trial is not worth going on with. A pruner is a function of the reports of all trials; it keeps nothing.

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
    pub fn losses<'a>(&self, trial: &'a Trial) -> impl DoubleEndedIterator<Item = (i64, f64)> + Clone + use<'a> {
        let direction = self.direction;
        trial.intermediate.iter().map(move |(step, value)| (*step, direction.turned(*value)))
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
        self.others(trial).filter(|other| other.state == TrialState::Complete)
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

const NAMES: [&str; 1] = ["none"];

/// The pruner of a name, with its default settings.
///
/// # Errors
/// A name that is none of the known.
pub fn pruner_named(name: &str) -> Result<Box<dyn Pruner>> {
    Ok(match name {
        "none" => Box::new(NoPruner),
        _ => {
            return Err(SearchError::Setting(format!(
                "no pruner is called `{name}`; {}",
                nearest(name, NAMES)
            )));
        }
    })
}
