//! Runs that are kept in folders: what they did, and how it is shown.
//!
//! Reads what `llm train` writes and changes nothing.

pub(crate) mod curves;
pub(crate) mod report;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llm_train::{Record, Split, has_checkpoint, read_metrics};
use serde::Serialize;

use crate::config::Config;
use crate::training::resume;
use crate::{input, run_folder};
pub(crate) use summary::Summary;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// A process trains in its folder now.
    Running,
    /// It ended as it was meant to, and left a model.
    Finished,
    /// It can go on from a checkpoint.
    Stopped,
    /// It has no checkpoint to go on from.
    Broken,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Broken => "broken off",
        }
    }
}

/// A run in its folder.
#[derive(Debug)]
pub(crate) struct StoredRun {
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    pub(crate) records: Vec<Record>,
    pub(crate) state: State,
}

impl StoredRun {
    /// The run called `name`: a folder, or where there is none, a folder in `runs`.
    ///
    /// # Errors
    /// There is no such run, or its files are damaged.
    pub(crate) fn find(name: &Path) -> anyhow::Result<Self> {
        let folder = find_folder(name)?;
        Self::read(&folder)
    }

    /// The run in this folder.
    ///
    /// # Errors
    /// It is no run folder, or its files are damaged.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let Some(config) = resume::stored(folder)? else {
            bail!("{}: is not a run folder", folder.display());
        };
        // A run that has only begun has no records.
        let records = if folder.join("metrics.jsonl").exists() {
            read_metrics(folder)?
        } else {
            Vec::new()
        };
        Ok(Self {
            state: state(folder, &records),
            folder: folder.to_owned(),
            config,
            records,
        })
    }

    /// Every run in the folder `runs`, by name, and what is wrong with those that can't be read.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(crate) fn all(runs: &Path) -> anyhow::Result<(Vec<Self>, Vec<anyhow::Error>)> {
        let name = runs.display();
        let entries =
            fs::read_dir(runs).with_context(|| format!("{name}: cannot read this folder"))?;
        let mut folders = Vec::new();
        for entry in entries {
            let folder = entry
                .with_context(|| format!("{name}: cannot read this folder"))?
                .path();
            if folder.join("config.toml").is_file() && folder.join("origin.json").is_file() {
                folders.push(folder);
            }
        }
        folders.sort();
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for folder in folders {
            match Self::read(&folder) {
                Ok(run) => found.push(run),
                Err(error) => faults.push(error),
            }
        }
        Ok((found, faults))
    }

    /// What the run is called: the name of its folder.
    pub(crate) fn name(&self) -> String {
        let absolute = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let name = absolute.file_name().unwrap_or(self.folder.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Records of one kind, in order.
    pub(crate) fn of(&self, split: Split) -> impl DoubleEndedIterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |record| record.split == split)
    }
}

/// Names for several runs: those of their folders, or the whole paths where two are the same.
pub(crate) fn names(runs: &[StoredRun]) -> Vec<String> {
    let names: Vec<String> = runs.iter().map(StoredRun::name).collect();
    let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let paths = runs.iter().map(|run| run.folder.display().to_string());
    let chosen = names.iter().zip(paths);
    chosen
        .map(|(name, path)| if is_unique(name) { name.clone() } else { path })
        .collect()
}

/// The folder of a run: `name` itself, or the one of this name in `runs`.
///
/// # Errors
/// There is neither.
pub(crate) fn find_folder(name: &Path) -> anyhow::Result<PathBuf> {
    let inside = Path::new(run_folder::RUNS).join(name);
    if name.is_dir() {
        Ok(name.to_owned())
    } else if name.components().count() == 1 && inside.is_dir() {
        Ok(inside)
    } else if input::exists(name)? {
        bail!(
            "{}: is a file, expected the folder of a run",
            name.display()
        )
    } else {
        bail!(
            "{}: there is no such run folder; `llm runs list` names those in {}",
            name.display(),
            run_folder::RUNS
        )
    }
}

fn state(folder: &Path, records: &[Record]) -> State {
    if run_folder::check_free(folder).is_err() {
        return State::Running;
    }
    // The end of a run is an evaluation over everything; a finished run that was made longer and then stopped has an older model.
    let evaluated = |record: &Record| record.evaluated_tokens;
    let all = records.iter().filter_map(evaluated).max();
    let ended = records
        .last()
        .is_some_and(|last| last.split == Split::Validation && evaluated(last) == all);
    if ended && folder.join("model").join("config.json").is_file() {
        State::Finished
    } else if has_checkpoint(folder) {
        State::Stopped
    } else {
        State::Broken
    }
}
