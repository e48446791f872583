//! Writes the operations of a study into the tables.

use serde_json::{Map, Value};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::super::python_json;
use super::super::state::{Change, NewTrial};
use super::WORKER;
use super::database::{Answer, Bind, Database};
use super::schema::{STATES, parts_of};
use crate::trial::{Direction, TrialParameter, TrialState};

/// Carries out one operation of `worker`. A state that comes too late changes nothing; of anything else the caller, who holds the lock, has seen that it is
/// not late.
pub(super) fn write(database: &mut Database, change: &Change, worker: &str) -> Answer<()> {
    match change {
        Change::CreateStudy { name, directions } => create_study(database, name, directions),
        Change::DeleteStudy { study } => delete_study(database, *study),
        Change::SetStudyUserAttribute { study, key, value } => {
            attribute(database, "study_user", *study, key, value)
        }
        Change::SetStudySystemAttribute { study, key, value } => {
            attribute(database, "study_system", *study, key, value)
        }
        Change::CreateTrial { study, trial } => create_trial(database, *study, trial, worker),
        Change::SetParameter { trial, parameter } => set_parameter(database, *trial, parameter),
        Change::SetState {
            trial,
            state,
            values,
            at,
        } => set_state(database, *trial, *state, values.as_deref(), *at, worker),
        Change::Report { trial, step, value } => report(database, *trial, *step, *value),
        Change::SetUserAttribute { trial, key, value } => {
            attribute(database, "trial_user", *trial, key, value)
        }
        Change::SetSystemAttribute { trial, key, value } => {
            attribute(database, "trial_system", *trial, key, value)
        }
    }
}

fn create_study(database: &mut Database, name: &str, directions: &[Direction]) -> Answer<()> {
    let created = database.integer(
        "INSERT INTO studies (study_name) VALUES ($1) ON CONFLICT (study_name) DO NOTHING RETURNING study_id",
        &[Bind::Text(name)],
    )?;
    let Some(study) = created else {
        return Ok(());
    };
    for (objective, direction) in directions.iter().enumerate() {
        let direction = match direction {
            Direction::Minimize => "MINIMIZE",
            Direction::Maximize => "MAXIMIZE",
        };
        database.execute(
            &format!("INSERT INTO study_directions (direction, study_id, objective) VALUES ('{direction}', {study}, {objective})"),
            &[],
        )?;
    }
    Ok(())
}

fn delete_study(database: &mut Database, study: i64) -> Answer<()> {
    let trials = format!("SELECT trial_id FROM trials WHERE study_id = {study}");
    for table in parts_of("trial") {
        database.execute(
            &format!("DELETE FROM {table} WHERE trial_id IN ({trials})"),
            &[],
        )?;
    }
    for table in ["trials"]
        .into_iter()
        .chain(parts_of("study"))
        .chain(["studies"])
    {
        database.execute(
            &format!("DELETE FROM {table} WHERE study_id = {study}"),
            &[],
        )?;
    }
    Ok(())
}

fn create_trial(database: &mut Database, study: i64, new: &NewTrial, worker: &str) -> Answer<()> {
    // Whoever makes trials holds the lock of the study, so the number is free.
    let sql = format!(
        "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) SELECT count(*), {study}, '{}', {}, {} FROM trials WHERE study_id = {study} RETURNING trial_id",
        STATES[new.state.code() as usize],
        moment(database, new.started),
        moment(database, new.finished),
    );
    let Some(trial) = database.integer(&sql, &[])? else {
        return Ok(());
    };
    set_values(database, trial, &new.values)?;
    for parameter in &new.parameters {
        set_parameter(database, trial, parameter)?;
    }
    for (step, value) in &new.intermediate {
        report(database, trial, *step, *value)?;
    }
    attributes(database, "trial_user", trial, &new.user_attributes)?;
    attributes(database, "trial_system", trial, &new.system_attributes)?;
    sign(database, trial, new.state, worker)
}

/// Notes who works on a trial that runs.
fn sign(database: &mut Database, trial: i64, state: TrialState, worker: &str) -> Answer<()> {
    if state != TrialState::Running {
        return Ok(());
    }
    let name = Value::from(worker);
    attribute(database, "trial_system", trial, WORKER, &name)
}

fn set_parameter(database: &mut Database, trial: i64, parameter: &TrialParameter) -> Answer<()> {
    let distribution = parameter.distribution.to_json();
    database.execute(
        &format!("INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES ({trial}, $1, $2, $3) ON CONFLICT (trial_id, param_name) DO UPDATE SET param_value = excluded.param_value, distribution_json = excluded.distribution_json"),
        &[
            Bind::Text(&parameter.name),
            Bind::Float(Some(parameter.internal)),
            Bind::Text(&distribution),
        ],
    )
}

fn set_state(
    database: &mut Database,
    trial: i64,
    state: TrialState,
    values: Option<&[f64]>,
    at: OffsetDateTime,
    worker: &str,
) -> Answer<()> {
    let (column, from) = match state {
        TrialState::Running => ("datetime_start", "'WAITING'"),
        TrialState::Waiting => ("datetime_start", "'RUNNING'"),
        _ => ("datetime_complete", "'RUNNING', 'WAITING'"),
    };
    let at = match state {
        TrialState::Waiting => column.to_owned(),
        _ => moment(database, Some(at)),
    };
    let sql = format!(
        "UPDATE trials SET state = '{}', {column} = {at} WHERE trial_id = {trial} AND state IN ({from}) RETURNING trial_id",
        STATES[state.code() as usize]
    );
    if database.integer(&sql, &[])?.is_none() {
        return Ok(());
    }
    sign(database, trial, state, worker)?;
    set_values(database, trial, values.unwrap_or_default())
}

fn set_values(database: &mut Database, trial: i64, values: &[f64]) -> Answer<()> {
    for (objective, value) in values.iter().enumerate() {
        let (value, kind) = stored(*value);
        database.execute(
            &format!("INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ({trial}, {objective}, $1, '{kind}') ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type"),
            &[Bind::Float(value)],
        )?;
    }
    Ok(())
}

fn report(database: &mut Database, trial: i64, step: i64, value: f64) -> Answer<()> {
    let (value, kind) = stored(value);
    database.execute(
        &format!("INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) VALUES ({trial}, {step}, $1, '{kind}') ON CONFLICT (trial_id, step) DO UPDATE SET intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type"),
        &[Bind::Float(value)],
    )
}

fn attributes(
    database: &mut Database,
    kind: &str,
    owner: i64,
    notes: &Map<String, Value>,
) -> Answer<()> {
    for (key, value) in notes {
        attribute(database, kind, owner, key, value)?;
    }
    Ok(())
}

/// Enters a note; `kind` is `study_user`, `study_system`, `trial_user` or `trial_system`.
fn attribute(
    database: &mut Database,
    kind: &str,
    owner: i64,
    key: &str,
    value: &Value,
) -> Answer<()> {
    let id = format!("{}_id", &kind[..5]);
    database.execute(
        &format!("INSERT INTO {kind}_attributes ({id}, key, value_json) VALUES ({owner}, $1, $2) ON CONFLICT ({id}, key) DO UPDATE SET value_json = excluded.value_json"),
        &[Bind::Text(key), Bind::Text(&python_json::write(value))],
    )
}

/// The number and the kind that a value is stored as: the columns hold finite numbers alone.
fn stored(value: f64) -> (Option<f64>, &'static str) {
    match value {
        f64::INFINITY => (None, "INF_POS"),
        f64::NEG_INFINITY => (None, "INF_NEG"),
        value if value.is_nan() => (None, "NAN"),
        value => (Some(value), "FINITE"),
    }
}

/// A moment in SQL, in UTC.
fn moment(database: &Database, at: Option<OffsetDateTime>) -> String {
    let format =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");
    let text = at.and_then(|at| at.to_offset(UtcOffset::UTC).format(format).ok());
    match text {
        Some(text) if database.is_postgres() => format!("TIMESTAMP '{text}'"),
        Some(text) => format!("'{text}'"),
        None if database.is_postgres() => "CAST(NULL AS TIMESTAMP)".to_owned(),
        None => "NULL".to_owned(),
    }
}
