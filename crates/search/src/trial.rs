//! The record of one trial, as every storage keeps it.

use std::sync::Arc;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::distribution::Distribution;

/// Where a trial stands. The numbers are Optuna's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrialState {
    /// Someone works on it.
    Running,
    /// It ended with a value for every objective.
    Complete,
    /// It was stopped early, because others do better.
    Pruned,
    /// It ended without values.
    Failed,
    /// It is to be run as it is, before new ones are made up.
    Waiting,
}

impl TrialState {
    const ALL: [Self; 5] = [
        Self::Running,
        Self::Complete,
        Self::Pruned,
        Self::Failed,
        Self::Waiting,
    ];

    pub(crate) fn code(self) -> i64 {
        Self::ALL
            .iter()
            .position(|state| *state == self)
            .unwrap_or_default() as i64
    }

    pub(crate) fn of_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }

    /// Whether nothing about the trial can change any more.
    #[must_use]
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }

    /// A word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }
}

/// A parameter of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialParameter {
    /// Its name.
    pub name: Arc<str>,
    /// The values that it could have.
    pub distribution: Arc<Distribution>,
    /// The one that it has, as it is stored; see [`Distribution::external`].
    pub internal: f64,
}

/// One trial of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What the storage calls it, unique among all its studies.
    pub id: i64,
    /// Its place in the study, from 0 on.
    pub number: usize,
    /// Where it stands.
    pub state: TrialState,
    /// One value for every objective, when it is complete.
    pub values: Vec<f64>,
    /// Its parameters; those that are not active are absent.
    pub parameters: Vec<TrialParameter>,
    /// Values reported on the way, by ascending step.
    pub intermediate: Vec<(i64, f64)>,
    /// What people and objectives noted. `failure` says why a trial failed.
    pub user_attributes: Map<String, Value>,
    /// What samplers and this crate noted.
    pub system_attributes: Map<String, Value>,
    /// When it began.
    pub started: Option<OffsetDateTime>,
    /// When it ended.
    pub finished: Option<OffsetDateTime>,
    /// Who works on it.
    pub worker: Option<Arc<str>>,
}

/// The note that says why a trial failed.
pub(crate) const FAILURE: &str = "failure";

impl Trial {
    /// The value of a parameter.
    #[must_use]
    pub fn value_of(&self, name: &str) -> Option<Value> {
        let parameter = self
            .parameters
            .iter()
            .find(|parameter| &*parameter.name == name)?;
        Some(parameter.distribution.external(parameter.internal))
    }

    /// All values by name.
    #[must_use]
    pub fn params(&self) -> Map<String, Value> {
        self.parameters
            .iter()
            .map(|p| (p.name.to_string(), p.distribution.external(p.internal)))
            .collect()
    }

    /// The last value reported on the way, and its step.
    #[must_use]
    pub fn last_report(&self) -> Option<(i64, f64)> {
        self.intermediate.last().copied()
    }

    /// Why it failed, if it did and someone said so.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.user_attributes.get(FAILURE)?.as_str()
    }

    /// By how much it breaks the constraints that were measured in it, as Optuna's `constraints` has them; 0 if it breaks none.
    #[must_use]
    pub fn violation(&self) -> f64 {
        let excess = |value: &Value| value.as_f64().unwrap_or(0.0).max(0.0);
        let list = self
            .system_attributes
            .get("constraints")
            .and_then(Value::as_array);
        list.into_iter().flatten().map(excess).sum()
    }

    /// Enters a report at its place; a step that is there is overwritten.
    pub(crate) fn report(&mut self, step: i64, value: f64) {
        match self
            .intermediate
            .binary_search_by_key(&step, |(step, _)| *step)
        {
            Ok(place) => self.intermediate[place].1 = value,
            Err(place) => self.intermediate.insert(place, (step, value)),
        }
    }
}

/// Whether less or more is better. The numbers are Optuna's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    #[default]
    Minimize,
    /// More is better.
    Maximize,
}

impl Direction {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Minimize => 1,
            Self::Maximize => 2,
        }
    }

    pub(crate) fn of_code(code: i64) -> Self {
        if code == 2 {
            Self::Maximize
        } else {
            Self::Minimize
        }
    }

    /// `value`, turned so that less is better; turning twice gives it back.
    #[must_use]
    pub fn turned(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }
}
