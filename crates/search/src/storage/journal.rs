//! Studies in one file of JSON lines, as Optuna's `JournalFileBackend` writes and reads them.
//!
//! A line is one operation and is never changed. A process that is killed while it writes leaves a line without an end, which the next writer, who
//! holds the lock, cuts off: what was not written whole never was. A line that is whole and no operation is named and passed over.
//!
//! The format is described by Optuna's documentation of `JournalStorage`; what `optuna-dashboard` shows is read from the same file.

mod lock;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use self::lock::JournalLock;
use super::worker::Worker;
use super::{State, Storage, Transaction};
use crate::error::{Result, SearchError};

/// A line that is no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// Number of the line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Studies in a journal file that any number of processes share.
pub struct JournalStorage {
    path: PathBuf,
    file: File,
    /// Bytes and lines that [`Self::state`] knows.
    read_bytes: u64,
    read_lines: usize,
    state: State,
    corrupt: Vec<Corruption>,
    worker: Worker,
    sync_to_disk: bool,
}

impl JournalStorage {
    /// Opens a journal, making it if it is not there.
    ///
    /// # Errors
    /// A file that cannot be opened, read or made.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with(
            path,
            OpenOptions::new().read(true).append(true).create(true),
        )
    }

    /// Opens a journal that must be there. One that may not be written can be read; a change fails then.
    ///
    /// # Errors
    /// A file that is not there or cannot be opened or read.
    pub fn open_existing(path: &Path) -> Result<Self> {
        match Self::with(path, OpenOptions::new().read(true).append(true)) {
            Err(SearchError::File { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Self::with(path, OpenOptions::new().read(true))
            }
            opened => opened,
        }
    }

    fn with(path: &Path, options: &OpenOptions) -> Result<Self> {
        let fail = |source| SearchError::File {
            path: path.to_owned(),
            source,
        };
        let file = options.open(path).map_err(fail)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            read_bytes: 0,
            read_lines: 0,
            state: State::default(),
            corrupt: Vec::new(),
            worker: Worker::new(path),
            sync_to_disk: true,
        };
        journal.sync()?;
        Ok(journal)
    }

    /// Whether every change waits until it is on the disk, as it does by default. Without, a change is safe from the death of the process, not from that
    /// of the machine.
    #[must_use]
    pub fn sync_to_disk(mut self, sync: bool) -> Self {
        self.sync_to_disk = sync;
        self
    }

    /// The lines that are no operations, among those read so far. Optuna reads no journal that has any.
    #[must_use]
    pub fn corrupt_lines(&self) -> &[Corruption] {
        &self.corrupt
    }

    fn failure(&self, source: std::io::Error) -> SearchError {
        SearchError::File {
            path: self.path.clone(),
            source,
        }
    }

    /// Reads what has been written since, and gives the number of bytes of a last line that has no end.
    fn read_on(&mut self) -> Result<u64> {
        let length = self
            .file
            .metadata()
            .map_err(|error| self.failure(error))?
            .len();
        if length < self.read_bytes {
            return Err(SearchError::Storage {
                url: self.path.display().to_string(),
                message: "became shorter while it was read; was it replaced? Open it anew"
                    .to_owned(),
            });
        }
        let mut new = Vec::with_capacity(usize::try_from(length - self.read_bytes).unwrap_or(0));
        self.file
            .seek(SeekFrom::Start(self.read_bytes))
            .and_then(|_| self.file.read_to_end(&mut new))
            .map_err(|error| self.failure(error))?;
        let whole = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |place| place + 1);
        for line in new[..whole].split_inclusive(|byte| *byte == b'\n') {
            self.read_lines += 1;
            match record::read(line, &mut self.state) {
                Ok(Some((change, worker))) => self.state.apply(change, &worker),
                Ok(None) => {}
                Err(message) => {
                    let line = self.read_lines;
                    tracing::warn!("{}:{line}: passed over: {message}", self.path.display());
                    self.corrupt.push(Corruption { line, message });
                }
            }
        }
        self.read_bytes += whole as u64;
        Ok((new.len() - whole) as u64)
    }
}

impl Storage for JournalStorage {
    fn sync(&mut self) -> Result<()> {
        self.read_on()?;
        Ok(())
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn transaction(&mut self, body: &mut Transaction<'_>) -> Result<()> {
        let lock = JournalLock::take(&self.path).map_err(|error| self.failure(error))?;
        if self.read_on()? > 0 {
            // Nobody writes but who holds the lock, so who wrote this is dead.
            self.file
                .set_len(self.read_bytes)
                .map_err(|error| self.failure(error))?;
        }
        let changes = body(&self.state)?;
        if changes.is_empty() {
            return Ok(());
        }
        self.worker
            .register()
            .map_err(|error| self.failure(error))?;
        let mut lines = Vec::new();
        for change in &changes {
            record::write(change, self.worker.name(), &mut lines);
        }
        self.file
            .write_all(&lines)
            .and_then(|()| {
                if self.sync_to_disk {
                    self.file.sync_data()
                } else {
                    Ok(())
                }
            })
            .map_err(|error| self.failure(error))?;
        drop(lock);
        self.read_bytes += lines.len() as u64;
        self.read_lines += changes.len();
        for change in changes {
            self.state.apply(change, self.worker.name());
        }
        Ok(())
    }

    fn is_dead(&mut self, worker: &str) -> bool {
        worker != self.worker.name() && self.worker.is_dead(worker)
    }
}
