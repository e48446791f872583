//! The figures of docs/search.md: how close a search of 100 trials comes to the minima of published functions, beside Optuna.

use std::path::PathBuf;

use llm_search::SamplerConfig;

use crate::functions::{Functions, geometric_mean};

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn functions(test: &str) -> Option<Functions> {
    let Some(folder) = std::env::var_os("LLM_DATA_DIR") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{test}: LLM_DATA_DIR must be set where CI is"
        );
        eprintln!("SKIPPED {test}: LLM_DATA_DIR is not set");
        return None;
    };
    Some(Functions::read(&PathBuf::from(folder).join("oracles")).unwrap())
}

#[test]
fn functions_have_their_published_values() {
    let Some(functions) = functions("functions_have_their_published_values") else {
        return;
    };
    assert!(functions.largest_fault() < 1e-9);
}

#[test]
fn estimated_trials_come_as_close_as_those_of_optuna() {
    let Some(functions) = functions("estimated_trials_come_as_close_as_those_of_optuna") else {
        return;
    };
    let tpe = SamplerConfig::named("tpe").unwrap();
    let mut ratios = Vec::new();
    for name in functions.names() {
        let ours = functions.median_regret(name, &tpe).unwrap();
        let ratio = ours / functions.optuna(name, "tpe");
        assert!(ratio <= 1.5, "{name}: {ratio}");
        assert!(ours < functions.optuna(name, "random"), "{name}: {ours}");
        ratios.push(ratio);
    }
    assert!(ratios.len() >= 9);
    assert!(geometric_mean(&ratios) <= 1.0, "{ratios:?}");
}
