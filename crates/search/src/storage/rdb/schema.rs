//! The tables of Optuna's relational storage, schema 12 (Optuna 3.2 and later), made if they are not there.

use sqlx::Row;

use super::database::{Answer, Database};

/// The schema, and the revision of Optuna's migrations that makes it.
const SCHEMA: i64 = 12;
const REVISION: &str = "v3.2.0.a";

/// States of a trial, by Optuna's numbers.
pub(super) const STATES: [&str; 5] = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"];

/// Words that PostgreSQL has types for.
const WORDS: [(&str, &[&str]); 4] = [
    ("studydirection", &["NOT_SET", "MINIMIZE", "MAXIMIZE"]),
    ("trialstate", &STATES),
    ("trialvaluetype", &["FINITE", "INF_POS", "INF_NEG"]),
    (
        "trialintermediatevaluetype",
        &["FINITE", "INF_POS", "INF_NEG", "NAN"],
    ),
];

/// A table that holds what belongs to a study or a trial.
struct Part {
    table: &'static str,
    id: &'static str,
    /// `study` or `trial`.
    of: &'static str,
    /// Whether that must be there, in the words of SQL.
    must: &'static str,
    columns: &'static str,
    /// What is unique beside the study or trial.
    unique: &'static str,
}

/// The parts, in Optuna's order. `MOMENT`, `NUMBER` and the names of [`WORDS`] stand for what the database has for them.
const PARTS: [Part; 9] = [
    Part {
        table: "study_directions",
        id: "study_direction_id",
        of: "study",
        must: "NOT NULL",
        columns: "direction studydirection NOT NULL, objective INTEGER NOT NULL",
        unique: "objective",
    },
    attributes("study_user_attributes", "study_user_attribute_id", "study"),
    attributes(
        "study_system_attributes",
        "study_system_attribute_id",
        "study",
    ),
    attributes("trial_user_attributes", "trial_user_attribute_id", "trial"),
    attributes(
        "trial_system_attributes",
        "trial_system_attribute_id",
        "trial",
    ),
    Part {
        table: "trial_params",
        id: "param_id",
        of: "trial",
        must: "",
        columns: "param_name VARCHAR(512), param_value NUMBER, distribution_json TEXT",
        unique: "param_name",
    },
    Part {
        table: "trial_values",
        id: "trial_value_id",
        of: "trial",
        must: "NOT NULL",
        columns: "objective INTEGER NOT NULL, value NUMBER, value_type trialvaluetype NOT NULL",
        unique: "objective",
    },
    Part {
        table: "trial_intermediate_values",
        id: "trial_intermediate_value_id",
        of: "trial",
        must: "NOT NULL",
        columns: "step INTEGER NOT NULL, intermediate_value NUMBER, intermediate_value_type trialintermediatevaluetype NOT NULL",
        unique: "step",
    },
    Part {
        table: "trial_heartbeats",
        id: "trial_heartbeat_id",
        of: "trial",
        must: "NOT NULL",
        columns: "heartbeat MOMENT NOT NULL",
        unique: "",
    },
];

const fn attributes(table: &'static str, id: &'static str, of: &'static str) -> Part {
    Part {
        table,
        id,
        of,
        must: "",
        columns: "key VARCHAR(512), value_json TEXT",
        unique: "key",
    }
}

/// Tables that belong to a `study` or a `trial`.
pub(super) fn parts_of(of: &str) -> impl Iterator<Item = &'static str> {
    PARTS
        .iter()
        .filter(move |part| part.of == of)
        .map(|part| part.table)
}

/// Makes the tables, or looks whether those that are there are of the right schema.
pub(super) fn prepare(database: &mut Database) -> Answer<()> {
    if has_table(database, "version_info")? {
        return check(database);
    }
    if database.is_postgres() {
        database.execute("BEGIN", &[])?;
        // Two that make tables at the same time would stand in each other's way; the number is of no other meaning.
        database.execute("SELECT pg_advisory_xact_lock(7812460135)", &[])?;
    } else {
        database.execute("BEGIN IMMEDIATE", &[])?;
    }
    if !has_table(database, "version_info")? {
        for statement in statements(database.is_postgres()) {
            database.execute(&statement, &[])?;
        }
    }
    database.execute("COMMIT", &[])
}

fn has_table(database: &mut Database, name: &str) -> Answer<bool> {
    let sql = if database.is_postgres() {
        format!("SELECT count(*) FROM pg_class WHERE oid = to_regclass('{name}')")
    } else {
        format!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{name}'")
    };
    Ok(database.integer(&sql, &[])? == Some(1))
}

fn check(database: &mut Database) -> Answer<()> {
    let schema = database.integer("SELECT schema_version FROM version_info", &[])?;
    let revision = match has_table(database, "alembic_version")? {
        true => database.rows("SELECT version_num FROM alembic_version", &[])?,
        false => Vec::new(),
    };
    let revision: Option<String> = match revision.first() {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    // Optuna enters its revision after it has made the tables.
    let is_known = revision.is_none_or(|revision| revision == REVISION);
    if schema == Some(SCHEMA) && is_known {
        return Ok(());
    }
    let error = database.error(format!(
        "has tables of another version of Optuna than 3.2 to 5 make (schema {}, not {SCHEMA}); older ones are brought up with: optuna storage upgrade --storage URL",
        schema.map_or_else(|| "unknown".to_owned(), |schema| schema.to_string())
    ));
    Err(error.into())
}

/// What makes the tables, as Optuna makes them.
fn statements(postgres: bool) -> Vec<String> {
    let id = if postgres {
        "SERIAL PRIMARY KEY"
    } else {
        "INTEGER NOT NULL PRIMARY KEY"
    };
    let mut statements = Vec::new();
    if postgres {
        for (name, words) in WORDS {
            let words = words.join("', '");
            statements.push(format!("CREATE TYPE {name} AS ENUM ('{words}')"));
        }
    }
    statements.extend([
        format!("CREATE TABLE studies (study_id {id}, study_name VARCHAR(512) NOT NULL)"),
        "CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name)".to_owned(),
        "CREATE TABLE version_info (version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id = 1), schema_version INTEGER, library_version VARCHAR(256))".to_owned(),
        format!("CREATE TABLE trials (trial_id {id}, number INTEGER, study_id INTEGER REFERENCES studies (study_id), state trialstate NOT NULL, datetime_start MOMENT, datetime_complete MOMENT)"),
        "CREATE INDEX ix_trials_study_id ON trials (study_id)".to_owned(),
    ]);
    for part in &PARTS {
        let Part {
            table,
            of,
            must,
            columns,
            ..
        } = part;
        let owners = if *of == "study" { "studies" } else { "trials" };
        let unique: Vec<String> = [format!("{of}_id"), part.unique.to_owned()]
            .into_iter()
            .filter(|column| !column.is_empty())
            .collect();
        statements.push(format!(
            "CREATE TABLE {table} ({} {id}, {of}_id INTEGER {must} REFERENCES {owners} ({of}_id), {columns}, UNIQUE ({}))",
            part.id,
            unique.join(", ")
        ));
    }
    statements.extend([
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)".to_owned(),
        format!("INSERT INTO version_info VALUES (1, {SCHEMA}, 'llm-search {}')", env!("CARGO_PKG_VERSION")),
        format!("INSERT INTO alembic_version VALUES ('{REVISION}')"),
    ]);
    for statement in &mut statements {
        *statement = statement
            .replace("MOMENT", if postgres { "TIMESTAMP" } else { "DATETIME" })
            .replace("NUMBER", if postgres { "FLOAT(53)" } else { "FLOAT" });
        if !postgres {
            for (name, words) in WORDS {
                let length = words
                    .iter()
                    .map(|word| word.len())
                    .max()
                    .unwrap_or_default();
                *statement =
                    statement.replace(&format!(" {name} "), &format!(" VARCHAR({length}) "));
            }
        }
    }
    statements
}
