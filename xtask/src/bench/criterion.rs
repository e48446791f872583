//! Our own benchmarks, run by criterion, and the throughput read from the files that it writes.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use walkdir::WalkDir;

use super::Measurement;
use crate::workspace::{Workspace, check};

/// Benchmark targets, in the order of running.
const TARGETS: [&str; 2] = ["training", "decoding"];

/// Criterion's `benchmark.json`.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

/// Work of one iteration.
#[derive(Deserialize)]
struct Throughput {
    /// Tokens.
    #[serde(rename = "Elements")]
    elements: Option<u64>,
}

/// Criterion's `estimates.json`; times in nanoseconds an iteration.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Runs the benchmarks that match `filter`, and returns tokens a second by name.
pub(super) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Vec<Measurement>> {
    // A folder of our own, emptied first: nothing from an earlier run can be taken for a result.
    let home = workspace.target.join("xtask").join("criterion");
    if home.exists() {
        std::fs::remove_dir_all(&home)
            .with_context(|| format!("cannot empty {}", home.display()))?;
    }
    for target in TARGETS {
        // The whole workspace: for one package alone Burn would have other features, and be built anew.
        let mut command =
            workspace.cargo(&format!("bench --workspace --bench {target} --locked --"));
        command.args(filter).env("CRITERION_HOME", &home);
        // stdout is for the report.
        check(command.stdout(std::io::stderr()))?;
    }
    read(&home)
}

/// All results below criterion's folder, in the order of their names.
fn read(home: &Path) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for entry in WalkDir::new(home).sort_by_file_name().into_iter().flatten() {
        if entry.file_name() != "benchmark.json"
            || entry
                .path()
                .parent()
                .is_none_or(|folder| !folder.ends_with("new"))
        {
            continue;
        }
        let benchmark = std::fs::read_to_string(entry.path())?;
        let estimates = std::fs::read_to_string(entry.path().with_file_name("estimates.json"))?;
        let measurement = measurement(&benchmark, &estimates);
        measurements.extend(
            measurement.with_context(|| format!("cannot understand {}", entry.path().display()))?,
        );
    }
    Ok(measurements)
}

/// Tokens a second from the two files; `None` if the benchmark does not count tokens.
fn measurement(benchmark: &str, estimates: &str) -> Result<Option<Measurement>> {
    let benchmark: Benchmark = serde_json::from_str(benchmark)?;
    let estimates: Estimates = serde_json::from_str(estimates)?;
    let tokens = benchmark
        .throughput
        .and_then(|throughput| throughput.elements);
    Ok(tokens.map(|tokens| Measurement {
        name: name(&benchmark.full_id),
        value: tokens as f64 / (estimates.median.point_estimate * 1e-9),
        unit: "tokens/s".to_owned(),
    }))
}

/// `train/char-small` is reported as `char-small`, `decode/gpt2-124m` as `gpt2-124m decode`.
fn name(id: &str) -> String {
    match id.split_once('/') {
        Some(("train", model)) => model.to_owned(),
        Some((work, model)) => format!("{model} {work}"),
        None => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATES: &str = r#"{"mean":{"point_estimate":9.0},"median":{"confidence_interval":{"confidence_level":0.95,
        "lower_bound":1.9e6,"upper_bound":2.1e6},"point_estimate":2000000.0,"standard_error":1.0}}"#;

    #[test]
    fn throughput_is_tokens_by_the_median_time() {
        let benchmark = r#"{"group_id":"train","function_id":"char-small","value_str":null,"throughput":{"Elements":768},
            "full_id":"train/char-small","directory_name":"train/char-small","title":"train/char-small"}"#;
        let expected = Measurement {
            name: "char-small".to_owned(),
            value: 384_000.0,
            unit: "tokens/s".to_owned(),
        };
        assert_eq!(measurement(benchmark, ESTIMATES).unwrap(), Some(expected));
    }

    #[test]
    fn benchmarks_that_count_no_tokens_are_left_out() {
        for throughput in ["null", r#"{"Bytes":10}"#] {
            let benchmark = format!(r#"{{"full_id":"x/y","throughput":{throughput}}}"#);
            assert_eq!(measurement(&benchmark, ESTIMATES).unwrap(), None);
        }
    }

    #[test]
    fn names_say_the_model_first() {
        assert_eq!(name("train/llama-base"), "llama-base");
        assert_eq!(name("prefill/gpt2-124m"), "gpt2-124m prefill");
        assert_eq!(name("decode/gpt2-124m"), "gpt2-124m decode");
    }
}
