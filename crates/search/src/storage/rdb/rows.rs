//! Reads a study out of the tables.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::any::AnyRow;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::super::python_json;
use super::super::state::{State, StudyRecord};
use super::WORKER;
use super::database::{Answer, Bind, Database, Fault};
use super::schema::STATES;
use crate::trial::{Direction, Trial, TrialParameter, TrialState};

/// Brings `state` up to what the tables hold of the study `name`: its notes, its new trials, and those that had not ended.
pub(super) fn read(database: &mut Database, name: &str, state: &mut State) -> Answer<()> {
    let found = database.integer(
        "SELECT study_id FROM studies WHERE study_name = $1",
        &[Bind::Text(name)],
    )?;
    let Some(study) = found else {
        *state = State::default();
        return Ok(());
    };
    if state.study(study).is_none() {
        // Never read, or made anew under another id.
        *state = State::default();
    }
    state.put_study(StudyRecord {
        id: study,
        name: name.to_owned(),
        directions: directions(database, study)?,
        user_attributes: notes(database, "study_user_attributes", study)?,
        system_attributes: notes(database, "study_system_attributes", study)?,
        trials: Vec::new(),
    });
    let known = state.study(study).map_or(&[][..], |study| &study.trials);
    let open: Vec<String> = known
        .iter()
        .filter(|trial| !trial.state.is_finished())
        .map(|trial| trial.id.to_string())
        .collect();
    // Ids rise within a study, as trials are made under its lock.
    let newest = known.last().map_or(-1, |trial| trial.id);
    let mut new = format!("trial_id > {newest}");
    if !open.is_empty() {
        new += &format!(" OR trial_id IN ({})", open.join(", "));
    }
    for trial in trials(database, study, &new, state)? {
        let number = trial.number;
        if !state.put_trial(study, trial) {
            let error = database.error(format!(
                "the study `{name}` has no trials before trial {number}"
            ));
            return Err(error.into());
        }
    }
    Ok(())
}

fn directions(database: &mut Database, study: i64) -> Answer<Vec<Direction>> {
    let rows = database.rows(
        &format!("SELECT CAST(direction AS TEXT) FROM study_directions WHERE study_id = {study} ORDER BY objective"),
        &[],
    )?;
    rows.iter()
        .map(|row| {
            Ok(match row.try_get::<String, _>(0)?.as_str() {
                "MAXIMIZE" => Direction::Maximize,
                _ => Direction::Minimize,
            })
        })
        .collect()
}

fn notes(database: &mut Database, table: &str, study: i64) -> Answer<Map<String, Value>> {
    let rows = database.rows(
        &format!("SELECT key, value_json FROM {table} WHERE study_id = {study}"),
        &[],
    )?;
    rows.iter().map(|row| note(database, row, 0)).collect()
}

/// The note whose key is in column `from` and whose value is in the one after it.
fn note(database: &Database, row: &AnyRow, from: usize) -> Answer<(String, Value)> {
    let key: String = row.try_get(from)?;
    let text: String = row.try_get(from + 1)?;
    let value = python_json::read(&text)
        .map_err(|error| damaged(database, &format!("the note `{key}`: {error}")))?;
    Ok((key, value))
}

/// The trials of a study that `new` chooses, by number.
fn trials(database: &mut Database, study: i64, new: &str, state: &mut State) -> Answer<Vec<Trial>> {
    let chosen = format!("study_id = {study} AND ({new})");
    let rows = database.rows(
        &format!("SELECT trial_id, number, CAST(state AS TEXT), CAST(datetime_start AS TEXT), CAST(datetime_complete AS TEXT) FROM trials WHERE {chosen} ORDER BY number"),
        &[],
    )?;
    let mut trials = Vec::with_capacity(rows.len());
    let mut places = FxHashMap::default();
    for row in &rows {
        let trial = trial(database, row)?;
        places.insert(trial.id, trials.len());
        trials.push(trial);
    }
    if trials.is_empty() {
        return Ok(trials);
    }
    let chosen = format!("trial_id IN (SELECT trial_id FROM trials WHERE {chosen})");
    // Trials that have come since the first question are for the next time.
    let mut each = |database: &mut Database,
                    columns: &str,
                    table: &str,
                    order: &str,
                    enter: &mut dyn FnMut(&Database, &mut Trial, &AnyRow) -> Answer<()>|
     -> Answer<()> {
        let sql =
            format!("SELECT trial_id, {columns} FROM {table} WHERE {chosen} ORDER BY {order}");
        for row in &database.rows(&sql, &[])? {
            if let Some(place) = places.get(&row.try_get::<i64, _>(0)?) {
                enter(database, &mut trials[*place], row)?;
            }
        }
        Ok(())
    };
    each(
        database,
        "param_name, param_value, distribution_json",
        "trial_params",
        "param_id",
        &mut |database, trial, row| {
            trial.parameters.push(parameter(database, row, state)?);
            Ok(())
        },
    )?;
    each(
        database,
        "value, CAST(value_type AS TEXT)",
        "trial_values",
        "objective",
        &mut |_, trial, row| {
            trial.values.push(number(row, 1)?);
            Ok(())
        },
    )?;
    each(
        database,
        "intermediate_value, CAST(intermediate_value_type AS TEXT), step",
        "trial_intermediate_values",
        "step",
        &mut |_, trial, row| {
            trial.intermediate.push((row.try_get(3)?, number(row, 1)?));
            Ok(())
        },
    )?;
    each(
        database,
        "key, value_json",
        "trial_user_attributes",
        "trial_user_attribute_id",
        &mut |database, trial, row| {
            let (key, value) = note(database, row, 1)?;
            trial.user_attributes.insert(key, value);
            Ok(())
        },
    )?;
    each(
        database,
        "key, value_json",
        "trial_system_attributes",
        "trial_system_attribute_id",
        &mut |database, trial, row| {
            let (key, value) = note(database, row, 1)?;
            match value.as_str() {
                Some(worker) if key == WORKER => trial.worker = Some(Arc::from(worker)),
                _ => {
                    trial.system_attributes.insert(key, value);
                }
            }
            Ok(())
        },
    )?;
    Ok(trials)
}

/// A trial without its parts.
fn trial(database: &Database, row: &AnyRow) -> Answer<Trial> {
    let word: String = row.try_get(2)?;
    let state = STATES
        .iter()
        .position(|state| *state == word)
        .and_then(|code| TrialState::of_code(code as i64))
        .ok_or_else(|| damaged(database, &format!("the state `{word}` is unknown")))?;
    let number: i64 = row.try_get(1)?;
    Ok(Trial {
        id: row.try_get(0)?,
        number: usize::try_from(number)
            .map_err(|_| damaged(database, &format!("a trial has the number {number}")))?,
        state,
        values: Vec::new(),
        parameters: Vec::new(),
        intermediate: Vec::new(),
        user_attributes: Map::new(),
        system_attributes: Map::new(),
        started: moment(row.try_get(3)?),
        finished: moment(row.try_get(4)?),
        worker: None,
    })
}

fn parameter(database: &Database, row: &AnyRow, state: &mut State) -> Answer<TrialParameter> {
    let name: String = row.try_get(1)?;
    let distribution: String = row.try_get(3)?;
    Ok(TrialParameter {
        distribution: state
            .distribution(&distribution)
            .map_err(|error| damaged(database, &format!("the parameter `{name}`: {error}")))?,
        internal: row.try_get(2)?,
        name: state.name(&name),
    })
}

/// The number in a column, and what stands for it in the next if it is not finite.
fn number(row: &AnyRow, column: usize) -> Answer<f64> {
    let kind: String = row.try_get(column + 1)?;
    Ok(match kind.as_str() {
        "INF_POS" => f64::INFINITY,
        "INF_NEG" => f64::NEG_INFINITY,
        "NAN" => f64::NAN,
        _ => row.try_get(column)?,
    })
}

/// A moment in UTC, as [`super::changes`] writes it.
fn moment(text: Option<String>) -> Option<OffsetDateTime> {
    let format = format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]"
    );
    let at = PrimitiveDateTime::parse(&text?, format).ok()?;
    Some(at.assume_utc())
}

fn damaged(database: &Database, message: &str) -> Fault {
    database
        .error(format!(
            "{message}; the tables are not as Optuna writes them"
        ))
        .into()
}
