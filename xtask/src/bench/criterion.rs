//! One benchmark of ours in a process of its own, and the throughput read from the files that criterion writes.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use walkdir::WalkDir;

use super::executables::Executables;
use super::process;
use super::programs::{Values, printed};
use super::quantities::Quantity;
use crate::workspace::Workspace;

/// Criterion's `benchmark.json`.
#[derive(Deserialize)]
struct Benchmark {
    throughput: Throughput,
}

/// Work of one iteration.
#[derive(Deserialize)]
struct Throughput {
    /// Tokens.
    #[serde(rename = "Elements")]
    elements: u64,
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

/// A benchmark of criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    /// The bench target.
    pub(super) target: &'static str,
    /// Group and function, as in `train/char-small`.
    pub(super) name: String,
}

/// Measures the benchmark: speed, memory of the process, and what else it prints.
pub(super) fn measure(
    workspace: &Workspace,
    executables: &Executables,
    id: &Id,
    threads: Option<u64>,
) -> Result<Values> {
    // A folder of our own, emptied first: nothing from an earlier run can be taken for a result.
    let home = workspace.target.join("xtask").join("criterion");
    if home.exists() {
        std::fs::remove_dir_all(&home)
            .with_context(|| format!("cannot empty {}", home.display()))?;
    }
    let mut command = executables.benchmark(workspace, id.target, &home);
    command.args(["--exact", &id.name]);
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let finished = process::run(&mut command)?;
    let mut values = printed(&finished.stdout)?;
    values.insert(Quantity::Speed, speed(&home)?);
    values.insert(Quantity::Memory, finished.peak_bytes as f64 / 1e6);
    Ok(values)
}

/// The names of all benchmarks of a target, in its order.
pub(super) fn list(
    workspace: &Workspace,
    executables: &Executables,
    target: &str,
) -> Result<Vec<String>> {
    let home = workspace.target.join("xtask").join("criterion");
    let mut command = executables.benchmark(workspace, target, &home);
    let listed = process::run(command.arg("--list"))?.stdout;
    Ok(listed
        .lines()
        .filter_map(|line| line.strip_suffix(": benchmark"))
        .map(str::to_owned)
        .collect())
}

/// Tokens a second of the only benchmark below criterion's folder.
fn speed(home: &Path) -> Result<f64> {
    let found = WalkDir::new(home).into_iter().flatten().find(|entry| {
        let folder = entry.path().parent();
        entry.file_name() == "benchmark.json" && folder.is_some_and(|f| f.ends_with("new"))
    });
    let Some(found) = found else {
        bail!("criterion measured nothing");
    };
    let benchmark = std::fs::read_to_string(found.path())?;
    let estimates = std::fs::read_to_string(found.path().with_file_name("estimates.json"))?;
    tokens_per_second(&benchmark, &estimates)
        .with_context(|| format!("cannot understand {}", found.path().display()))
}

fn tokens_per_second(benchmark: &str, estimates: &str) -> Result<f64> {
    let benchmark: Benchmark = serde_json::from_str(benchmark)?;
    let estimates: Estimates = serde_json::from_str(estimates)?;
    Ok(benchmark.throughput.elements as f64 / (estimates.median.point_estimate * 1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATES: &str = r#"{"mean":{"point_estimate":9.0},"median":{"confidence_interval":{"confidence_level":0.95,
        "lower_bound":1.9e6,"upper_bound":2.1e6},"point_estimate":2000000.0,"standard_error":1.0}}"#;

    #[test]
    fn speed_is_tokens_by_the_median_time() {
        let benchmark = r#"{"group_id":"train","function_id":"char-small","value_str":null,"throughput":{"Elements":768},
            "full_id":"train/char-small","directory_name":"train/char-small","title":"train/char-small"}"#;
        assert_eq!(tokens_per_second(benchmark, ESTIMATES).unwrap(), 384_000.0);
    }

    #[test]
    fn a_benchmark_that_counts_no_tokens_is_refused() {
        for throughput in ["null", r#"{"Bytes":10}"#] {
            let benchmark = format!(r#"{{"throughput":{throughput}}}"#);
            assert!(tokens_per_second(&benchmark, ESTIMATES).is_err());
        }
    }
}
