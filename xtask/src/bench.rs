//! `cargo xtask bench`: training and decoding speed as one JSON file, alone or side by side with the peers.

mod criterion;
mod host;
mod peers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use self::host::Host;
use crate::workspace::{Workspace, located};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only benchmarks whose criterion name matches, for example `train/char-small` or `decode`.
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "results/bench.json")]
    output: PathBuf,
    /// A Python that has the packages of xtask/peers/requirements.txt: alternate ours with PyTorch and transformers.
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// How often to alternate; medians over the rounds are reported.
    #[arg(long, value_name = "N", default_value_t = 3, requires = "peers", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// What the JSON file holds.
#[derive(Debug, Serialize)]
struct Report {
    host: Host,
    /// The commit, with `-dirty` after it when files differ from it.
    revision: String,
    /// What ours ran on.
    device: &'static str,
    /// Rounds that each value is the median of.
    rounds: u32,
    results: Vec<Measurement>,
    /// The same work in PyTorch and transformers, under the same names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<Measurement>,
    /// Ours divided by the peer's: above one, ours is faster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratios: Vec<Measurement>,
}

/// A named number.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
struct Measurement {
    name: String,
    value: f64,
    unit: String,
}

/// Runs the benchmarks, prints the report and writes it.
///
/// # Errors
/// A benchmark or peer that does not run, or a filter that matches none.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let rounds = if args.peers.is_some() { args.rounds } else { 1 };
    let python = args.peers.as_deref().map(located).transpose()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        let measured = criterion::run(workspace, args.filter.as_deref())?;
        if measured.is_empty() {
            bail!("no benchmark was measured; does the filter match one?");
        }
        if let Some(python) = &python {
            for measurement in &measured {
                theirs.extend(peers::measure(workspace, python, &measurement.name)?);
            }
        }
        ours.extend(measured);
    }

    let (results, peers) = (medians(&ours), medians(&theirs));
    let report = Report {
        host: Host::current(),
        revision: host::revision(workspace),
        device: "cpu",
        rounds,
        ratios: ratios(&results, &peers),
        results,
        peers,
    };
    let text = serde_json::to_string_pretty(&report)? + "\n";
    print!("{text}");
    if !report.ratios.is_empty() {
        eprint!("{}", table(&report));
    }
    write(&workspace.root.join(&args.output), &text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// One measurement for each name, in the order of first appearance: the median of its values.
fn medians(measured: &[Measurement]) -> Vec<Measurement> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut first = Vec::new();
    for measurement in measured {
        let of_name = values.entry(&measurement.name).or_default();
        if of_name.is_empty() {
            first.push(measurement);
        }
        of_name.push(measurement.value);
    }
    first
        .into_iter()
        .map(|measurement| Measurement {
            value: median(&mut values[measurement.name.as_str()].clone()),
            ..measurement.clone()
        })
        .collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

fn ratios(ours: &[Measurement], peers: &[Measurement]) -> Vec<Measurement> {
    let ratio = |ours: &Measurement| {
        let peer = peers
            .iter()
            .find(|peer| peer.name == ours.name && peer.unit == ours.unit)?;
        Some(Measurement {
            name: ours.name.clone(),
            value: ours.value / peer.value,
            unit: "times the peer".to_owned(),
        })
    };
    ours.iter().filter_map(ratio).collect()
}

fn table(report: &Report) -> String {
    let mut text = format!(
        "{:24} {:>12} {:>12} {:>8}\n",
        "tokens/s", "ours", "peer", "ratio"
    );
    for ratio in &report.ratios {
        let value = |list: &[Measurement]| {
            list.iter()
                .find(|other| other.name == ratio.name)
                .map_or(f64::NAN, |m| m.value)
        };
        text += &format!(
            "{:24} {:12.0} {:12.0} {:8.2}\n",
            ratio.name,
            value(&report.results),
            value(&report.peers),
            ratio.value
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &str, value: f64) -> Measurement {
        Measurement {
            name: name.to_owned(),
            value,
            unit: "tokens/s".to_owned(),
        }
    }

    #[test]
    fn medians_are_taken_by_name() {
        let measured = [("b", 3.0), ("a", 1.0), ("b", 1.0), ("a", 2.0), ("b", 2.0)]
            .map(|(name, value)| measurement(name, value));
        assert_eq!(
            medians(&measured),
            [measurement("b", 2.0), measurement("a", 1.5)]
        );
    }

    #[test]
    fn ratios_compare_the_same_names() {
        let ratios = ratios(
            &[measurement("a", 6.0), measurement("b", 1.0)],
            &[measurement("a", 4.0)],
        );
        assert_eq!(ratios.len(), 1);
        assert_eq!((ratios[0].name.as_str(), ratios[0].value), ("a", 1.5));
    }
}
