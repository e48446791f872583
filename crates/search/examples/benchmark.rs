//! How close searches come to the minima of published functions, beside Optuna, and what a search costs.
//!
//!     benchmark FOLDER RESULTS DOCS
//!
//! FOLDER holds `optimization_functions.json` and `optuna_baseline.json`. The figures are written to RESULTS, as JSON, and into DOCS, as the table between its
//! two marks.

#[path = "../tests/it/functions.rs"]
#[expect(
    dead_code,
    reason = "the tests check the functions, which is not repeated here"
)]
mod functions;
#[path = "../tests/it/measure.rs"]
mod measure;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use functions::{Functions, SEEDS, TRIALS, geometric_mean};
use llm_search::{
    JournalStorage, Limits, Running, SamplerConfig, Space, SpaceConfig, Stop, Study, StudyOptions,
};
use measure::{resident, seconds};
use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Without `gp`, which is made for trials that cost more than its own work.
const SAMPLERS: [&str; 4] = ["random", "qmc", "cma-es", "tpe"];
const BEGIN: &str = "<!-- benchmark -->";
const END: &str = "<!-- end of benchmark -->";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [folder, results, docs] = args.as_slice() else {
        return Err("benchmark FOLDER RESULTS DOCS".into());
    };
    let functions = Functions::read(Path::new(folder))?;
    let mut table = String::from("| function | Optuna random | Optuna TPE |");
    SAMPLERS.iter().for_each(|name| {
        let _ = write!(table, " {name} |");
    });
    table += " tpe / Optuna TPE |\n|---|---|---|";
    table += &"---|".repeat(SAMPLERS.len() + 1);
    let mut rows = Map::new();
    let mut ratios = Vec::new();
    for function in functions.names() {
        let optuna = functions.optuna(function, "tpe");
        let mut row = Map::new();
        let _ = write!(
            table,
            "\n| {function} | {} | {} |",
            figure(functions.optuna(function, "random")),
            figure(optuna)
        );
        for name in SAMPLERS {
            let regret = functions.median_regret(function, &SamplerConfig::named(name)?)?;
            row.insert(name.to_owned(), json!(regret));
            let _ = write!(table, " {} |", figure(regret));
            if name == "tpe" {
                ratios.push(regret / optuna);
            }
        }
        let ratio = ratios.last().copied().unwrap_or(f64::NAN);
        row.insert("optuna_tpe".to_owned(), json!(optuna));
        row.insert("tpe_by_optuna_tpe".to_owned(), json!(ratio));
        let _ = write!(table, " {ratio:.2} |");
        rows.insert(function.to_owned(), Value::Object(row));
    }
    let mean = geometric_mean(&ratios);
    let _ = write!(
        table,
        "\n| geometric mean |{} {mean:.2} |",
        " |".repeat(SAMPLERS.len() + 2)
    );
    let costs = costs()?;
    let all = json!({
        "trials": TRIALS,
        "seeds": SEEDS,
        "median_regret": rows,
        "tpe_by_optuna_tpe": {
            "geometric_mean": mean,
            "largest": ratios.iter().copied().fold(f64::NAN, f64::max),
        },
        "costs": costs,
    });
    fs::write(results, serde_json::to_string_pretty(&all)? + "\n")?;
    let text = fs::read_to_string(docs)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("DOCS has no mark")?;
    let (_, after) = rest.split_once(END).ok_or("DOCS has no second mark")?;
    fs::write(docs, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}

/// Three digits.
fn figure(value: f64) -> String {
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 8) as usize;
    format!("{value:.digits$}")
}

/// Seconds of the processor and bytes of searches whose objective costs nothing, of ten parameters.
fn costs() -> Result<Value> {
    let space = || -> Result<Space> {
        let text: String = (0..10)
            .map(|i| match i % 3 {
                0 => format!("p{i} = {{ min = 1e-4, max = 1.0, log = true }}\n"),
                1 => format!("p{i} = {{ min = 0, max = 50 }}\n"),
                _ => format!("p{i} = ['a', 'b', 'c', 'd']\n"),
            })
            .collect();
        let config: SpaceConfig = toml::from_str(&text)?;
        Ok(Space::new(config.parameters)?)
    };
    let journal = env::temp_dir().join(format!("llm-search-benchmark-{}.log", std::process::id()));
    let objective = |trial: &Running<'_>| trial.float("p0");
    let storage = JournalStorage::open(&journal)?.sync_to_disk(false);
    let mut random = Study::open(Box::new(storage), space()?, StudyOptions::default())?
        .with_sampler(SamplerConfig::named("random")?.build());
    let before = resident();
    let mut done = Ok(Stop::Trials);
    let limits = |trials| Limits {
        trials: Some(trials),
        timeout: None,
    };
    let random_seconds = seconds(|| done = random.optimize(&objective, limits(10_000)));
    done?;
    let bytes = before
        .zip(resident())
        .map(|(before, after)| after.saturating_sub(before) / 10_000);
    drop(random);
    fs::remove_file(&journal)?;
    let mut tpe = Study::new(space()?, StudyOptions::default())?;
    let mut done = Ok(Stop::Trials);
    let tpe_seconds = seconds(|| done = tpe.optimize(&objective, limits(1_000)));
    done?;
    Ok(json!({
        "seconds_of_10000_random_trials_in_a_journal": random_seconds,
        "bytes_of_a_trial": bytes,
        "seconds_of_1000_tpe_trials": tpe_seconds,
    }))
}
