//! `results/plan.json`: what `llm plan` says of memory and time, beside what `llm train` then takes.
//!
//! Every run is a process of its own on stories of the grammar. A plan comes right before its run, so that both meet the same machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::executables::build_llm;
use super::host::{self, Host};
use super::{process, write_json};
use crate::workspace::{Workspace, check};

/// Where the measurements are kept that the page and the README show.
pub(super) const RESULTS: &str = "results/plan.json";

/// Settings of every run, before those of its case.
const SHARED: &[&str] = &[
    "tokenizer.kind=bpe",
    "tokenizer.vocab_size=1024",
    "train.eval_windows=40",
];

/// Settings of the runs whose memory is measured: a little of everything that a run does.
const SHORT: &[&str] = &[
    "train.max_steps=4",
    "train.eval_every=2",
    "train.checkpoint_every=2",
    "train.sample_every=2",
];

/// Settings of the runs whose time is measured.
const TIMED: &[&str] = &[
    "train.eval_every=50",
    "train.checkpoint_every=100",
    "train.sample_every=100",
];

/// A run.
struct Case {
    name: &'static str,
    settings: &'static str,
}

/// Families, sizes, batches, contexts, accumulation, optimizers, averages, precisions of moments.
const MEMORY: &[Case] = &[
    Case {
        name: "gpt2",
        settings: "model.family=gpt2 model.n_layers=6 model.n_heads=6 model.d_model=384 model.max_seq_len=256 train.batch_size=8",
    },
    Case {
        name: "gpt-dropout",
        settings: "model.family=gpt model.n_layers=4 model.n_heads=8 model.d_model=256 model.max_seq_len=128 model.dropout=0.1 train.batch_size=24",
    },
    Case {
        name: "llama-accumulation",
        settings: "model.family=llama model.n_layers=4 model.n_heads=8 model.n_kv_heads=2 model.d_model=512 model.max_seq_len=256 train.batch_size=4 train.grad_accumulation=3",
    },
    Case {
        name: "mistral-average",
        settings: "model.family=mistral model.n_layers=6 model.n_heads=8 model.n_kv_heads=4 model.d_model=320 model.window=64 model.max_seq_len=512 train.batch_size=3 train.ema=0.99",
    },
    Case {
        name: "gpt2-muon",
        settings: "model.family=gpt2 model.n_layers=8 model.n_heads=8 model.d_model=512 model.max_seq_len=64 train.batch_size=4 optimizer.kind=muon",
    },
    Case {
        name: "llama-long-sgd",
        settings: "model.family=llama model.n_layers=8 model.n_heads=8 model.d_model=256 model.max_seq_len=1024 train.batch_size=2 optimizer.kind=sgd",
    },
    Case {
        name: "gpt2-vocabulary-lion",
        settings: "model.family=gpt2 model.n_layers=2 model.n_heads=4 model.d_model=256 model.max_seq_len=128 model.vocab_size=16384 train.batch_size=16 optimizer.kind=lion",
    },
    Case {
        name: "gpt2-deep-bf16",
        settings: "model.family=gpt2 model.n_layers=12 model.n_heads=8 model.d_model=512 model.max_seq_len=128 train.batch_size=2 optimizer.moments=bf16",
    },
];

/// Small, middle and large steps.
const TIME: &[Case] = &[
    Case {
        name: "time-gpt2-small",
        settings: "model.family=gpt2 model.n_layers=4 model.n_heads=4 model.d_model=128 model.max_seq_len=64 train.batch_size=12 train.max_steps=1500",
    },
    Case {
        name: "time-llama",
        settings: "model.family=llama model.n_layers=6 model.n_heads=6 model.d_model=192 model.max_seq_len=128 train.batch_size=8 train.max_steps=400",
    },
    Case {
        name: "time-mistral-accumulation",
        settings: "model.family=mistral model.n_layers=6 model.n_heads=8 model.d_model=256 model.window=64 model.max_seq_len=256 train.batch_size=4 train.grad_accumulation=2 train.max_steps=120 optimizer.kind=muon",
    },
];

/// What the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plans {
    pub(super) host: Host,
    /// Peak resident memory in MB of 10⁶ bytes.
    pub(super) memory: Vec<Compared>,
    /// Seconds of the whole process.
    pub(super) time: Vec<Compared>,
    /// The largest distances, in percent of what was measured.
    pub(super) largest_off_percent: Largest,
}

/// The worst cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Largest {
    pub(super) memory: f64,
    pub(super) time: f64,
}

/// A plan and its run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Compared {
    pub(super) name: String,
    pub(super) settings: String,
    pub(super) revision: String,
    pub(super) date: String,
    pub(super) predicted: f64,
    pub(super) measured: f64,
    /// Above 0 where the plan says too much.
    pub(super) off_percent: f64,
}

impl Plans {
    /// The file of the project, if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path)?;
        let plans = serde_json::from_str(&text);
        plans
            .map(Some)
            .with_context(|| format!("cannot understand {}", path.display()))
    }

    /// The tables of the page.
    pub(super) fn tables(&self) -> String {
        let table = |title: &str, unit: &str, rows: &[Compared]| {
            let mut lines = vec![
                format!("| {title} | settings | planned, {unit} | measured, {unit} | off |"),
                "|---|---|---|---|---|".to_owned(),
            ];
            lines.extend(rows.iter().map(|row| {
                format!(
                    "| {} | `{}` | {:.0} | {:.0} | {:+.0} % |",
                    row.name, row.settings, row.predicted, row.measured, row.off_percent
                )
            }));
            lines.join("\n")
        };
        [
            table("memory", "MB", &self.memory),
            table("time", "s", &self.time),
        ]
        .join("\n\n")
    }
}

/// What `llm plan --json` prints, as far as it is compared.
#[derive(Deserialize)]
struct Plan {
    room: Room,
    course: Course,
}

#[derive(Deserialize)]
struct Room {
    peak_resident: f64,
}

#[derive(Deserialize)]
struct Course {
    seconds: Option<f64>,
}

/// Plans and runs the cases whose names match, and writes them over those in `path`.
///
/// # Errors
/// Nothing matches the filter, the program can't be built, or a run fails.
pub(super) fn run(
    workspace: &Workspace,
    filter: Option<&Regex>,
    llm: Option<&Path>,
    path: &Path,
) -> Result<()> {
    let before = Plans::read(path)?;
    let llm = match llm {
        Some(llm) => std::path::absolute(llm)?,
        None => build_llm(workspace)?,
    };
    let place = Place::new(workspace, llm)?;
    let chosen = |case: &&Case| filter.is_none_or(|filter| filter.is_match(case.name));
    if !MEMORY.iter().chain(TIME).any(|case| chosen(&case)) {
        bail!("no run matches the filter");
    }
    let over = |old: Option<&Vec<Compared>>, cases: &[Case], is_memory: bool| {
        let mut rows = Vec::new();
        for case in cases {
            let old = old.and_then(|rows| rows.iter().find(|row| row.name == case.name));
            if chosen(&case) {
                rows.push(place.compare(workspace, case, is_memory)?);
            } else {
                rows.extend(old.cloned());
            }
        }
        anyhow::Ok(rows)
    };
    let memory = over(before.as_ref().map(|plans| &plans.memory), MEMORY, true)?;
    let time = over(before.as_ref().map(|plans| &plans.time), TIME, false)?;
    let largest = |rows: &[Compared]| {
        rows.iter()
            .map(|row| row.off_percent.abs())
            .fold(0.0, f64::max)
    };
    let plans = Plans {
        host: Host::current(),
        largest_off_percent: Largest {
            memory: largest(&memory),
            time: largest(&time),
        },
        memory,
        time,
    };
    println!("{}", plans.tables());
    write_json(path, &plans)
}

/// Where runs are made.
struct Place {
    folder: PathBuf,
    llm: PathBuf,
}

impl Place {
    fn new(workspace: &Workspace, llm: PathBuf) -> Result<Self> {
        let folder = workspace.target.join("xtask").join("plans");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let place = Self { folder, llm };
        let mut synth = workspace.command(&place.llm);
        synth.args(["data", "synth", "--seed", "1", "--size", "300KB", "--force"]);
        check(synth.arg("--output").arg(place.text()))?;
        // The defaults of the tables: the built-in configuration has a time limit.
        std::fs::write(place.config(), "")?;
        Ok(place)
    }

    fn text(&self) -> PathBuf {
        self.folder.join("stories.txt")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("plain.toml")
    }

    fn llm(
        &self,
        workspace: &Workspace,
        command: &str,
        settings: &[&str],
    ) -> std::process::Command {
        let mut llm = workspace.command(&self.llm);
        llm.args(["--quiet", command, "--config"])
            .arg(self.config());
        llm.arg("--data").arg(self.text());
        for setting in settings {
            llm.args(["--set", setting]);
        }
        llm.env("LLM_CACHE_DIR", self.folder.join("cache"));
        llm
    }

    fn compare(&self, workspace: &Workspace, case: &Case, is_memory: bool) -> Result<Compared> {
        let course = if is_memory { SHORT } else { TIMED };
        let own = case.settings.split(' ');
        let settings: Vec<&str> = SHARED.iter().chain(course).copied().chain(own).collect();
        let mut plan = self.llm(workspace, "plan", &settings);
        plan.args(is_memory.then_some("--no-probe")).arg("--json");
        let printed = process::run(&mut plan)?.stdout;
        let plan: Plan = serde_json::from_str(&printed)
            .with_context(|| format!("llm plan printed `{printed}`"))?;
        let mut train = self.llm(workspace, "train", &settings);
        train
            .arg("--force")
            .arg("--output-dir")
            .arg(self.folder.join("run"));
        let trained = process::run(&mut train)?;
        let (predicted, measured) = if is_memory {
            (
                plan.room.peak_resident / 1e6,
                trained.peak_bytes as f64 / 1e6,
            )
        } else {
            let seconds = plan.course.seconds.context("a plan without time")?;
            (seconds, trained.wall.as_secs_f64())
        };
        Ok(Compared {
            name: case.name.to_owned(),
            settings: case.settings.to_owned(),
            revision: host::revision(workspace),
            date: host::today(),
            predicted,
            measured,
            off_percent: 100.0 * (predicted / measured - 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cases_have_names_of_their_own_and_settings_with_values() {
        let cases = || MEMORY.iter().chain(TIME);
        let names: BTreeSet<_> = cases().map(|case| case.name).collect();
        assert_eq!(names.len(), cases().count());
        assert!(MEMORY.len() >= 8 && TIME.len() >= 3);
        let mut settings = cases().flat_map(|case| case.settings.split(' '));
        assert!(
            settings.all(|setting| setting.split_once('=').is_some_and(|(_, v)| !v.is_empty()))
        );
    }

    /// What the project claims.
    #[test]
    fn plans_were_near_what_was_measured() {
        let workspace = Workspace::find().unwrap();
        let Some(plans) = Plans::read(&workspace.root.join(RESULTS)).unwrap() else {
            return;
        };
        for row in plans.memory.iter().chain(&plans.time) {
            assert!(row.off_percent.abs() <= 20.0, "{row:?}");
            let off = 100.0 * (row.predicted / row.measured - 1.0);
            assert!((row.off_percent - off).abs() < 1e-6, "{row:?}");
        }
    }
}
