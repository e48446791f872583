//! Processes that share one study, in a journal or a database, and are killed at random.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llm_search::{
    Asked, JournalStorage, Outcome, Recovery, SamplerConfig, Storage, Study, StudyOptions,
    TrialState,
};
use serde_json::{Value, json};

use crate::space;

/// Where the study is that a worker process works on, and how many trials it is to have.
const PLACE: &str = "LLM_SEARCH_TEST_PLACE";
const TRIALS: &str = "LLM_SEARCH_TEST_TRIALS";
const WORKERS: usize = 8;
const SPACE: &str = "x = { min = -5.0, max = 5.0 }\ny = { min = -5.0, max = 5.0 }";

fn value_of(x: &Value, y: &Value) -> f64 {
    x.as_f64().unwrap().powi(2) + y.as_f64().unwrap()
}

fn storage(place: &str) -> Box<dyn Storage> {
    #[cfg(feature = "rdb")]
    if place.contains("://") {
        let url = llm_search::DatabaseUrl::parse(place).unwrap();
        return Box::new(llm_search::RdbStorage::open(url, "study").unwrap());
    }
    let journal = JournalStorage::open(Path::new(place)).unwrap();
    assert_eq!(journal.corrupt_lines(), []);
    Box::new(journal.sync_to_disk(false))
}

fn open(place: &str) -> Study {
    Study::open(storage(place), space(SPACE), StudyOptions::default())
        .unwrap()
        .with_sampler(SamplerConfig::named("random").unwrap().build())
}

/// What a worker process does; a test so that it can be run alone by the name of the test binary.
#[test]
fn worker_process() {
    let (Ok(place), Ok(trials)) = (std::env::var(PLACE), std::env::var(TRIALS)) else {
        return;
    };
    let trials: usize = trials.parse().unwrap();
    let mut study = open(&place);
    loop {
        match study.try_ask(Some(trials)).unwrap() {
            Asked::Trial(started) => {
                let value = value_of(&started.params["x"], &started.params["y"]);
                study.report(started.number, 1, value / 2.0).unwrap();
                // Long enough that the work is not over before the kills are, on a machine with nothing else to do.
                std::thread::sleep(Duration::from_millis(20));
                study
                    .note(started.number, "number", &json!(started.number))
                    .unwrap();
                study
                    .tell(started.number, &Outcome::Complete(vec![value]))
                    .unwrap();
            }
            Asked::Enough if study.recover(Recovery::DeadWorkers).unwrap().is_empty() => return,
            Asked::Enough | Asked::Wait => {}
        }
    }
}

fn spawn(place: &str, trials: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "workers::worker_process", "--nocapture"])
        .env(PLACE, place)
        .env(TRIALS, trials.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_workers_lose_double_and_tear_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    check_killed_workers(path.to_str().unwrap(), 1000, 40);
}

#[cfg(feature = "rdb")]
#[test]
fn killed_workers_of_sqlite_lose_double_and_tear_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.db");
    check_killed_workers(&format!("sqlite:///{}", path.display()), 150, 15);
}

#[cfg(feature = "rdb")]
#[test]
fn killed_workers_of_postgresql_lose_double_and_tear_nothing() {
    if let Some(url) = crate::databases::postgres() {
        check_killed_workers(&url, 1000, 40);
    }
}

/// Lets eight workers run `trials` trials, and kills `kills` of them on the way.
fn check_killed_workers(place: &str, trials: usize, kills: usize) {
    drop(open(place));
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| spawn(place, trials)).collect();
    let mut random: u64 = 0x9E37_79B9;
    let mut killed = 0;
    let begin = Instant::now();
    // Kills while there is work; then lets them finish.
    while !workers.is_empty() {
        assert!(
            begin.elapsed() < Duration::from_secs(300),
            "the workers do not come to an end"
        );
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_millis(15 + (random >> 33) % 40));
        if killed < kills {
            let victim = (random >> 40) as usize % workers.len();
            match workers[victim].try_wait().unwrap() {
                None => {
                    workers[victim].kill().unwrap();
                    workers[victim].wait().unwrap();
                    killed += 1;
                }
                // It ends by itself when there is no work left.
                Some(status) => {
                    assert!(status.success(), "{status}");
                    break;
                }
            }
            workers[victim] = spawn(place, trials);
        } else {
            workers.retain_mut(|worker| match worker.try_wait().unwrap() {
                Some(status) => {
                    assert!(status.success(), "{status}");
                    false
                }
                None => true,
            });
        }
    }
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    // The last worker may have been killed with a trial in its hands, after the others had gone.
    let mut study = open(place);
    while let Some(number) = study.recover(Recovery::DeadWorkers).unwrap().first() {
        let started = study.ask().unwrap();
        assert_ne!(started.number, *number);
        let value = value_of(&started.params["x"], &started.params["y"]);
        study
            .tell(started.number, &Outcome::Complete(vec![value]))
            .unwrap();
    }
    drop(study);
    assert!(killed >= kills / 2, "{killed}");
    let mut storage = storage(place);
    storage.sync().unwrap();
    let wanted = trials;
    let trials = &storage.state().studies()[0].trials;
    let complete: Vec<_> = trials
        .iter()
        .filter(|trial| trial.state == TrialState::Complete)
        .collect();
    let failed: Vec<_> = trials
        .iter()
        .filter(|trial| trial.state == TrialState::Failed)
        .collect();
    assert_eq!(
        complete.len() + failed.len(),
        trials.len(),
        "no trial is left open"
    );
    assert_eq!(complete.len(), wanted);
    let points: HashSet<String> = complete
        .iter()
        .map(|trial| json!(trial.params()).to_string())
        .collect();
    assert_eq!(points.len(), wanted);
    for trial in complete {
        let params = trial.params();
        assert_eq!(trial.values, [value_of(&params["x"], &params["y"])]);
    }
    let mut retried: Vec<u64> = trials
        .iter()
        .filter_map(|trial| {
            trial
                .system_attributes
                .get("retry_history")?
                .as_array()?
                .last()?
                .as_u64()
        })
        .collect();
    retried.sort_unstable();
    let numbers: Vec<u64> = failed.iter().map(|trial| trial.number as u64).collect();
    assert_eq!(retried, numbers, "every lost trial was run again, once");
}
