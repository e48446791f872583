//! Who may write to a journal, and who is still alive.
//!
//! Two locks are held while a line is written. The system's lock on the journal itself is dropped when its holder dies. The file `<journal>.lock` is the
//! one that Optuna takes, so that Python workers can share the journal; it outlives its holder, and Optuna waits half a minute before it
//! takes it away. Ours points at the journal by a spelling that Optuna does not use: who holds the system's lock and finds such a one knows that
//! its holder is dead, and need not wait.
//!
//! A worker that writes holds a lock on `<journal>.workers/<name>` as long as it lives. Whoever can lock that file knows that the worker is gone.

use std::cell::OnceCell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// After so long without a change of the journal, Optuna holds the owner of its lock for dead.
const GRACE: Duration = Duration::from_secs(30);
/// Begins the target of our link.
const MARK: &str = "././";

/// The right to write, given back when it is dropped.
pub(super) struct JournalLock {
    _system: File,
    link: PathBuf,
}

impl JournalLock {
    /// Waits for both locks.
    pub(super) fn take(journal: &Path) -> io::Result<Self> {
        let system = OpenOptions::new().read(true).open(journal)?;
        system.lock()?;
        let link = with_suffix(journal, ".lock");
        let mut wait = Duration::from_millis(1);
        let mut unchanged: Option<(SystemTime, Instant)> = None;
        loop {
            match make_link(journal, &link) {
                Ok(()) => {
                    return Ok(Self {
                        _system: system,
                        link,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            if is_ours(&link) {
                remove(&link)?;
                continue;
            }
            let changed = journal.metadata()?.modified()?;
            match unchanged {
                Some((seen, since)) if seen == changed => {
                    if since.elapsed() > GRACE {
                        tracing::warn!("{}: taken from a worker that is gone", link.display());
                        remove(&link)?;
                        unchanged = None;
                        continue;
                    }
                }
                _ => unchanged = Some((changed, Instant::now())),
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_millis(100));
        }
    }
}

impl Drop for JournalLock {
    fn drop(&mut self) {
        // If it is gone, somebody held us for dead; there is nothing to give back.
        let _ = std::fs::remove_file(&self.link);
    }
}

#[cfg(unix)]
fn make_link(journal: &Path, link: &Path) -> io::Result<()> {
    let name = journal.file_name().unwrap_or_default();
    let mut target = std::ffi::OsString::from(MARK);
    target.push(name);
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn make_link(_journal: &Path, link: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(link)
        .map(drop)
}

#[cfg(unix)]
fn is_ours(link: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    std::fs::read_link(link)
        .is_ok_and(|target| target.as_os_str().as_bytes().starts_with(MARK.as_bytes()))
}

#[cfg(not(unix))]
fn is_ours(_link: &Path) -> bool {
    false
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// This process, as the journal knows it.
pub(super) struct Worker {
    name: String,
    folder: PathBuf,
    /// Locked from the first write on.
    alive: OnceCell<File>,
}

impl Worker {
    pub(super) fn new(journal: &Path) -> Self {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let opened = OPENED.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_nanos() as u64);
        Self {
            name: format!("llm-{}-{now:x}-{opened}", std::process::id()),
            folder: with_suffix(journal, ".workers"),
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
