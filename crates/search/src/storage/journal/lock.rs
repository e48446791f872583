//! Who may write to a journal.
//!
//! Two locks are held while a line is written. The system's lock on the journal itself is dropped when its holder dies. The file `<journal>.lock` is the
//! one that Optuna takes, so that Python workers can share the journal; it outlives its holder, and Optuna waits half a minute before it
//! takes it away. Ours points at the journal by a spelling that Optuna does not use: who holds the system's lock and finds such a one knows that
//! its holder is dead, and need not wait.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::super::worker::with_suffix;

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
