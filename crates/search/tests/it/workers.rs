//! Processes that share one journal, and are killed at random.

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

const JOURNAL: &str = "LLM_SEARCH_TEST_JOURNAL";
const TRIALS: usize = 1000;
const WORKERS: usize = 8;
const SPACE: &str = "x = { min = -5.0, max = 5.0 }\ny = { min = -5.0, max = 5.0 }";

fn value_of(x: &Value, y: &Value) -> f64 {
    x.as_f64().unwrap().powi(2) + y.as_f64().unwrap()
}

fn open(path: &Path) -> Study {
    let storage = JournalStorage::open(path).unwrap().sync_to_disk(false);
    Study::open(Box::new(storage), space(SPACE), StudyOptions::default())
        .unwrap()
        .with_sampler(SamplerConfig::named("random").unwrap().build())
}

/// What a worker process does; a test so that it can be run alone by the name of the test binary.
#[test]
fn worker_process() {
    let Some(path) = std::env::var_os(JOURNAL) else {
        return;
    };
    let mut study = open(Path::new(&path));
    loop {
        match study.try_ask(Some(TRIALS)).unwrap() {
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

fn spawn(journal: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "workers::worker_process", "--nocapture"])
        .env(JOURNAL, journal)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_workers_lose_double_and_tear_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    drop(open(&path));
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| spawn(&path)).collect();
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
        if killed < 40 {
            let place = (random >> 40) as usize % workers.len();
            match workers[place].try_wait().unwrap() {
                None => {
                    workers[place].kill().unwrap();
                    workers[place].wait().unwrap();
                    killed += 1;
                }
                // It ends by itself when there is no work left.
                Some(status) => {
                    assert!(status.success(), "{status}");
                    break;
                }
            }
            workers[place] = spawn(&path);
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
    let mut study = open(&path);
    while let Some(number) = study.recover(Recovery::DeadWorkers).unwrap().first() {
        let started = study.ask().unwrap();
        assert_ne!(started.number, *number);
        let value = value_of(&started.params["x"], &started.params["y"]);
        study
            .tell(started.number, &Outcome::Complete(vec![value]))
            .unwrap();
    }
    assert!(killed >= 20, "{killed}");
    let journal = JournalStorage::open(&path).unwrap();
    assert_eq!(journal.corrupt_lines(), []);
    let trials = &journal.state().studies()[0].trials;
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
    assert_eq!(complete.len(), TRIALS);
    let points: HashSet<String> = complete
        .iter()
        .map(|trial| json!(trial.params()).to_string())
        .collect();
    assert_eq!(points.len(), TRIALS);
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
