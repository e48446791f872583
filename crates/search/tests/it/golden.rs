//! What Optuna wrote and decided; see `xtask/golden/search_studies.py`.

use llm_search::{
    Direction, Distribution, JournalStorage, MemoryStorage, Outcome, PrunerConfig, SamplerConfig,
    Storage, Study, StudyOptions, StudyRecord, TrialState,
};
use serde_json::Value;

use crate::space;

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A number as Python's `repr` writes it.
fn number(text: &Value) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// The golden journal, where it may be written to.
fn journal() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let source = format!("{}/tests/golden/journal.log", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(source, &path).unwrap();
    (folder, path)
}

#[test]
fn journal_of_optuna_is_read_to_the_last_number() {
    let (_folder, path) = journal();
    let storage = JournalStorage::open_existing(&path).unwrap();
    assert_eq!(storage.corrupt_lines(), []);
    let studies: Vec<&StudyRecord> = storage.state().studies().iter().collect();
    check_studies(&studies);
}

/// The studies are the golden ones.
pub(crate) fn check_studies(studies: &[&StudyRecord]) {
    let expected = golden("journal.json");
    assert_eq!(studies.len(), expected.as_array().unwrap().len());
    for (study, expected) in studies.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(study.name, expected["name"].as_str().unwrap());
        let trials = expected["trials"].as_array().unwrap();
        assert_eq!(study.trials.len(), trials.len());
        for (trial, expected) in study.trials.iter().zip(trials) {
            let state = match expected["state"].as_str().unwrap() {
                "COMPLETE" => TrialState::Complete,
                "PRUNED" => TrialState::Pruned,
                "FAIL" => TrialState::Failed,
                "WAITING" => TrialState::Waiting,
                _ => TrialState::Running,
            };
            assert_eq!(trial.state, state, "{}", trial.number);
            assert_eq!(
                Value::Object(trial.params()),
                expected["params"],
                "{}",
                trial.number
            );
            assert_eq!(
                Value::Object(trial.user_attributes.clone()),
                expected["user_attributes"]
            );
            let values: Vec<f64> = expected["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect();
            assert_eq!(trial.values, values);
            let reports = expected["intermediate"].as_object().unwrap();
            assert_eq!(trial.intermediate.len(), reports.len());
            for (step, value) in &trial.intermediate {
                assert!(
                    same(*value, number(&reports[&step.to_string()])),
                    "{} {step}",
                    trial.number
                );
            }
        }
    }
    let note = &studies[0].user_attributes["note"];
    assert_eq!(note, "NaN and \"Infinity\" in a text");
}

#[test]
fn study_of_optuna_goes_on_with_its_queue_and_its_results() {
    let (_folder, path) = journal();
    let storage = JournalStorage::open_existing(&path).unwrap();
    check_continuation(Box::new(storage));
}

/// The study `golden` in `storage` goes on.
pub(crate) fn check_continuation(storage: Box<dyn Storage>) {
    let space = space(
        "x = { min = -2.0, max = 2.0 }\nrate = { min = 1e-5, max = 1e-1, log = true }\nshare = { min = 0.0, max = 1.0, step = 0.25 }\nsize = { min = 8, max = 128, step = 8 }\ndepth = { min = 1, max = 64, log = true }\nkind = ['a', 'b']",
    );
    let options = StudyOptions {
        name: "golden".to_owned(),
        directions: vec![Direction::Maximize],
        ..StudyOptions::default()
    };
    let mut study = Study::open(storage, space, options).unwrap();
    let before = study.trials().len();
    let queued = study
        .trials()
        .iter()
        .find(|trial| trial.state == TrialState::Waiting)
        .unwrap()
        .number;
    let started = study.ask().unwrap();
    assert_eq!(
        (started.number, &started.params["x"]),
        (queued, &Value::from(0.5))
    );
    assert_eq!(started.params.len(), 6);
    study
        .tell(started.number, &Outcome::Complete(vec![7.0]))
        .unwrap();
    assert_eq!(study.ask().unwrap().number, before);
}

#[test]
fn pruners_end_the_trials_that_optuna_ends() {
    let golden = golden("pruners.json");
    let curves: Vec<Vec<f64>> = golden["curves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|curve| {
            curve
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap_or(f64::NAN))
                .collect()
        })
        .collect();
    for case in golden["cases"].as_array().unwrap() {
        let config = match case["pruner"].as_str().unwrap() {
            "median" => "kind = 'median'\nstartup_trials = 2",
            "percentile" => {
                "kind = 'percentile'\npercentile = 30.0\nstartup_trials = 3\nwarmup_steps = 2\ninterval_steps = 3\nmin_trials = 2"
            }
            "halving" => "kind = 'asha'\nmin_resource = 2\nreduction_factor = 3",
            "hyperband" => "kind = 'hyperband'\nmin_resource = 1\nmax_resource = 9",
            "patient" => {
                "kind = 'patient'\npatience = 2\nmin_delta = 0.05\nwrapped = { kind = 'median', startup_trials = 1 }"
            }
            _ => "kind = 'threshold'\nlower = -0.8\nupper = 1.2\nwarmup_steps = 1",
        };
        let config: PrunerConfig = toml::from_str(config).unwrap();
        let direction: Direction = serde_json::from_value(case["direction"].clone()).unwrap();
        let options = StudyOptions {
            name: "golden".to_owned(),
            directions: vec![direction],
            ..StudyOptions::default()
        };
        let storage = Box::new(MemoryStorage::new());
        let mut study = Study::open(storage, space("x = { min = 0.0, max = 1.0 }"), options)
            .unwrap()
            .with_sampler(SamplerConfig::named("random").unwrap().build())
            .with_pruner(config.build().unwrap())
            .unwrap();
        let ends: Vec<Value> = curves
            .iter()
            .map(|curve| {
                let number = study.ask().unwrap().number;
                for (step, value) in curve.iter().enumerate() {
                    study.report(number, step as i64, *value).unwrap();
                    if study.should_prune(number).unwrap() {
                        study.tell(number, &Outcome::Pruned).unwrap();
                        return Value::from(step);
                    }
                }
                study
                    .tell(number, &Outcome::Complete(vec![curve[curve.len() - 1]]))
                    .unwrap();
                Value::Null
            })
            .collect();
        assert_eq!(
            Value::from(ends),
            case["ends"],
            "{} {}",
            case["pruner"],
            case["direction"]
        );
    }
}

#[test]
fn distributions_of_older_versions_are_read() {
    let read = |name: &str, attributes: &str| {
        Distribution::from_json(&format!(
            "{{\"name\": \"{name}\", \"attributes\": {attributes}}}"
        ))
        .unwrap()
    };
    let old = read("LogUniformDistribution", "{\"low\": 0.1, \"high\": 1.0}");
    assert_eq!(old, Distribution::float(0.1, 1.0, true, None).unwrap());
    let old = read(
        "DiscreteUniformDistribution",
        "{\"low\": 0.0, \"high\": 1.0, \"q\": 0.1}",
    );
    assert_eq!(
        old,
        Distribution::float(0.0, 1.0, false, Some(0.1)).unwrap()
    );
    let old = read(
        "IntUniformDistribution",
        "{\"low\": 1, \"high\": 7, \"step\": 2}",
    );
    assert_eq!(old, Distribution::int(1, 7, false, 2).unwrap());
}
