//! Trials that wait: those that people queue, and those whose worker was lost.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::error::Result;
use crate::history::{RETRY_HISTORY, retries};
use crate::space::{Point, Space};
use crate::storage::{Change, NewTrial, StudyRecord};
use crate::trial::{FAILURE, Trial, TrialParameter, TrialState};

/// A note on a trial: values that it must have. Optuna's name.
pub(super) const FIXED: &str = "fixed_params";

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

pub(super) fn waiting_trial(
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
pub(super) fn retry(
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
