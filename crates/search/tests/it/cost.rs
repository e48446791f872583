//! What a search costs beside its objective.

use llm_search::{Limits, Running, SamplerConfig, Study, StudyOptions};

use crate::measure::{resident, seconds};
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

fn trials(n: usize) -> Limits {
    Limits {
        trials: Some(n),
        timeout: None,
    }
}

#[test]
fn ten_thousand_random_trials_take_little_time_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let space = space(&ten_parameters());
    let mut study = journal_study(&path, space, StudyOptions::default())
        .with_sampler(SamplerConfig::named("random").unwrap().build());
    let before = resident();
    let objective = |trial: &Running<'_>| trial.float("p0");
    let seconds = seconds(|| {
        study.optimize(&objective, trials(10_000)).unwrap();
    });
    assert!(seconds < 20.0, "{seconds}");
    if let (Some(before), Some(after)) = (before, resident()) {
        let bytes = after.saturating_sub(before) / 10_000;
        assert!(bytes < 2048, "{bytes} bytes a trial");
    }
}

#[test]
fn a_thousand_estimated_trials_take_little_time() {
    let mut study = Study::new(space(&ten_parameters()), StudyOptions::default()).unwrap();
    let objective = |trial: &Running<'_>| trial.float("p0").ln().powi(2) + trial.float("p1");
    let seconds = seconds(|| {
        study.optimize(&objective, trials(1_000)).unwrap();
    });
    assert!(seconds < 20.0, "{seconds}");
}
