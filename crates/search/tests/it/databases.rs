//! Studies in databases: SQLite always, PostgreSQL where a server is there to be tried; `cargo xtask ci --only servers` starts one.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use llm_search::{
    Asked, DatabaseUrl, Outcome, RdbStorage, Recovery, SamplerConfig, SearchError, Storage, Study,
    StudyOptions, TrialState,
};
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use crate::{golden, space};

const SPACE: &str = "x = { min = -5.0, max = 5.0 }\nkind = ['a', 'b', 'ü']";

/// The address of a database of its own on the PostgreSQL server that `LLM_POSTGRES_URL` names; nothing, and a loud word, if it names none.
pub(crate) fn postgres() -> Option<String> {
    static DATABASES: AtomicUsize = AtomicUsize::new(0);
    let Ok(server) = std::env::var("LLM_POSTGRES_URL") else {
        // Straight to stderr: what tests print is captured.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: LLM_POSTGRES_URL names no PostgreSQL server; cargo xtask ci --only servers starts one"
        );
        return None;
    };
    let name = format!(
        "study_{}_{}",
        std::process::id(),
        DATABASES.fetch_add(1, Ordering::Relaxed)
    );
    // A server that has just begun is given time in which nobody is taken for dead.
    run_sql(
        &server,
        "SELECT pg_sleep(greatest(0, 31 - extract(epoch FROM now() - pg_postmaster_start_time())))",
    );
    run_sql(&server, &format!("CREATE DATABASE {name}"));
    let (server, _) = server.rsplit_once('/').unwrap();
    Some(format!("{server}/{name}"))
}

fn sqlite(folder: &tempfile::TempDir) -> String {
    format!("sqlite:///{}", folder.path().join("study ü.db").display())
}

/// Runs statements past the storage.
fn run_sql(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let url = match url.strip_prefix("sqlite:///") {
        Some(path) => format!("sqlite:{path}?mode=rwc"),
        None => url.to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

fn storage(url: &str, name: &str) -> Box<dyn Storage> {
    let url = DatabaseUrl::parse(url).unwrap();
    Box::new(RdbStorage::open(url, name).unwrap())
}

fn open(url: &str) -> Study {
    Study::open(
        storage(url, "stüdy"),
        space(SPACE),
        StudyOptions {
            name: "stüdy".to_owned(),
            seed: 7,
            ..StudyOptions::default()
        },
    )
    .unwrap()
}

fn refusal(url: &str) -> String {
    let opened = DatabaseUrl::parse(url).and_then(|url| RdbStorage::open(url, "study"));
    opened.err().unwrap().to_string()
}

/// Every operation, each seen by a second connection.
fn check_operations(url: &str) {
    let mut one = open(url);
    let mut two = open(url);
    one.enqueue(json!({"x": 1.5}).as_object().unwrap()).unwrap();
    let first = two.ask().unwrap();
    assert_eq!((first.number, &first.params["x"]), (0, &json!(1.5)));
    for (step, value) in [
        (3, f64::NAN),
        (1, 2.0),
        (2, f64::INFINITY),
        (1, 2.5),
        (9, f64::NEG_INFINITY),
    ] {
        two.report(0, step, value).unwrap();
    }
    two.note(0, "mood", &json!({"ü": [1, null, "'; DROP TABLE trials"]}))
        .unwrap();
    two.measured_constraints(0, &[1.0, -2.0]).unwrap();
    two.tell(0, &Outcome::Complete(vec![f64::INFINITY]))
        .unwrap();
    let second = one.ask().unwrap();
    one.report(second.number, 1, 0.25).unwrap();
    one.tell(second.number, &Outcome::Pruned).unwrap();
    let third = two.ask().unwrap();
    two.tell(third.number, &Outcome::Failed("broken".to_owned()))
        .unwrap();
    let fourth = one.ask().unwrap();
    assert!(one.tell(0, &Outcome::Pruned).is_err(), "it has ended");
    two.sync().unwrap();
    one.sync().unwrap();
    assert_eq!(format!("{:?}", one.trials()), format!("{:?}", two.trials()));
    let trials = two.trials();
    assert_eq!(trials.len(), 4);
    let steps: Vec<i64> = trials[0]
        .intermediate
        .iter()
        .map(|(step, _)| *step)
        .collect();
    assert_eq!(steps, [1, 2, 3, 9]);
    assert_eq!(trials[0].intermediate[0].1, 2.5);
    assert_eq!(trials[0].intermediate[1].1, f64::INFINITY);
    assert!(trials[0].intermediate[2].1.is_nan());
    assert_eq!(trials[0].intermediate[3].1, f64::NEG_INFINITY);
    assert_eq!(trials[0].values, [f64::INFINITY]);
    assert_eq!(trials[0].violation(), 1.0);
    assert_eq!(
        trials[0].user_attributes["mood"],
        json!({"ü": [1, null, "'; DROP TABLE trials"]})
    );
    assert!(trials[0].started <= trials[0].finished && trials[0].finished.is_some());
    assert_eq!(trials[1].state, TrialState::Pruned);
    assert_eq!(trials[1].values, [0.25]);
    assert_eq!(trials[2].failure(), Some("broken"));
    assert_eq!(trials[3].state, TrialState::Running);
    assert_eq!(trials[3].number, fourth.number);
    assert!(trials[3].value_of("kind").is_some());
    // Both are alive; then one is gone.
    assert!(two.recover(Recovery::DeadWorkers).unwrap().is_empty());
    drop(one);
    assert_eq!(two.recover(Recovery::DeadWorkers).unwrap(), [3]);
    let again = two.ask().unwrap();
    assert_eq!(again.params, fourth.params);
    assert_eq!(
        two.trials()[again.number].system_attributes["retry_history"],
        json!([3])
    );
    // Another study beside it has its own numbers.
    let mut other = Study::open(
        storage(url, "other"),
        space(SPACE),
        StudyOptions {
            name: "other".to_owned(),
            ..StudyOptions::default()
        },
    )
    .unwrap();
    assert_eq!(other.ask().unwrap().number, 0);
    two.sync().unwrap();
    assert_eq!(two.trials().len(), 5);
}

#[test]
fn sqlite_keeps_every_operation() {
    let folder = tempfile::tempdir().unwrap();
    check_operations(&sqlite(&folder));
}

#[test]
fn postgresql_keeps_every_operation() {
    if let Some(url) = postgres() {
        check_operations(&url);
    }
}

/// The same search in memory and in a database, in the deterministic mode.
fn check_same_study(url: &str) {
    let options = StudyOptions {
        name: "stüdy".to_owned(),
        seed: 7,
        ..StudyOptions::default()
    };
    let run = |mut study: Study| -> Vec<String> {
        study = study.with_sampler(SamplerConfig::named("tpe").unwrap().build());
        while let Asked::Trial(started) = study.try_ask(Some(30)).unwrap() {
            let value = started.params["x"].as_f64().unwrap().powi(2);
            study
                .tell(started.number, &Outcome::Complete(vec![value]))
                .unwrap();
        }
        study
            .trials()
            .iter()
            .map(|trial| json!(trial.params()).to_string())
            .collect()
    };
    assert_eq!(
        run(open(url)),
        run(Study::new(space(SPACE), options).unwrap())
    );
}

#[test]
fn a_study_in_sqlite_is_that_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    check_same_study(&sqlite(&folder));
}

#[test]
fn a_study_in_postgresql_is_that_in_memory() {
    if let Some(url) = postgres() {
        check_same_study(&url);
    }
}

/// A database that Optuna wrote; see `xtask/golden/search_studies.py`.
fn of_optuna(folder: &tempfile::TempDir) -> String {
    let url = format!("sqlite:///{}", folder.path().join("optuna.db").display());
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/database.sql");
    // The dump is in the order of the names, not of what refers to what.
    let dump = std::fs::read_to_string(dump).unwrap();
    run_sql(&url, &format!("PRAGMA foreign_keys = OFF;\n{dump}"));
    url
}

#[test]
fn database_of_optuna_is_read_to_the_last_number() {
    let folder = tempfile::tempdir().unwrap();
    let url = of_optuna(&folder);
    let mut one = storage(&url, "golden");
    let mut two = storage(&url, "two");
    one.sync().unwrap();
    two.sync().unwrap();
    golden::check_studies(&[&one.state().studies()[0], &two.state().studies()[0]]);
}

#[test]
fn study_of_optuna_in_a_database_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    golden::check_continuation(storage(&of_optuna(&folder), "golden"));
}

#[test]
fn tables_of_an_older_optuna_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = of_optuna(&folder);
    run_sql(&url, "UPDATE alembic_version SET version_num = 'v3.0.0.d'");
    let message = refusal(&url);
    assert!(message.contains("optuna storage upgrade"), "{message}");
    run_sql(
        &url,
        "UPDATE alembic_version SET version_num = 'v3.2.0.a'; UPDATE version_info SET schema_version = 11",
    );
    assert!(refusal(&url).contains("schema 11, not 12"));
}

#[test]
fn what_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.db");
    std::fs::write(
        &file,
        "no database, but long enough to be looked at. ".repeat(40),
    )
    .unwrap();
    let place = |path: &Path| format!("sqlite:///{}", path.display());
    let message = refusal(&place(&file));
    assert!(
        message.contains("text.db") && message.contains("not a database"),
        "{message}"
    );
    assert!(refusal(&place(folder.path())).contains("directory"));
    assert!(refusal(&place(&folder.path().join("missing/study.db"))).contains("missing/study.db"));
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let begin = std::time::Instant::now();
    let message = refusal(&format!("postgresql://me:secret@127.0.0.1:{port}/db"));
    assert!(
        message.contains("cannot be reached")
            && message.contains(&format!("me@127.0.0.1:{port}/db")),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");
    assert!(begin.elapsed().as_secs() < 10);
}

#[test]
fn who_only_looks_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::parse(&sqlite(&folder)).unwrap();
    let missing = RdbStorage::open_existing(url.clone(), "stüdy")
        .err()
        .unwrap();
    assert!(missing.to_string().contains("unable to open"), "{missing}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    let mut study = open(&sqlite(&folder));
    study.ask().unwrap();
    let message = RdbStorage::open_existing(url.clone(), "other")
        .err()
        .unwrap();
    assert!(
        message.to_string().contains("no study `other`"),
        "{message}"
    );
    let looked = RdbStorage::open_existing(url, "stüdy").unwrap();
    assert_eq!(looked.state().studies()[0].trials.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_has_one_folder_of_workers_by_whatever_name_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = open(&sqlite(&folder));
    one.ask().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("study ü.db"), &link).unwrap();
    let mut two = open(&format!("sqlite:///{}", link.display()));
    assert!(two.recover(Recovery::DeadWorkers).unwrap().is_empty());
    drop(one);
    assert_eq!(two.recover(Recovery::DeadWorkers).unwrap(), [0]);
}

#[test]
fn moments_are_in_utc() {
    let folder = tempfile::tempdir().unwrap();
    let url = of_optuna(&folder);
    let mut storage = storage(&url, "golden");
    storage.sync().unwrap();
    let started = storage.state().studies()[0].trials[0].started.unwrap();
    assert_eq!(started.to_string(), "2026-01-02 3:04:05.678901 +00:00:00");
}

#[test]
fn a_connection_that_postgresql_ends_is_made_again() {
    let Some(url) = postgres() else { return };
    let mut study = open(&url);
    let started = study.ask().unwrap();
    run_sql(
        &url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    study.keep_alive().unwrap();
    // It is alive again for the others, too.
    assert!(
        open(&url)
            .recover(Recovery::DeadWorkers)
            .unwrap()
            .is_empty()
    );
    // What is wrong with a trial is no reason to go.
    assert!(study.report(99, 1, 0.5).is_err());
    assert!(
        open(&url)
            .recover(Recovery::DeadWorkers)
            .unwrap()
            .is_empty()
    );
    study
        .tell(started.number, &Outcome::Complete(vec![0.5]))
        .unwrap();
}

#[test]
fn a_wrong_password_is_refused_by_postgresql() {
    let Some(url) = postgres() else { return };
    let message = refusal(&url.replacen(":secret@", ":wrong@", 1));
    assert!(
        message.contains("password authentication failed"),
        "{message}"
    );
    assert!(!message.contains("wrong@"), "{message}");
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(&folder);
    let mut study = open(&url);
    let mut raw = storage(&url, "stüdy");
    let failed = raw.transaction(&mut |_| Err(SearchError::Setting("no".to_owned())));
    assert!(failed.is_err());
    study.ask().unwrap();
    run_sql(&url, "DROP TABLE trial_system_attributes");
    assert!(study.ask().is_err());
    run_sql(
        &url,
        "CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER PRIMARY KEY, trial_id INTEGER, key TEXT, value_json TEXT, UNIQUE (trial_id, key))",
    );
    study.sync().unwrap();
    assert_eq!(study.trials().len(), 1);
    assert_eq!(study.ask().unwrap().number, 1);
}
