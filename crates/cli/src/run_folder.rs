//! The folder of a training run: where it is, and that it is free.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::output::{self, Overwrite};

/// Where numbered run folders are made.
pub(crate) const RUNS: &str = "runs";

/// What a run writes into its folder; only these are removed when a run is written over or removed. In this order: what makes it a run
/// goes last, so that a removal that was interrupted can be done again.
const ENTRIES: [&str; 12] = [
    "checkpoints",
    "model",
    "tensorboard",
    "samples.jsonl",
    "metrics.csv",
    "metrics.jsonl",
    "log.txt",
    "tokenizer_config.json",
    "tokenizer.json",
    "origin.json",
    "config.toml",
    ".lock",
];

/// Checks before any work starts that [`create`] will be able to make the folder of a run.
///
/// # Errors
/// The folder has files in it and `overwrite` refuses, or no run has written them, or it can't be made.
pub(crate) fn check(output_dir: Option<&Path>, overwrite: Overwrite) -> anyhow::Result<()> {
    let Some(folder) = output_dir else {
        let runs = Path::new(RUNS);
        return output::check_folder(runs, Overwrite::Replace);
    };
    output::check_folder(folder, overwrite)?;
    if folder.exists() && !is_run(folder) {
        let name = folder.display();
        bail!(
            "{name}: has files in it that no run wrote, which --force does not write over; give another name"
        );
    }
    check_free(folder)
}

/// Checks that no other process trains in `folder`.
///
/// # Errors
/// One does.
pub(crate) fn check_free(folder: &Path) -> anyhow::Result<()> {
    let lock = fs::File::open(folder.join(".lock")).map(|lock| lock.try_lock());
    if matches!(lock, Ok(Err(fs::TryLockError::WouldBlock))) {
        bail!(
            "{}: is in use by another process; wait for its end, or take another folder",
            folder.display()
        );
    }
    Ok(())
}

/// Makes the folder of a new run: `output_dir` if given, without what an earlier run left in it, else the next free `runs/<name>-NNN`.
///
/// # Errors
/// As [`check`].
pub(crate) fn create(
    output_dir: Option<&Path>,
    name: &str,
    overwrite: Overwrite,
) -> anyhow::Result<PathBuf> {
    check(output_dir, overwrite)?;
    let Some(folder) = output_dir else {
        return create_numbered(Path::new(RUNS), name);
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot make this folder", folder.display()))?;
    clear(folder)?;
    Ok(folder.to_owned())
}

/// The name of a run: that of its configuration file without the extension, or `stories` for the built-in one.
pub(crate) fn name(config: Option<&Path>) -> String {
    let stem = config.and_then(Path::file_stem);
    stem.map_or_else(
        || "stories".into(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// Makes the folder with the number after the highest one. Making a folder either succeeds or finds it there, so two runs that start at
/// the same time get two folders.
fn create_numbered(runs: &Path, name: &str) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(runs)
        .with_context(|| format!("{}: cannot make this folder", runs.display()))?;
    let entries = fs::read_dir(runs)
        .with_context(|| format!("{}: cannot read this folder", runs.display()))?;
    let number = |entry: io::Result<fs::DirEntry>| -> Option<u64> {
        let entry = entry.ok()?.file_name();
        entry
            .to_str()?
            .strip_prefix(name)?
            .strip_prefix('-')?
            .parse()
            .ok()
    };
    let highest = entries.filter_map(number).max().unwrap_or(0);
    for number in highest.saturating_add(1).. {
        let folder = runs.join(format!("{name}-{number:03}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{}: cannot make this folder", folder.display()));
            }
        }
    }
    bail!("{}: no number is left for a run", runs.display())
}

/// Whether the folder holds a run, or nothing that could be mistaken for a part of one.
fn is_run(folder: &Path) -> bool {
    let has = |entry: &str| folder.join(entry).exists();
    let none_but_ours = || {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .into_iter()
            .all(|entry| ENTRIES.iter().any(|ours| entry.file_name() == *ours))
    };
    (has("config.toml") && (has("metrics.jsonl") || has("log.txt"))) || none_but_ours()
}

/// Removes what an earlier run left; files that no run writes stay.
fn clear(folder: &Path) -> anyhow::Result<()> {
    for entry in ENTRIES {
        let path = folder.join(entry);
        llm_files::remove(&path).with_context(|| format!("{}: cannot remove", path.display()))?;
    }
    Ok(())
}

/// Removes what a run has written, and the folder where nothing else is in it.
///
/// # Errors
/// Another process trains there, or something can't be removed.
pub(crate) fn remove(folder: &Path) -> anyhow::Result<()> {
    check_free(folder)?;
    // Held until it is gone itself.
    let lock = fs::File::create(folder.join(".lock"))
        .with_context(|| format!("{}: cannot remove", folder.display()))?;
    let _ = lock.try_lock();
    clear(folder)?;
    let entries = fs::read_dir(folder).map(|mut entries| entries.next().is_none());
    if entries.unwrap_or(false) {
        fs::remove_dir(folder).with_context(|| format!("{}: cannot remove", folder.display()))?;
    }
    Ok(())
}

/// Bytes of what a run has written.
pub(crate) fn size(folder: &Path) -> u64 {
    fn of(path: &Path) -> u64 {
        let Ok(found) = fs::symlink_metadata(path) else {
            return 0;
        };
        if found.is_dir() {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            return entries.map(|entry| of(&entry.path())).sum();
        }
        found.len()
    }
    ENTRIES.iter().map(|entry| of(&folder.join(entry))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_the_highest() {
        let runs = tempfile::tempdir().unwrap();
        let runs = runs.path().join("runs");
        let make = || {
            create_numbered(&runs, "a")
                .unwrap()
                .file_name()
                .unwrap()
                .to_owned()
        };
        assert_eq!(make(), "a-001");
        assert_eq!(make(), "a-002");
        for other in ["a-007", "a-b-050", "a-x", "b-100"] {
            fs::create_dir(runs.join(other)).unwrap();
        }
        assert_eq!(make(), "a-008");
    }

    #[test]
    fn writing_over_a_run_keeps_what_is_not_of_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("model"), "someone's").unwrap();
        fs::write(folder.join("notes.md"), "").unwrap();
        assert!(create(Some(folder), "x", Overwrite::Replace).is_err());
        assert!(folder.join("model").exists());

        fs::write(folder.join("metrics.jsonl"), "").unwrap();
        fs::write(folder.join("config.toml"), "").unwrap();
        fs::create_dir_all(folder.join("checkpoints/step-1")).unwrap();
        assert!(create(Some(folder), "x", Overwrite::Refuse).is_err());
        create(Some(folder), "x", Overwrite::Replace).unwrap();
        let left: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["notes.md"]);
    }

    #[test]
    fn the_name_is_that_of_the_configuration() {
        assert_eq!(name(None), "stories");
        assert_eq!(
            name(Some(Path::new("configs/char-small.toml"))),
            "char-small"
        );
    }
}
