//! One line of a journal: an operation, and who did it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::macros::format_description;

use super::super::python_json::{self, float, number};
use super::super::{Change, NewTrial, State};
use crate::trial::{Direction, TrialParameter, TrialState};

/// Operations, by Optuna's numbers.
mod code {
    pub(super) const CREATE_STUDY: i64 = 0;
    pub(super) const DELETE_STUDY: i64 = 1;
    pub(super) const SET_STUDY_USER_ATTR: i64 = 2;
    pub(super) const SET_STUDY_SYSTEM_ATTR: i64 = 3;
    pub(super) const CREATE_TRIAL: i64 = 4;
    pub(super) const SET_TRIAL_PARAM: i64 = 5;
    pub(super) const SET_TRIAL_STATE_VALUES: i64 = 6;
    pub(super) const SET_TRIAL_INTERMEDIATE_VALUE: i64 = 7;
    pub(super) const SET_TRIAL_USER_ATTR: i64 = 8;
    pub(super) const SET_TRIAL_SYSTEM_ATTR: i64 = 9;
    pub(super) const DISCARD_TRIALS: i64 = 10;
}

/// Appends the line of `change`.
pub(super) fn write(change: &Change, worker: &str, lines: &mut Vec<u8>) {
    let (code, fields) = fields(change);
    let mut record = Map::new();
    record.insert("op_code".to_owned(), json!(code));
    record.insert("worker_id".to_owned(), json!(worker));
    if let Value::Object(fields) = fields {
        record.extend(fields);
    }
    lines.extend_from_slice(python_json::write(&Value::Object(record)).as_bytes());
    lines.push(b'\n');
}

/// The operation of a line and who did it; nothing for an operation that changes nothing here.
pub(super) fn read(line: &[u8], state: &mut State) -> Result<Option<(Change, String)>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let record = python_json::read(text).map_err(|error| format!("is not JSON: {error}"))?;
    let worker = record["worker_id"].as_str().unwrap_or_default().to_owned();
    Ok(change(&record, state)?.map(|change| (change, worker)))
}

fn moment(at: OffsetDateTime) -> String {
    // Python reads `+00:00`, and always six digits of the second.
    let format = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]+00:00"
    );
    at.to_offset(time::UtcOffset::UTC)
        .format(format)
        .unwrap_or_default()
}

fn read_moment(value: &Value) -> Option<OffsetDateTime> {
    let text = value.as_str()?;
    OffsetDateTime::parse(text, &Iso8601::DEFAULT)
        .ok()
        .or_else(|| {
            // Older versions write the time of the place, without saying which.
            OffsetDateTime::parse(&format!("{text}Z"), &Iso8601::DEFAULT).ok()
        })
}

fn fields(change: &Change) -> (i64, Value) {
    let floats = |values: &[f64]| values.iter().copied().map(float).collect::<Vec<_>>();
    match change {
        Change::CreateStudy { name, directions } => (
            code::CREATE_STUDY,
            json!({
                "study_name": name,
                "directions": directions.iter().map(|d| d.code()).collect::<Vec<_>>(),
            }),
        ),
        Change::DeleteStudy { study } => (code::DELETE_STUDY, json!({ "study_id": study })),
        Change::SetStudyUserAttribute { study, key, value } => (
            code::SET_STUDY_USER_ATTR,
            json!({"study_id": study, "user_attr": {key: value}}),
        ),
        Change::SetStudySystemAttribute { study, key, value } => (
            code::SET_STUDY_SYSTEM_ATTR,
            json!({"study_id": study, "system_attr": {key: value}}),
        ),
        Change::CreateTrial { study, trial } => {
            let by_name = |value: &dyn Fn(&TrialParameter) -> Value| {
                let pairs = trial
                    .parameters
                    .iter()
                    .map(|p| (p.name.to_string(), value(p)));
                pairs.collect::<Map<_, _>>()
            };
            let one = if trial.values.len() == 1 {
                float(trial.values[0])
            } else {
                Value::Null
            };
            let several = if trial.values.len() > 1 {
                json!(floats(&trial.values))
            } else {
                Value::Null
            };
            let steps = trial
                .intermediate
                .iter()
                .map(|(step, value)| (step.to_string(), float(*value)));
            let mut fields = json!({
                "study_id": study,
                "datetime_start": trial.started.map(moment),
                "state": trial.state.code(),
                "value": one,
                "values": several,
                "distributions": by_name(&|p| json!(p.distribution.to_json())),
                "params": by_name(&|p| float(p.internal)),
                "user_attrs": trial.user_attributes,
                "system_attrs": trial.system_attributes,
                "intermediate_values": steps.collect::<Map<_, _>>(),
            });
            if let Some(finished) = trial.finished {
                fields["datetime_complete"] = json!(moment(finished));
            }
            (code::CREATE_TRIAL, fields)
        }
        Change::SetParameter { trial, parameter } => (
            code::SET_TRIAL_PARAM,
            json!({
                "trial_id": trial,
                "param_name": &*parameter.name,
                "param_value_internal": float(parameter.internal),
                "distribution": parameter.distribution.to_json(),
            }),
        ),
        Change::SetState {
            trial,
            state,
            values,
            at,
        } => {
            let when = if state.is_finished() {
                "datetime_complete"
            } else {
                "datetime_start"
            };
            let values = values.as_deref().map(floats);
            let mut fields = json!({"trial_id": trial, "state": state.code(), "values": values});
            fields[when] = json!(moment(*at));
            (code::SET_TRIAL_STATE_VALUES, fields)
        }
        Change::Report { trial, step, value } => (
            code::SET_TRIAL_INTERMEDIATE_VALUE,
            json!({"trial_id": trial, "step": step, "intermediate_value": float(*value)}),
        ),
        Change::SetUserAttribute { trial, key, value } => (
            code::SET_TRIAL_USER_ATTR,
            json!({"trial_id": trial, "user_attr": {key: value}}),
        ),
        Change::SetSystemAttribute { trial, key, value } => (
            code::SET_TRIAL_SYSTEM_ATTR,
            json!({"trial_id": trial, "system_attr": {key: value}}),
        ),
    }
}

fn change(record: &Value, state: &mut State) -> Result<Option<Change>, String> {
    let whole = |key: &str| {
        record[key]
            .as_i64()
            .ok_or_else(|| format!("`{key}` is not a whole number"))
    };
    let note = |key: &str| {
        let pair = record[key].as_object().and_then(|map| map.iter().next());
        pair.map(|(key, value)| (key.clone(), value.clone()))
            .ok_or_else(|| format!("`{key}` is not a note"))
    };
    let text = |key: &str| {
        record[key]
            .as_str()
            .ok_or_else(|| format!("`{key}` is not a text"))
    };
    let now = || OffsetDateTime::UNIX_EPOCH;
    Ok(Some(match whole("op_code")? {
        code::CREATE_STUDY => Change::CreateStudy {
            name: text("study_name")?.to_owned(),
            directions: record["directions"]
                .as_array()
                .ok_or("`directions` is not a list")?
                .iter()
                .map(|code| Direction::of_code(code.as_i64().unwrap_or_default()))
                .collect(),
        },
        code::DELETE_STUDY => Change::DeleteStudy {
            study: whole("study_id")?,
        },
        code::SET_STUDY_USER_ATTR => {
            let (key, value) = note("user_attr")?;
            Change::SetStudyUserAttribute {
                study: whole("study_id")?,
                key,
                value,
            }
        }
        code::SET_STUDY_SYSTEM_ATTR => {
            let (key, value) = note("system_attr")?;
            Change::SetStudySystemAttribute {
                study: whole("study_id")?,
                key,
                value,
            }
        }
        code::CREATE_TRIAL => Change::CreateTrial {
            study: whole("study_id")?,
            trial: Box::new(trial(record, state)?),
        },
        code::SET_TRIAL_PARAM => Change::SetParameter {
            trial: whole("trial_id")?,
            parameter: parameter(
                text("param_name")?,
                &record["param_value_internal"],
                text("distribution")?,
                state,
            )?,
        },
        code::SET_TRIAL_STATE_VALUES => {
            let reached = trial_state(whole("state")?)?;
            let when = if reached.is_finished() {
                "datetime_complete"
            } else {
                "datetime_start"
            };
            Change::SetState {
                trial: whole("trial_id")?,
                state: reached,
                values: record["values"]
                    .as_array()
                    .map(|values| values.iter().filter_map(number).collect()),
                at: read_moment(&record[when]).unwrap_or_else(now),
            }
        }
        code::SET_TRIAL_INTERMEDIATE_VALUE => Change::Report {
            trial: whole("trial_id")?,
            step: whole("step")?,
            value: number(&record["intermediate_value"])
                .ok_or("`intermediate_value` is not a number")?,
        },
        code::SET_TRIAL_USER_ATTR => {
            let (key, value) = note("user_attr")?;
            Change::SetUserAttribute {
                trial: whole("trial_id")?,
                key,
                value,
            }
        }
        code::SET_TRIAL_SYSTEM_ATTR => {
            let (key, value) = note("system_attr")?;
            Change::SetSystemAttribute {
                trial: whole("trial_id")?,
                key,
                value,
            }
        }
        code::DISCARD_TRIALS => return Ok(None),
        other => return Err(format!("the operation {other} is unknown")),
    }))
}

fn trial_state(code: i64) -> Result<TrialState, String> {
    TrialState::of_code(code).ok_or_else(|| format!("the state {code} is unknown"))
}

fn trial(record: &Value, state: &mut State) -> Result<NewTrial, String> {
    let object = |key: &str| record[key].as_object().cloned().unwrap_or_default();
    let mut parameters = Vec::new();
    for (name, value) in &object("params") {
        let distribution = record["distributions"][name].as_str().unwrap_or_default();
        parameters.push(parameter(name, value, distribution, state)?);
    }
    let values = match record["values"].as_array() {
        Some(values) => values.iter().filter_map(number).collect(),
        None => number(&record["value"]).into_iter().collect(),
    };
    let mut intermediate: Vec<(i64, f64)> = object("intermediate_values")
        .iter()
        .filter_map(|(step, value)| Some((step.parse().ok()?, number(value)?)))
        .collect();
    intermediate.sort_by_key(|(step, _)| *step);
    Ok(NewTrial {
        state: trial_state(
            record["state"]
                .as_i64()
                .unwrap_or(TrialState::Running.code()),
        )?,
        values,
        parameters,
        intermediate,
        user_attributes: object("user_attrs"),
        system_attributes: object("system_attrs"),
        started: read_moment(&record["datetime_start"]),
        finished: read_moment(&record["datetime_complete"]),
    })
}

fn parameter(
    name: &str,
    value: &Value,
    distribution: &str,
    state: &mut State,
) -> Result<TrialParameter, String> {
    let name: Arc<str> = state.name(name);
    Ok(TrialParameter {
        distribution: state.distribution(distribution)?,
        internal: number(value).ok_or_else(|| format!("the value of {name} is not a number"))?,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_python_are_numbers_and_stay_text_in_text() {
        let line = br#"{"op_code":7,"worker_id":"a NaN \" Infinity","trial_id":0,"step":3,"intermediate_value":-Infinity}"#;
        let (change, worker) = read(line, &mut State::default()).unwrap().unwrap();
        assert_eq!(worker, "a NaN \" Infinity");
        assert_eq!(
            change,
            Change::Report {
                trial: 0,
                step: 3,
                value: f64::NEG_INFINITY
            }
        );
        let mut written = Vec::new();
        write(&change, &worker, &mut written);
        assert_eq!(&written[..line.len()], line);
    }
}
