//! Samplers find what random points do not, in the spaces that they are for.

use llm_search::{Direction, Limits, Running, SamplerConfig, Study, StudyOptions};
use serde_json::json;

use crate::space;

/// The median over seeds of the best value of an objective.
fn median_best(
    name: &str,
    text: &str,
    trials: usize,
    objective: &(impl Fn(&Running<'_>) -> f64 + Sync),
) -> f64 {
    let mut best: Vec<f64> = (0..5)
        .map(|seed| {
            let options = StudyOptions {
                seed,
                ..StudyOptions::default()
            };
            let mut study = Study::new(space(text), options)
                .unwrap()
                .with_sampler(SamplerConfig::named(name).unwrap().build());
            study
                .optimize(
                    &objective,
                    Limits {
                        trials: Some(trials),
                        timeout: None,
                    },
                )
                .unwrap();
            study.best().unwrap().values[0]
        })
        .collect();
    best.sort_by(f64::total_cmp);
    best[2]
}

#[test]
fn a_valley_of_numbers_is_followed() {
    let space = "a = { min = -5.0, max = 5.0 }\nb = { min = 1e-4, max = 1.0, log = true }\nc = { min = 0, max = 100 }";
    let objective = |trial: &Running<'_>| {
        let b = (trial.float("b") / 0.01).ln();
        (trial.float("a") - 1.0 - 0.3 * b).powi(2)
            + b.powi(2)
            + (trial.float("c") / 10.0 - 7.0).powi(2)
    };
    let random = median_best("random", space, 60, &objective);
    for (name, part) in [("tpe", 0.3), ("cma-es", 0.3), ("gp", 0.02)] {
        let best = median_best(name, space, 60, &objective);
        assert!(best < part * random, "{name} {best}, random {random}");
    }
}

#[test]
fn choices_and_what_hangs_on_them_are_found() {
    let space = "kind = ['a', 'b', 'c', 'd', 'e', 'f']\nx = { min = 0.0, max = 1.0, when = 'kind == \"c\"' }\ny = { min = 0, max = 9 }";
    let objective = |trial: &Running<'_>| {
        let kind = if trial.get("kind") == Some(&json!("c")) {
            (trial.float("x") - 0.7).abs()
        } else {
            1.0
        };
        kind + (trial.float("y") - 4.0).abs() / 9.0
    };
    let random = median_best("random", space, 60, &objective);
    for (name, part) in [("tpe", 0.5), ("gp", 0.8)] {
        let best = median_best(name, space, 60, &objective);
        assert!(best < part * random, "{name} {best}, random {random}");
    }
}

#[test]
fn constraints_hold_for_every_trial_of_every_sampler() {
    for name in ["tpe", "random", "qmc", "cma-es", "gp", "nsga2", "grid"] {
        let space =
            space("d_model = { min = 16, max = 256, step = 16 }\nn_heads = { min = 1, max = 12 }")
                .with_constraint("d_model % n_heads == 0 and d_model / n_heads >= 8")
                .unwrap();
        let mut study = Study::new(space, StudyOptions::default())
            .unwrap()
            .with_sampler(SamplerConfig::named(name).unwrap().build());
        let objective =
            |trial: &Running<'_>| (trial.float("d_model") - 96.0).abs() + trial.float("n_heads");
        study
            .optimize(
                &objective,
                Limits {
                    trials: Some(40),
                    timeout: None,
                },
            )
            .unwrap();
        for trial in study.trials() {
            let params = trial.params();
            let (d, h) = (
                params["d_model"].as_i64().unwrap(),
                params["n_heads"].as_i64().unwrap(),
            );
            assert!(d % h == 0 && d / h >= 8, "{name} {d} {h}");
        }
    }
}

/// The area that a front of two losses leaves free up to (1, 5), the larger the better.
fn area(study: &Study) -> f64 {
    let mut front: Vec<(f64, f64)> = study
        .front()
        .iter()
        .map(|trial| (trial.values[0], trial.values[1]))
        .collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut area = 0.0;
    let mut height = 5.0;
    for (x, y) in front {
        if x < 1.0 && y < height {
            area += (1.0 - x) * (height - y);
            height = y;
        }
    }
    area
}

/// ZDT1 of Zitzler, Deb and Thiele 2000, in 6 dimensions.
#[test]
fn fronts_of_two_objectives_are_pushed_further_than_at_random() {
    let text: String = (0..6)
        .map(|i| format!("x{i} = {{ min = 0.0, max = 1.0 }}\n"))
        .collect();
    let median = |name: &str| {
        let mut areas: Vec<f64> = (0..5)
            .map(|seed| {
                let options = StudyOptions {
                    seed,
                    directions: vec![Direction::Minimize; 2],
                    ..StudyOptions::default()
                };
                let mut study = Study::new(space(&text), options)
                    .unwrap()
                    .with_sampler(SamplerConfig::named(name).unwrap().build());
                let objective = |trial: &Running<'_>| {
                    let first = trial.float("x0");
                    let g = 1.0
                        + 9.0 * (1..6).map(|i| trial.float(&format!("x{i}"))).sum::<f64>() / 5.0;
                    vec![first, g * (1.0 - (first / g).sqrt())]
                };
                study
                    .optimize(
                        &objective,
                        Limits {
                            trials: Some(250),
                            timeout: None,
                        },
                    )
                    .unwrap();
                area(&study)
            })
            .collect();
        areas.sort_by(f64::total_cmp);
        areas[2]
    };
    let random = median("random");
    for name in ["tpe", "nsga2"] {
        let found = median(name);
        assert!(found > random + 0.3, "{name} {found}, random {random}");
    }
}
