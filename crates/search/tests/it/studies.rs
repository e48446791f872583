//! Studies: the same seed, deterministic workers, resuming, the queue, and how they end.

use std::time::Duration;

use llm_search::{
    Direction, Limits, Outcome, PrunerConfig, Recovery, Running, SamplerConfig, Stop, Study,
    StudyOptions, TrialState,
};
use serde_json::{Map, Value, json};

use crate::{journal_study, space};

const SPACE: &str =
    "x = { min = -5.0, max = 5.0 }\nn = { min = 1, max = 64, log = true }\nkind = ['a', 'b', 'c']";

fn trials(n: usize) -> Limits {
    Limits {
        trials: Some(n),
        timeout: None,
    }
}

fn loss(params: &Map<String, Value>) -> f64 {
    let offset = match params["kind"].as_str() {
        Some("a") => 0.0,
        _ => 1.0,
    };
    params["x"].as_f64().unwrap().powi(2) + (params["n"].as_f64().unwrap() - 8.0).abs() + offset
}

/// Parameters and values of all trials.
fn results(study: &Study) -> Vec<(Map<String, Value>, Vec<f64>, TrialState)> {
    study
        .trials()
        .iter()
        .map(|trial| (trial.params(), trial.values.clone(), trial.state))
        .collect()
}

#[test]
fn same_seed_is_the_same_study_and_another_is_not() {
    for name in ["tpe", "random", "qmc", "cma-es", "gp", "nsga2"] {
        let run = |seed| {
            let mut study = Study::new(
                space(SPACE),
                StudyOptions {
                    seed,
                    ..StudyOptions::default()
                },
            )
            .unwrap()
            .with_sampler(SamplerConfig::named(name).unwrap().build());
            study
                .optimize(&|trial: &Running<'_>| loss(trial.params()), trials(25))
                .unwrap();
            results(&study)
        };
        assert_eq!(run(1), run(1), "{name}");
        assert_ne!(run(1), run(2), "{name}");
    }
}

#[test]
fn deterministic_workers_make_the_same_study_whatever_their_speed() {
    let run = |slow: usize| {
        let options = StudyOptions {
            workers: 3,
            deterministic: true,
            ..StudyOptions::default()
        };
        let pruner = PrunerConfig::named("median").unwrap().build().unwrap();
        let mut study = Study::new(space(SPACE), options)
            .unwrap()
            .with_pruner(pruner)
            .unwrap();
        let objective = |trial: &Running<'_>| {
            std::thread::sleep(Duration::from_micros(
                (trial.number() * slow % 7 * 300) as u64,
            ));
            for step in 0..3 {
                if trial
                    .report(step, loss(trial.params()) + step as f64)
                    .unwrap()
                {
                    return Outcome::Pruned;
                }
            }
            loss(trial.params()).into()
        };
        study.optimize(&objective, trials(40)).unwrap();
        results(&study)
    };
    let first = run(1);
    assert!(
        first
            .iter()
            .any(|(_, _, state)| *state == TrialState::Pruned)
    );
    assert_eq!(first, run(3));
    assert_eq!(first, run(5));
}

#[test]
fn a_resumed_study_is_one_that_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tpe", "cma-es", "nsga2", "grid"] {
        let run = |file: &str, parts: &[usize]| {
            let path = folder.path().join(format!("{name}-{file}"));
            for until in parts {
                let options = StudyOptions {
                    seed: 7,
                    ..StudyOptions::default()
                };
                let mut study = journal_study(&path, space(SPACE), options)
                    .with_sampler(SamplerConfig::named(name).unwrap().build());
                study
                    .optimize(&|trial: &Running<'_>| loss(trial.params()), trials(*until))
                    .unwrap();
            }
            results(&journal_study(&path, space(SPACE), StudyOptions::default()))
        };
        assert_eq!(run("whole", &[30]), run("parts", &[11, 12, 30]), "{name}");
    }
}

#[test]
fn a_lost_trial_is_marked_and_run_again_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let open = || {
        journal_study(
            &path,
            space(SPACE),
            StudyOptions {
                max_retries: 2,
                ..StudyOptions::default()
            },
        )
    };
    let first = open().ask().unwrap();
    for attempt in 0..3 {
        let mut study = open();
        assert_eq!(
            study.recover(Recovery::All).unwrap(),
            [first.number + attempt]
        );
        let lost = &study.trials()[first.number + attempt];
        assert_eq!(
            (lost.state, lost.failure()),
            (TrialState::Failed, Some("its worker ended"))
        );
        let next = study.ask().unwrap();
        if attempt < 2 {
            assert_eq!(next.params, first.params);
        } else {
            assert_ne!(next.params, first.params);
        }
    }
}

#[test]
fn the_worker_of_a_study_that_is_closed_is_known_to_be_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let mut one = journal_study(&path, space(SPACE), StudyOptions::default());
    let mut two = journal_study(&path, space(SPACE), StudyOptions::default());
    let started = one.ask().unwrap();
    assert_eq!(
        two.recover(Recovery::DeadWorkers).unwrap(),
        Vec::<usize>::new()
    );
    drop(one);
    assert_eq!(
        two.recover(Recovery::DeadWorkers).unwrap(),
        [started.number]
    );
    assert_eq!(two.ask().unwrap().params, started.params);
    drop(two);
    assert!(!folder.path().join("journal.log.workers").exists());
    assert!(!folder.path().join("journal.log.lock").is_symlink());
}

#[test]
fn queued_values_come_first_and_the_rest_is_made_up() {
    let mut study = Study::new(space(SPACE), StudyOptions::default()).unwrap();
    let wanted = json!({"x": 1.25, "kind": "c"});
    study.enqueue(wanted.as_object().unwrap()).unwrap();
    let started = study.ask().unwrap();
    assert_eq!(
        (&started.params["x"], &started.params["kind"]),
        (&json!(1.25), &json!("c"))
    );
    assert!(started.params["n"].is_i64());
    let wrong = |value: Value| study_error(&value);
    assert!(wrong(json!({"y": 1})).contains("y: is not in the space"));
    assert!(wrong(json!({"x": 9.0})).contains("x: 9.0 is not one of its values"));
}

fn study_error(params: &Value) -> String {
    let mut study = Study::new(space(SPACE), StudyOptions::default()).unwrap();
    study
        .enqueue(params.as_object().unwrap())
        .unwrap_err()
        .to_string()
}

#[test]
fn the_best_is_feasible_and_the_front_is_what_nobody_dominates() {
    let options = StudyOptions {
        directions: vec![Direction::Minimize, Direction::Maximize],
        ..StudyOptions::default()
    };
    let mut study = Study::new(space(SPACE), options).unwrap();
    let told = [[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [0.5, 0.0], [0.1, 9.0]];
    for values in told {
        let number = study.ask().unwrap().number;
        if values[1] == 9.0 {
            study.measured_constraints(number, &[-1.0, 0.5]).unwrap();
        }
        study
            .tell(number, &Outcome::Complete(values.to_vec()))
            .unwrap();
    }
    let front: Vec<usize> = study.front().iter().map(|trial| trial.number).collect();
    assert_eq!(front, [0, 1, 3]);
}

#[test]
fn a_finite_space_ends_when_every_point_was_tried_once() {
    for name in ["tpe", "random", "grid", "qmc", "cma-es", "gp", "nsga2"] {
        let space = space("a = [1, 2, 3]\nb = { min = 0, max = 4 }\nc = { values = [true, false], when = 'a == 2' }")
            .with_constraint("b != a")
            .unwrap();
        let mut study = Study::new(space, StudyOptions::default())
            .unwrap()
            .with_sampler(SamplerConfig::named(name).unwrap().build());
        let objective = |trial: &Running<'_>| trial.float("a") + trial.float("b");
        let stop = study.optimize(&objective, Limits::default()).unwrap();
        assert_eq!(stop, Stop::Exhausted, "{name}");
        let mut params: Vec<String> = study
            .trials()
            .iter()
            .map(|trial| json!(trial.params()).to_string())
            .collect();
        params.sort();
        params.dedup();
        assert_eq!((params.len(), study.trials().len()), (16, 16), "{name}");
    }
}

#[test]
fn failing_trials_are_noted_and_only_all_of_them_end_a_study() {
    let mut study = Study::new(space(SPACE), StudyOptions::default()).unwrap();
    let objective = |trial: &Running<'_>| match trial.number() % 3 {
        0 => Err("out of memory"),
        1 => Ok(f64::NAN),
        _ => Ok(1.0),
    };
    study.optimize(&objective, trials(9)).unwrap();
    assert_eq!(
        (
            study.count(TrialState::Complete),
            study.count(TrialState::Failed)
        ),
        (3, 6)
    );
    assert_eq!(study.trials()[0].failure(), Some("out of memory"));
    assert_eq!(study.trials()[1].failure(), Some("the value is NaN"));
    let mut study = Study::new(space(SPACE), StudyOptions::default()).unwrap();
    let error = study
        .optimize(&|_: &Running<'_>| Err::<f64, _>("broken"), trials(4))
        .unwrap_err();
    assert_eq!(error.to_string(), "all 4 trials failed; the last: broken");
    assert!(!error.is_usage());
}

#[test]
fn time_ends_a_study_in_order() {
    let mut study = Study::new(space(SPACE), StudyOptions::default()).unwrap();
    let objective = |trial: &Running<'_>| {
        std::thread::sleep(Duration::from_millis(20));
        loss(trial.params())
    };
    let limits = Limits {
        trials: None,
        timeout: Some(Duration::from_millis(100)),
    };
    assert_eq!(study.optimize(&objective, limits).unwrap(), Stop::Timeout);
    assert!(!study.trials().is_empty());
    assert!(
        study
            .trials()
            .iter()
            .all(|trial| trial.state == TrialState::Complete)
    );
}

#[test]
fn what_decides_is_important_and_what_does_not_is_not() {
    let space = space(
        "dear = { min = 0.0, max = 1.0 }\ncheap = { min = 0.0, max = 1.0 }\nlittle = ['a', 'b', 'c']",
    );
    let mut study = Study::new(space, StudyOptions::default())
        .unwrap()
        .with_sampler(SamplerConfig::named("random").unwrap().build());
    let objective = |trial: &Running<'_>| {
        let little = if trial.get("little") == Some(&json!("a")) {
            0.0
        } else {
            0.1
        };
        (trial.float("dear") - 0.3).powi(2) + little * 0.5
    };
    study.optimize(&objective, trials(300)).unwrap();
    let importance = llm_search::importance(&study);
    let names: Vec<&str> = importance.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["dear", "little", "cheap"], "{importance:?}");
    assert!((importance.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(importance[2].1 < 0.1, "{importance:?}");
}
