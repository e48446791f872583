//! Who works on a study in a file, and who is still alive.
//!
//! A worker that writes holds a lock on `<file>.workers/<name>` as long as it lives. Whoever can lock that file knows that the worker is gone.

use std::cell::OnceCell;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A name for whoever opens a storage in this process, that nobody else has.
pub(super) fn unique_name() -> String {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let opened = OPENED.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_nanos() as u64);
    format!("llm-{}-{now:x}-{opened}", std::process::id())
}

/// This process, as the others know it.
pub(super) struct Worker {
    name: String,
    folder: PathBuf,
    /// Locked from the first write on.
    alive: OnceCell<File>,
}

impl Worker {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            name: unique_name(),
            folder: with_suffix(file, ".workers"),
            alive: OnceCell::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes it known that this process lives.
    pub(super) fn register(&self) -> io::Result<()> {
        if self.alive.get().is_some() {
            return Ok(());
        }
        let file = loop {
            std::fs::create_dir_all(&self.folder)?;
            match File::create(self.folder.join(&self.name)) {
                // The last worker before us took the folder with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => break file?,
            }
        };
        file.lock()?;
        let _ = self.alive.set(file);
        Ok(())
    }

    /// Whether the worker `name` wrote here and has ended. A worker of another program has no file, and nothing is known of it.
    pub(super) fn is_dead(&self, name: &str) -> bool {
        if !name.starts_with("llm-") || name.contains(['/', '\\']) {
            return false;
        }
        match File::open(self.folder.join(name)) {
            // A worker of ours that ended in order took its file away.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(file) => {
                let dead = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
                if dead {
                    let _ = std::fs::remove_file(self.folder.join(name));
                }
                dead
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.alive.get().is_some() {
            let _ = std::fs::remove_file(self.folder.join(&self.name));
            // Goes with the last worker; fails while there are others.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

/// A path with something at the end of its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
