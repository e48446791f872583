//! Trials that wait: those that people queue, and those whose worker was lost.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{Study, known_study, known_trial};
use crate::error::{Result, SearchError, nearest};
use crate::history::{RETRY_HISTORY, retries};
use crate::space::{Point, Space};
use crate::storage::{Change, NewTrial, StudyRecord};
use crate::trial::{FAILURE, Trial, TrialParameter, TrialState};

/// Which running trials [`Study::recover`] takes for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Those whose worker is known to have ended.
    DeadWorkers,
    /// All: whoever calls knows that nobody else works on the study.
    All,
}

/// A note on a trial: values that it must have. Optuna's name.
const FIXED: &str = "fixed_params";

impl Study {
    /// Puts a trial with these values in the queue; parameters that are not named are made up when it starts.
    ///
    /// # Errors
    /// A name or value that the space does not have.
    pub fn enqueue(&mut self, params: &Map<String, Value>) -> Result<()> {
        for (name, value) in params {
            let Some(place) = self.space.position(name) else {
                let known: Vec<&str> = self.space.parameters().iter().map(|p| &*p.name).collect();
                return Err(SearchError::parameter(
                    name,
                    format!("is not in the space; {}", nearest(name, known)),
                ));
            };
            if self.space.parameters()[place]
                .distribution
                .internal(value)
                .is_none()
            {
                return Err(SearchError::parameter(
                    name,
                    format!("{value} is not one of its values"),
                ));
            }
        }
        let mut notes = Map::new();
        notes.insert(FIXED.to_owned(), Value::Object(params.clone()));
        let study = self.id;
        self.storage.transaction(&mut |_| {
            let trial = waiting_trial(Vec::new(), Map::new(), notes.clone());
            Ok(vec![Change::CreateTrial {
                study,
                trial: Box::new(trial),
            }])
        })
    }

    /// Marks running trials as failed whose worker is gone, and queues them to be run again, with the same values. Gives their numbers.
    ///
    /// # Errors
    /// A storage that fails.
    pub fn recover(&mut self, which: Recovery) -> Result<Vec<usize>> {
        self.storage.sync()?;
        let study = known_study(self.storage.state(), self.id, &self.options.name)?;
        self.history.update(&self.space, study);
        // Looking at locks of workers takes time, so it is done before the study is locked.
        let running: Vec<_> = self
            .history
            .open
            .iter()
            .map(|number| &study.trials[*number])
            .filter(|trial| trial.state == TrialState::Running)
            .map(|trial| (trial.number, trial.worker.clone()))
            .collect();
        let mut is_lost = |worker: Option<&str>| match which {
            Recovery::All => true,
            Recovery::DeadWorkers => worker.is_some_and(|worker| self.storage.is_dead(worker)),
        };
        let lost: Vec<usize> = running
            .into_iter()
            .filter(|(_, worker)| is_lost(worker.as_deref()))
            .map(|(number, _)| number)
            .collect();
        if lost.is_empty() {
            return Ok(lost);
        }
        let (id, name, max_retries) = (self.id, &self.options.name, self.options.max_retries);
        let mut recovered = Vec::new();
        self.storage.transaction(&mut |state| {
            let study = known_study(state, id, name)?;
            let now = OffsetDateTime::now_utc();
            let mut changes = Vec::new();
            recovered.clear();
            for number in &lost {
                let trial = known_trial(study, *number)?;
                if trial.state == TrialState::Running {
                    changes.extend(retry(study, trial, max_retries, now));
                    recovered.push(*number);
                }
            }
            Ok(changes)
        })?;
        Ok(recovered)
    }
}

pub(super) fn parameters_of(space: &Space, point: &Point) -> Vec<TrialParameter> {
    let pairs = space.parameters().iter().zip(point);
    pairs
        .filter_map(|(parameter, value)| {
            Some(TrialParameter {
                name: parameter.name.clone(),
                distribution: parameter.distribution.clone(),
                internal: (*value)?,
            })
        })
        .collect()
}

/// Starts a trial from the queue: with the parameters that it has, those that are fixed, and the rest from `point`.
pub(super) fn start_waiting(
    trial: &Trial,
    space: &Space,
    point: &Point,
    now: OffsetDateTime,
) -> Result<(Map<String, Value>, Vec<Change>)> {
    let fixed = trial
        .system_attributes
        .get(FIXED)
        .and_then(Value::as_object);
    let mut whole: Point = Vec::new();
    for (place, parameter) in space.parameters().iter().enumerate() {
        let name = &*parameter.name;
        let known = trial.value_of(name).or_else(|| fixed?.get(name).cloned());
        let wanted = known.and_then(|value| parameter.distribution.internal(&value));
        // What is active with the fixed values may have no value in `point`.
        whole.push(
            wanted
                .or(point[place])
                .or(Some(parameter.distribution.at_unit(0.5))),
        );
    }
    space.prune_inactive(&mut whole)?;
    let mut changes = vec![Change::SetState {
        trial: trial.id,
        state: TrialState::Running,
        values: None,
        at: now,
    }];
    let new = parameters_of(space, &whole).into_iter();
    changes.extend(
        new.filter(|parameter| trial.value_of(&parameter.name).is_none())
            .map(|parameter| Change::SetParameter {
                trial: trial.id,
                parameter,
            }),
    );
    Ok((space.values(&whole), changes))
}

fn waiting_trial(
    parameters: Vec<TrialParameter>,
    user_attributes: Map<String, Value>,
    system_attributes: Map<String, Value>,
) -> NewTrial {
    NewTrial {
        state: TrialState::Waiting,
        values: Vec::new(),
        parameters,
        intermediate: Vec::new(),
        user_attributes,
        system_attributes,
        started: None,
        finished: None,
    }
}

/// Ends a lost trial and queues it again, with Optuna's notes of that.
fn retry(
    study: &StudyRecord,
    trial: &Trial,
    max_retries: usize,
    now: OffsetDateTime,
) -> Vec<Change> {
    let before: Vec<usize> = retries(trial).collect();
    let queued = study
        .trials
        .iter()
        .any(|other| retries(other).any(|number| number == trial.number));
    let mut changes = Vec::new();
    // Queued first: if only this gets written, the trial is found again and not queued twice.
    if before.len() < max_retries && !queued {
        let mut notes = trial.system_attributes.clone();
        notes.entry("failed_trial").or_insert(json!(trial.number));
        let all: Vec<usize> = before.iter().copied().chain([trial.number]).collect();
        notes.insert(RETRY_HISTORY.to_owned(), json!(all));
        let again = waiting_trial(
            trial.parameters.clone(),
            trial.user_attributes.clone(),
            notes,
        );
        changes.push(Change::CreateTrial {
            study: study.id,
            trial: Box::new(again),
        });
    }
    changes.push(Change::SetUserAttribute {
        trial: trial.id,
        key: FAILURE.to_owned(),
        value: json!("its worker ended"),
    });
    changes.push(Change::SetState {
        trial: trial.id,
        state: TrialState::Failed,
        values: None,
        at: now,
    });
    changes
}
