//! What a search costs beside its objective.

use std::time::{Duration, Instant};

use llm_search::{Limits, Running, SamplerConfig, Study, StudyOptions};

use crate::{journal_study, space};

fn ten_parameters() -> String {
    (0..10)
        .map(|i| match i % 3 {
            0 => format!("p{i} = {{ min = 1e-4, max = 1.0, log = true }}\n"),
            1 => format!("p{i} = {{ min = 0, max = 50 }}\n"),
            _ => format!("p{i} = ['a', 'b', 'c', 'd']\n"),
        })
        .collect()
}

/// Resident memory in bytes.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

#[test]
fn ten_thousand_random_trials_take_little_time_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let mut study = journal_study(&path, space(&ten_parameters()), StudyOptions::default())
        .with_sampler(SamplerConfig::named("random").unwrap().build());
    let before = resident();
    let begin = Instant::now();
    study.optimize(&|trial: &Running<'_>| trial.float("p0"), Limits { trials: Some(10_000), timeout: None }).unwrap();
    let time = begin.elapsed();
    assert!(time < Duration::from_secs(20), "{time:?}");
    if let (Some(before), Some(after)) = (before, resident()) {
        let bytes = after.saturating_sub(before) / 10_000;
        assert!(bytes < 2048, "{bytes} bytes a trial");
    }
}

#[test]
fn a_thousand_estimated_trials_take_little_time() {
    let mut study = Study::new(space(&ten_parameters()), StudyOptions::default()).unwrap();
    let begin = Instant::now();
    let objective = |trial: &Running<'_>| trial.float("p0").ln().powi(2) + trial.float("p1");
    study.optimize(&objective, Limits { trials: Some(1_000), timeout: None }).unwrap();
    let time = begin.elapsed();
    assert!(time < Duration::from_secs(20), "{time:?}");
}
