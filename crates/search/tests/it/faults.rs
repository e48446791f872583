//! Wrong input: each says what is wrong, and nothing panics.

use std::path::Path;
use std::time::Duration;

use llm_search::{
    Direction, JournalStorage, Limits, Outcome, PrunerConfig, Running, SamplerConfig, SearchError,
    Storage, Study, StudyOptions,
};

use crate::space;

fn study(text: &str) -> Study {
    Study::new(space(text), StudyOptions::default()).unwrap()
}

#[test]
fn impossible_constraints_are_named() {
    for bounds in ["{ min = 1.0, max = 2.0 }", "{ min = 1, max = 2 }"] {
        let space = space(&format!("a = {bounds}"))
            .with_constraint("a > 2")
            .unwrap();
        let mut study = Study::new(space, StudyOptions::default()).unwrap();
        let error = study.ask().unwrap_err();
        assert!(error.is_usage());
        assert!(
            error.to_string().contains("no point satisfies `a > 2`"),
            "{error}"
        );
    }
    // Rare, but there.
    let space = space("a = { min = 1, max = 3000 }\nb = { min = 1, max = 300 }")
        .with_constraint("a == 2999 and b == 7")
        .unwrap();
    let started = Study::new(space, StudyOptions::default())
        .unwrap()
        .ask()
        .unwrap();
    assert_eq!(started.params["a"], 2999);
}

#[test]
fn a_constraint_that_cannot_be_evaluated_is_named() {
    let space = space("a = ['x', 'y']").with_constraint("a > 2").unwrap();
    let error = Study::new(space, StudyOptions::default())
        .unwrap()
        .ask()
        .unwrap_err();
    assert!(
        error.to_string().contains("`a > 2`: \"x\" is not a number")
            || error.to_string().contains("\"y\" is not a number"),
        "{error}"
    );
}

#[test]
fn limits_that_are_nothing_or_missing_are_refused() {
    let objective = |_: &Running<'_>| 1.0;
    let message = |limits| {
        study("a = { min = 0.0, max = 1.0 }")
            .optimize(&objective, limits)
            .unwrap_err()
            .to_string()
    };
    let zero = Limits {
        trials: None,
        timeout: Some(Duration::ZERO),
    };
    assert_eq!(message(zero), "timeout must be above 0 seconds");
    assert!(
        message(Limits {
            trials: Some(0),
            timeout: None
        })
        .contains("above 0")
    );
    assert!(message(Limits::default()).contains("never end"));
}

#[test]
fn unknown_names_and_settings_out_of_range_are_refused() {
    assert!(
        SamplerConfig::named("tbe")
            .unwrap_err()
            .to_string()
            .contains("did you mean `tpe`?")
    );
    assert!(
        PrunerConfig::named("medain")
            .unwrap_err()
            .to_string()
            .contains("did you mean `median`?")
    );
    assert!(
        PrunerConfig::named("threshold")
            .unwrap_err()
            .to_string()
            .contains("lower")
    );
    let refuse = |text: &str| {
        let config: Result<PrunerConfig, _> = toml::from_str(text);
        match config {
            Ok(config) => config.build().err().unwrap().to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert!(refuse("kind = 'halving'\nreduction_factor = 1").contains("at least 2, not 1"));
    assert!(refuse("kind = 'percentile'\npercentile = 101.0").contains("from 0 to 100"));
    assert!(
        refuse("kind = 'threshold'\nlower = 2.0\nupper = 1.0").contains("lower 2 is above upper 1")
    );
    assert!(refuse("kind = 'hyperband'\nmax_resource = 0").contains("below min_resource"));
    assert!(refuse("kind = 'median'\nwarmup_stpes = 3").contains("warmup_stpes"));
    let two = StudyOptions {
        directions: vec![Direction::Minimize; 2],
        ..StudyOptions::default()
    };
    for name in ["cma-es", "gp"] {
        let sampler = SamplerConfig::named(name).unwrap().build();
        let mut study = Study::new(space("a = { min = 0.0, max = 1.0 }"), two.clone())
            .unwrap()
            .with_sampler(sampler);
        assert!(
            study
                .ask()
                .unwrap_err()
                .to_string()
                .contains("one objective")
        );
    }
    let pruner = PrunerConfig::named("median").unwrap().build().unwrap();
    let study = Study::new(space("a = [1, 2]"), two).unwrap();
    assert!(
        study
            .with_pruner(pruner)
            .err()
            .unwrap()
            .to_string()
            .contains("several objectives")
    );
}

#[test]
fn trials_that_are_not_there_or_done_are_named() {
    let mut study = study("a = { min = 0.0, max = 1.0 }");
    assert_eq!(
        study.report(3, 1, 1.0).unwrap_err().to_string(),
        "trial 3: is not in the study, which has 0 trials"
    );
    let number = study.ask().unwrap().number;
    let error = study
        .tell(number, &Outcome::Complete(vec![1.0, 2.0]))
        .unwrap_err();
    assert_eq!(error.to_string(), "trial 0: has 2 values for 1 objectives");
    study.tell(number, &Outcome::Complete(vec![1.0])).unwrap();
    let error = study
        .tell(number, &Outcome::Complete(vec![1.0]))
        .unwrap_err();
    assert_eq!(error.to_string(), "trial 0: is complete, not running");
}

#[test]
fn a_journal_out_of_reach_is_named() {
    let missing = Path::new("/nonexistent/folder/journal.log");
    let error = JournalStorage::open(missing).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("/nonexistent/folder/journal.log: "),
        "{error}"
    );
    assert!(matches!(error, SearchError::File { .. }));
    let folder = tempfile::tempdir().unwrap();
    assert!(JournalStorage::open_existing(&folder.path().join("other.log")).is_err());
}

#[test]
fn other_directions_than_those_of_the_study_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let open = |direction| {
        let options = StudyOptions {
            directions: vec![direction],
            ..StudyOptions::default()
        };
        Study::open(
            Box::new(JournalStorage::open(&path).unwrap()),
            space("a = [1, 2]"),
            options,
        )
    };
    open(Direction::Minimize).unwrap();
    assert!(
        open(Direction::Maximize)
            .err()
            .unwrap()
            .to_string()
            .contains("has the directions")
    );
}

#[test]
fn corrupt_lines_are_named_and_the_rest_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let mut study = crate::journal_study(
        &path,
        space("a = { min = 0.0, max = 1.0 }"),
        StudyOptions::default(),
    );
    for _ in 0..3 {
        let number = study.ask().unwrap().number;
        study.tell(number, &Outcome::Complete(vec![1.0])).unwrap();
    }
    drop(study);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(4, "{\"op_code\":6,\"tri");
    lines.push("{\"op_code\":99,\"worker_id\":\"x\"}");
    lines.push("{\"op_code\":7,\"worker_id\":\"x\",\"trial_id\":0,\"step\":1}");
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let journal = JournalStorage::open(&path).unwrap();
    let faults: Vec<(usize, &str)> = journal
        .corrupt_lines()
        .iter()
        .map(|fault| (fault.line, fault.message.as_str()))
        .collect();
    assert_eq!((faults.len(), faults[0].0), (3, 5));
    assert!(faults[0].1.contains("is not JSON"), "{faults:?}");
    assert!(
        faults[1].1.contains("operation 99 is unknown"),
        "{faults:?}"
    );
    assert!(
        faults[2].1.contains("`intermediate_value` is not a number"),
        "{faults:?}"
    );
    assert_eq!(journal.state().studies()[0].trials.len(), 3);
}
