//! The folder of a study, and what is in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llm_files::PARTIAL;
use llm_search::{JournalStorage, RdbStorage, Space, Storage, Study};

use super::settings::SearchSettings;
use crate::output::{self, Overwrite};
use crate::{input, run_folder};

const SETTINGS: &str = "search.json";
const BASE: &str = "base.toml";
const JOURNAL: &str = "study.jsonl";
const TRIALS: &str = "trials";
/// What a search writes; only these are removed when it is written over.
const ENTRIES: [&str; 9] = [
    SETTINGS,
    BASE,
    JOURNAL,
    "study.jsonl.lock",
    "study.jsonl.workers",
    TRIALS,
    "search_results.json",
    "best_config.toml",
    "report.html",
];

/// A folder in which a search was or is.
#[derive(Clone, Debug)]
pub(crate) struct StudyFolder(PathBuf);

impl StudyFolder {
    /// Looks whether [`Self::create`] would refuse.
    ///
    /// # Errors
    /// It has files in it and `overwrite` refuses, or they are no search's.
    pub(crate) fn check(path: Option<&Path>, overwrite: Overwrite) -> anyhow::Result<()> {
        let Some(path) = path else {
            return Ok(());
        };
        output::check_folder(path, overwrite)?;
        let is_empty = !path.exists() || path.read_dir()?.next().is_none();
        if !is_empty && !path.join(SETTINGS).exists() {
            bail!(
                "{}: has files in it that no search wrote, which --force does not write over; give another name",
                path.display()
            );
        }
        Ok(())
    }

    /// Makes the folder of a new search: `path` if given, else the next free `runs/search-NNN`.
    ///
    /// # Errors
    /// It has files in it and `overwrite` refuses, or they are no search's, or it can't be made.
    pub(crate) fn create(path: Option<&Path>, overwrite: Overwrite) -> anyhow::Result<Self> {
        Self::check(path, overwrite)?;
        let Some(path) = path else {
            return Ok(Self(run_folder::create(None, "search", overwrite)?));
        };
        fs::create_dir_all(path)
            .with_context(|| format!("{}: cannot make this folder", path.display()))?;
        for entry in ENTRIES {
            remove(&path.join(entry))?;
        }
        Ok(Self(path.to_owned()))
    }

    /// The folder of a search that was begun.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let settings = path.join(SETTINGS);
        if !input::exists(&settings)? || !settings.is_file() {
            bail!(
                "{}: is no folder of a search, which has a {SETTINGS}",
                path.display()
            );
        }
        Ok(Self(path.to_owned()))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The `[search]` table of the study.
    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join(SETTINGS)
    }

    /// The configuration under the values of a trial.
    pub(crate) fn base(&self) -> PathBuf {
        self.0.join(BASE)
    }

    /// The folder of a trial's run.
    pub(crate) fn trial(&self, number: usize) -> PathBuf {
        self.0.join(TRIALS).join(format!("{number:03}"))
    }

    /// Writes a file of the study, over an old one.
    ///
    /// # Errors
    /// The disk is full or the folder has gone.
    pub(crate) fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        Ok(llm_files::write(&self.0.join(name), content.as_bytes())?)
    }

    /// Writes down what the study is.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub(crate) fn begin(&self, settings: &SearchSettings, base: &str) -> anyhow::Result<()> {
        fs::create_dir_all(self.0.join(TRIALS))?;
        self.write(BASE, base)?;
        self.write(SETTINGS, &settings.to_json()?)
    }

    /// The study, without a sampler or pruner of its own.
    ///
    /// # Errors
    /// The journal can't be read, or its study has other metrics.
    pub(crate) fn study(&self, settings: &SearchSettings, space: Space) -> anyhow::Result<Study> {
        let storage = JournalStorage::open(&self.0.join(JOURNAL))?;
        Ok(Study::open(Box::new(storage), space, settings.options())?)
    }

    /// The study, to be looked at, for which the right to read is enough.
    ///
    /// # Errors
    /// The journal or the database can't be read, or has no such study.
    pub(crate) fn look(&self, settings: &SearchSettings) -> anyhow::Result<Study> {
        let storage: Box<dyn Storage> = match settings.database()? {
            Some(url) => Box::new(RdbStorage::open_existing(url, &settings.study_name)?),
            None => Box::new(JournalStorage::open_existing(&self.0.join(JOURNAL))?),
        };
        Ok(Study::open(storage, settings.space()?, settings.options())?)
    }

    /// Removes what a trial's run left but its settings and records: weights are large.
    ///
    /// # Errors
    /// A folder can't be removed.
    pub(crate) fn slim(&self, number: usize) -> anyhow::Result<()> {
        let trial = self.trial(number);
        for entry in ["checkpoints", "model", "tensorboard"] {
            remove(&trial.join(entry))?;
        }
        // A trial that is stopped is killed, wherever it is.
        for entry in fs::read_dir(&trial).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    llm_files::remove(path).with_context(|| format!("{}: cannot remove", path.display()))
}
