//! `results/searches.json`: real searches over tiny Shakespeare. How much training successive halving (ASHA) spares, and what a search of twenty minutes finds.
//!
//! The same 24 random points are trained twice: all to their end, and under ASHA. The search of twenty minutes is compared with the settings that it starts
//! from, given the sizes of the best model, so that both have the same parameters and the same steps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::executables::build_llm;
use super::host::{self, Host};
use super::materials::shared;
use super::{process, write_json};
use crate::workspace::Workspace;

/// Where the measurements are kept.
pub(super) const RESULTS: &str = "results/searches.json";
/// Where the pictures lie.
const CHARTS: &str = "docs/search";
/// What is searched, and the settings under it.
const CONFIG: &str = "configs/search-small.toml";
const SEEDS: [u64; 3] = [1, 2, 3];
const TRIALS: usize = 24;
/// Steps between two evaluations, which ASHA decides at.
const EVERY: u64 = 20;
/// Steps of each trial of the long search, and its seconds.
const STEPS: u64 = 1000;
const SECONDS: u64 = 1200;

/// What the JSON file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Searches {
    host: Host,
    revision: String,
    date: String,
    asha: Vec<Asha>,
    /// The mean over the seeds,
    asha_steps_percent: f64,
    /// and the worst of them.
    asha_worst_percent: f64,
    long: Option<Long>,
}

/// The same points trained twice.
#[derive(Debug, Serialize, Deserialize)]
struct Asha {
    seed: u64,
    /// Optimizer steps of all trials,
    full_steps: u64,
    asha_steps: u64,
    /// and of the second in percent of the first.
    steps_percent: f64,
    /// Nats a character.
    full_best: f64,
    asha_best: f64,
    /// How much worse the best of ASHA is, in percent.
    worse_percent: f64,
}

/// The search of twenty minutes.
#[derive(Debug, Serialize, Deserialize)]
struct Long {
    seconds: f64,
    steps_of_a_trial: u64,
    complete: usize,
    pruned: usize,
    failed: usize,
    best: Value,
    parameters: f64,
    /// Validation losses in nats a character.
    best_loss: f64,
    /// Of the settings without a search, with the sizes of the best model.
    default_loss: f64,
    better_percent: f64,
}

/// `search_results.json`, as far as it is compared.
#[derive(Deserialize)]
struct Found {
    best_trial: Option<usize>,
    best_value: Option<f64>,
    best_params: serde_json::Map<String, Value>,
    counts: Counts,
    trials: Vec<Trial>,
}

#[derive(Deserialize)]
struct Counts {
    complete: usize,
    pruned: usize,
    failed: usize,
}

#[derive(Deserialize)]
struct Trial {
    number: usize,
    notes: serde_json::Map<String, Value>,
}

/// Runs the searches and writes what they came to.
///
/// # Errors
/// The data or the program is missing, or a search fails.
pub(super) fn run(workspace: &Workspace, llm: Option<&Path>, path: &Path) -> Result<()> {
    let llm = match llm {
        Some(llm) => std::path::absolute(llm)?,
        None => build_llm(workspace)?,
    };
    let folder = workspace.target.join("xtask").join("searches");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let place = Place {
        workspace,
        llm,
        text: shared("corpora/tinyshakespeare.txt")?,
        folder,
    };
    let mut searches = Searches {
        host: Host::current(),
        revision: host::revision(workspace),
        date: host::today(),
        asha: Vec::new(),
        asha_steps_percent: 0.0,
        asha_worst_percent: 0.0,
        long: None,
    };
    for seed in SEEDS {
        searches.asha.push(place.asha(seed)?);
        let shares = searches.asha.iter().map(|asha| asha.steps_percent);
        searches.asha_steps_percent = shares.sum::<f64>() / searches.asha.len() as f64;
        let worse = searches.asha.iter().map(|asha| asha.worse_percent);
        searches.asha_worst_percent = worse.fold(0.0, f64::max);
        write_json(path, &searches)?;
    }
    searches.long = Some(place.long()?);
    write_json(path, &searches)?;
    place.draw()?;
    println!("{}", serde_json::to_string_pretty(&searches)?);
    Ok(())
}

/// Where searches are made.
struct Place<'a> {
    workspace: &'a Workspace,
    llm: PathBuf,
    text: PathBuf,
    folder: PathBuf,
}

impl Place<'_> {
    /// Searches with this configuration, and gives what was found and how many seconds it took.
    fn search(&self, name: &str, config: &str, arguments: &[String]) -> Result<(Found, f64)> {
        let file = self.folder.join(format!("{name}.toml"));
        std::fs::write(&file, config)?;
        let folder = self.folder.join(name);
        let mut command = self.workspace.command(&self.llm);
        command.args(["search", "--force", "--workers", "2", "--config"]);
        command.arg(&file).arg("--data").arg(&self.text);
        command.arg("--output-dir").arg(&folder).args(arguments);
        command.env("LLM_CACHE_DIR", self.folder.join("cache"));
        let finished = process::run(&mut command)?;
        let text = std::fs::read_to_string(folder.join("search_results.json"))?;
        Ok((serde_json::from_str(&text)?, finished.wall.as_secs_f64()))
    }

    /// The configuration, with another `[search]` of these lines.
    fn config(&self, lines: &str) -> Result<String> {
        let text = std::fs::read_to_string(self.workspace.root.join(CONFIG))
            .with_context(|| format!("cannot read {CONFIG}"))?;
        let sampler = "sampler = \"tpe\"";
        anyhow::ensure!(text.contains(sampler), "{CONFIG} has no line `{sampler}`");
        Ok(text.replace(sampler, lines))
    }

    fn asha(&self, seed: u64) -> Result<Asha> {
        let run = |name: &str, pruner: &str| -> Result<(f64, u64)> {
            let lines = format!("sampler = \"random\"\npruner = {pruner}");
            let arguments = [
                "--seed".to_owned(),
                seed.to_string(),
                "--n-trials".to_owned(),
                TRIALS.to_string(),
                "--timeout".to_owned(),
                "100000".to_owned(),
                "--set".to_owned(),
                format!("train.eval_every={EVERY}"),
            ];
            let name = format!("{name}-{seed}");
            let (found, _) = self.search(&name, &self.config(&lines)?, &arguments)?;
            let mut steps = 0;
            for trial in &found.trials {
                steps += self.steps(&name, trial.number)?;
            }
            Ok((found.best_value.context("no trial is complete")?, steps))
        };
        let (full_best, full_steps) = run("full", "\"none\"")?;
        let halving =
            format!("{{ kind = \"halving\", min_resource = {EVERY}, reduction_factor = 3 }}");
        let (asha_best, asha_steps) = run("asha", &halving)?;
        Ok(Asha {
            seed,
            full_steps,
            asha_steps,
            steps_percent: 100.0 * asha_steps as f64 / full_steps as f64,
            full_best,
            asha_best,
            worse_percent: 100.0 * (asha_best / full_best - 1.0),
        })
    }

    /// Optimizer steps that the run of a trial recorded.
    fn steps(&self, search: &str, trial: usize) -> Result<u64> {
        let path = self
            .folder
            .join(search)
            .join(format!("trials/{trial:03}/metrics.jsonl"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let step = |line: &str| serde_json::from_str::<Value>(line).ok()?["step"].as_u64();
        Ok(text.lines().filter_map(step).max().unwrap_or(0))
    }

    fn long(&self) -> Result<Long> {
        let steps = format!("train.max_steps={STEPS}");
        let arguments = [
            "--seed".to_owned(),
            "42".to_owned(),
            "--n-trials".to_owned(),
            "1000".to_owned(),
            "--timeout".to_owned(),
            SECONDS.to_string(),
            "--set".to_owned(),
            steps.clone(),
        ];
        let (found, seconds) =
            self.search("long", &self.config("sampler = \"tpe\"")?, &arguments)?;
        let number = found.best_trial.context("no trial is complete")?;
        let best_loss = found.best_value.context("no trial is complete")?;
        let default_loss = self.default_loss(&found.best_params, &steps)?;
        let parameters = found.trials[number].notes.get("parameters");
        Ok(Long {
            seconds,
            steps_of_a_trial: STEPS,
            complete: found.counts.complete,
            pruned: found.counts.pruned,
            failed: found.counts.failed,
            best: Value::Object(found.best_params),
            parameters: parameters
                .and_then(Value::as_f64)
                .context("no size was noted")?,
            best_loss,
            default_loss,
            better_percent: 100.0 * (1.0 - best_loss / default_loss),
        })
    }

    /// Draws the long search for the README.
    fn draw(&self) -> Result<()> {
        let charts = self.workspace.root.join(CHARTS);
        std::fs::create_dir_all(&charts)?;
        for kind in ["history", "parallel"] {
            let mut command = self.workspace.command(&self.llm);
            command.args(["search", "plot", "--force", "--kind", kind]);
            command.arg(self.folder.join("long")).arg("--output");
            process::run(command.arg(charts.join(format!("{kind}.svg"))))?;
        }
        Ok(())
    }

    /// The last validation loss of the settings that the search starts from, with the sizes in `params`.
    fn default_loss(&self, params: &serde_json::Map<String, Value>, steps: &str) -> Result<f64> {
        let text = std::fs::read_to_string(self.folder.join("long/base.toml"))?;
        let file = self.folder.join("default.toml");
        std::fs::write(&file, text)?;
        let run = self.folder.join("default");
        let mut command = self.workspace.command(&self.llm);
        command.args(["--quiet", "train", "--force", "--config"]);
        command.arg(&file).arg("--output-dir").arg(&run);
        command.args(["--set", steps]);
        for key in ["model.d_model", "model.n_layers", "model.n_heads"] {
            let value = params.get(key).with_context(|| format!("no {key}"))?;
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.env("LLM_CACHE_DIR", self.folder.join("cache"));
        process::run(&mut command)?;
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl"))?;
        metrics
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|record| record["split"] == "validation")
            .find_map(|record| record["loss"].as_f64())
            .context("the run was never evaluated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the project claims.
    #[test]
    fn searches_were_worth_it() {
        let workspace = Workspace::find().unwrap();
        let path = workspace.root.join(RESULTS);
        if !path.exists() {
            return;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let searches: Searches = serde_json::from_str(&text).unwrap();
        for asha in &searches.asha {
            assert!(asha.worse_percent <= 2.0, "{asha:?}");
            assert!(asha.steps_percent <= 35.0, "{asha:?}");
        }
        let long = searches.long.unwrap();
        assert!(long.best_loss < long.default_loss, "{long:?}");
        assert!(long.seconds < 1.05 * SECONDS as f64, "{long:?}");
    }
}
