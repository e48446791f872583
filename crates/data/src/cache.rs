//! Folders of token data, named by what they were made from.
//!
//! A folder appears whole or not at all: it is written beside its place, synced and renamed. One that does not match its header is
//! made again. Knows nothing of where tokens come from.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use llm_files::{PartialFolder, WriteError, sync_folder};
use llm_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::clean::CleanReport;
use crate::error::DataError;
use crate::shard::{Counts, TokenShard, Width};
use crate::sources::Skipped;

/// Raised when the files change their meaning; part of every key.
pub(crate) const VERSION: u32 = 2;

const HEADER: &str = "header.json";
/// How the names of folders begin that are still being filled.
const NEW: &str = ".new-";
/// The file in such a folder that the process which fills it holds locked.
const LOCK: &str = ".lock";
/// Age from which on such a folder without the file counts as left behind: its process died between two system calls.
const ABANDONED: Duration = Duration::from_secs(60);
pub(crate) const TRAIN: &str = "train";
pub(crate) const VALIDATION: &str = "validation";

/// `header.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// [`Tokenizer::hash`] of `tokenizer.json` beside it.
    pub(crate) tokenizer: String,
    pub(crate) width: Width,
    pub(crate) train: Counts,
    pub(crate) validation: Counts,
    /// Of the validation part, when the grammar made it.
    pub(crate) floor: Option<Floor>,
    /// For people who wonder what the folder is; sizes in bytes.
    pub(crate) sources: Vec<(String, u64)>,
    /// Of all sources.
    pub(crate) skipped: Skipped,
    /// Of the sources and those for validation, where text was cleaned.
    pub(crate) cleaned: Vec<CleanReport>,
}

/// The entropy of stories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Floor {
    pub(crate) nats: f64,
    pub(crate) chars: u64,
}

/// An open folder of token data.
pub(crate) struct CacheEntry {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) train: TokenShard,
    pub(crate) validation: TokenShard,
    pub(crate) floor: Option<Floor>,
    pub(crate) skipped: Skipped,
    pub(crate) cleaned: Vec<CleanReport>,
}

impl CacheEntry {
    /// Opens `folder` if it is there and in order. One that is not in order is reported and treated as absent.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        if !folder.exists() {
            return None;
        }
        match Self::open(folder) {
            Ok(entry) => Some(entry),
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string);
                let folder = folder.display();
                tracing::warn!(%folder, %error, reason, "damaged token data is made again");
                None
            }
        }
    }

    fn open(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(HEADER);
        let text = fs::read(&path).map_err(|source| DataError::Read {
            path: path.clone(),
            source,
        })?;
        let header: Header = serde_json::from_slice(&text).map_err(|source| DataError::Header {
            path: path.clone(),
            source,
        })?;
        let mismatch = |what, found: &dyn ToString, expected: &dyn ToString| DataError::Mismatch {
            path: path.clone(),
            what,
            found: found.to_string(),
            expected: expected.to_string(),
        };
        if header.version != VERSION {
            return Err(mismatch(
                "the version of the program",
                &VERSION,
                &header.version,
            ));
        }
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        if tokenizer.hash() != header.tokenizer {
            return Err(mismatch(
                "the tokenizer",
                &tokenizer.hash(),
                &header.tokenizer,
            ));
        }
        Ok(Self {
            tokenizer,
            train: TokenShard::open(folder, TRAIN, header.width, header.train)?,
            validation: TokenShard::open(folder, VALIDATION, header.width, header.validation)?,
            floor: header.floor,
            skipped: header.skipped,
            cleaned: header.cleaned,
        })
    }

    /// Makes the folder: `build` fills a temporary one beside it and returns the header.
    pub(crate) fn make(
        folder: &Path,
        build: impl FnOnce(&Path) -> Result<Header, DataError>,
    ) -> Result<Self, DataError> {
        let parent = folder.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(WriteError::of(parent))?;
        remove_leftovers(parent);
        let temporary = temporary(parent)?;
        let lock = temporary.path().join(LOCK);
        let held = hold(&lock).map_err(WriteError::of(&lock))?;
        let header = build(temporary.path())?;
        write_header(temporary.path(), &header)?;
        // Gone before it is free: the folder is young then, and left alone.
        fs::remove_file(&lock).map_err(WriteError::of(&lock))?;
        drop(held);
        sync_folder(temporary.path()).map_err(WriteError::of(folder))?;
        // Opened before it is moved: whatever other processes do to the name afterwards, these files stay ours.
        let made = Self::open(temporary.path())?;
        publish(temporary, folder, parent)?;
        Ok(made)
    }
}

/// A file at `path` that has been locked from its first moment on.
fn hold(path: &Path) -> io::Result<File> {
    let elsewhere = path.with_extension("new");
    let file = File::create(&elsewhere)?;
    file.lock()?;
    fs::rename(&elsewhere, path)?;
    Ok(file)
}

/// Renames `temporary` to `folder`. Where another process was faster and its folder is good, that one stays.
fn publish(mut temporary: PartialFolder, folder: &Path, parent: &Path) -> Result<(), DataError> {
    let failed = WriteError::of(folder);
    let mut last = io::ErrorKind::AlreadyExists.into();
    for _ in 0..8 {
        match temporary.persist(folder) {
            Ok(()) => return Ok(sync_folder(parent).map_err(failed)?),
            Err((back, error)) if folder.exists() => {
                if CacheEntry::open(folder).is_ok() {
                    return Ok(());
                }
                // Damaged: move it away, to be removed with its new parent, and try again. Another process may do the same.
                let away = self::temporary(parent)?;
                let _ = fs::rename(folder, away.path().join("damaged"));
                (temporary, last) = (back, error);
            }
            Err((_, error)) => return Err(failed(error).into()),
        }
    }
    Err(failed(last).into())
}

/// Removes what a process left behind that was stopped: nobody holds its lock any more.
fn remove_leftovers(parent: &Path) {
    let is_abandoned = |entry: &fs::DirEntry| match File::open(entry.path().join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => {
            let age = entry.metadata().and_then(|metadata| metadata.modified());
            age.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
        }
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(NEW) && is_abandoned(&entry) {
            // Another process may be at it; what stays costs only space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn temporary(parent: &Path) -> Result<PartialFolder, DataError> {
    Ok(PartialFolder::create(parent, NEW).map_err(WriteError::of(parent))?)
}

fn write_header(folder: &Path, header: &Header) -> Result<(), DataError> {
    let path = folder.join(HEADER);
    let text = serde_json::to_vec_pretty(header).map_err(|source| DataError::Header {
        path: path.clone(),
        source,
    })?;
    Ok(llm_files::write(&path, &text)?)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_unfinished_folders_that_nobody_fills_are_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let made = |name: &str, age: Duration| {
            let path = parent.path().join(name);
            fs::create_dir(&path).expect("a folder");
            let lock = File::create(path.join(LOCK)).expect("a file");
            let modified = SystemTime::now() - age;
            let folder = File::open(&path).expect("the folder");
            folder.set_modified(modified).expect("a time");
            (path, lock)
        };
        let (stopped, lock) = made(".new-stopped", Duration::ZERO);
        drop(lock);
        let (filled, lock) = made(".new-filled", 2 * ABANDONED);
        lock.lock().expect("free");
        let (finished, _) = made("finished", 2 * ABANDONED);
        let (young, _) = made(".new-young", Duration::ZERO);
        let (old, _) = made(".new-old", Duration::ZERO);
        for (path, age) in [(&young, Duration::ZERO), (&old, 2 * ABANDONED)] {
            fs::remove_file(path.join(LOCK)).expect("there");
            let folder = File::open(path).expect("the folder");
            folder
                .set_modified(SystemTime::now() - age)
                .expect("a time");
        }
        remove_leftovers(parent.path());
        let left = [&stopped, &old, &filled, &finished, &young].map(|path| path.exists());
        assert_eq!(left, [false, false, true, true, true]);
    }
}
