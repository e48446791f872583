//! `results/scaling.json`: how our speed and memory follow the sizes of model and text, and the number of threads.
//!
//! The points are the benchmarks of the target `scaling`, each run in a process of its own.

use std::path::Path;

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::criterion::{self, Id};
use super::executables::Executables;
use super::host::{self, Host};
use super::quantities::Quantity;
use super::write_json;
use crate::workspace::Workspace;

/// Where the measurements are kept that the page shows.
pub(super) const RESULTS: &str = "results/scaling.json";
/// The bench target.
const TARGET: &str = "scaling";
/// The axis of threads, and the benchmark that is run with different numbers of them.
const THREADS: (&str, &str) = ("threads", "batch/4");

/// What the JSON file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scaling {
    pub(super) host: Host,
    pub(super) revision: String,
    pub(super) date: String,
    pub(super) points: Vec<Point>,
}

/// Speed and memory at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// What varies, as in `context`.
    pub(super) axis: String,
    /// Its value.
    pub(super) size: u64,
    pub(super) tokens_per_s: f64,
    /// Of the whole process, in MB of 10⁶ bytes.
    pub(super) peak_mb: f64,
    /// A training step's, after the first steps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) page_faults: Option<f64>,
}

impl Scaling {
    /// The file of the project, if there is one.
    pub(super) fn read(workspace: &Workspace) -> Result<Option<Self>> {
        let path = workspace.root.join(RESULTS);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)?;
        let scaling = serde_json::from_str(&text);
        scaling
            .map(Some)
            .with_context(|| format!("cannot understand {RESULTS}"))
    }

    /// The points of an axis, in the order of measuring.
    pub(super) fn axis<'a>(&'a self, axis: &'a str) -> impl Iterator<Item = &'a Point> {
        self.points.iter().filter(move |point| point.axis == axis)
    }
}

/// Measures the points whose names match, and writes `path`.
pub(super) fn run(workspace: &Workspace, filter: Option<&Regex>, path: &Path) -> Result<()> {
    let executables = Executables::build(workspace, &[TARGET], &[])?;
    let listed = criterion::list(workspace, &executables, TARGET)?;
    let mut work: Vec<(String, Option<u64>)> =
        listed.into_iter().map(|name| (name, None)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let numbers = std::iter::successors(Some(1), |n| Some(2 * n)).take_while(|n| *n <= cores);
    work.extend(numbers.map(|n| (format!("{}/{n}", THREADS.0), Some(n))));
    work.retain(|(name, _)| filter.is_none_or(|filter| filter.is_match(name)));
    if work.is_empty() {
        bail!("no point matches the filter");
    }

    let mut points = Vec::new();
    for (name, threads) in &work {
        let id = Id {
            target: TARGET,
            name: threads.map_or(name.as_str(), |_| THREADS.1).to_owned(),
        };
        let values = criterion::measure(workspace, &executables, &id, *threads)?;
        let (axis, size) = place(name)?;
        let point = Point {
            axis: axis.to_owned(),
            size,
            tokens_per_s: values[&Quantity::Speed],
            peak_mb: values[&Quantity::Memory],
            page_faults: values.get(&Quantity::PageFaults).copied(),
        };
        println!(
            "{name:16} {:9.0} tokens/s {:9.0} MB",
            point.tokens_per_s, point.peak_mb
        );
        points.push(point);
    }
    let scaling = Scaling {
        host: Host::current(),
        revision: host::revision(workspace),
        date: host::today(),
        points,
    };
    write_json(path, &scaling)
}

/// Axis and size of a benchmark called `context/64`.
fn place(name: &str) -> Result<(&str, u64)> {
    let (axis, size) = name
        .split_once('/')
        .with_context(|| format!("{name} is not AXIS/SIZE"))?;
    let size = size
        .parse()
        .with_context(|| format!("{name} is not AXIS/SIZE"))?;
    Ok((axis, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_places_on_an_axis() {
        assert_eq!(place("context/8192").unwrap(), ("context", 8192));
        assert!(place("context").is_err());
        assert!(place("context/long").is_err());
    }
}
