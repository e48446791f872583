//! The list of what is not finished, for a process that is ended by a signal: nobody's `drop` runs then.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often a folder is tried that another thread is still filling.
const TRIES: usize = 100;

/// What goes with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    File(PathBuf),
    /// With all that is in it.
    Folder(PathBuf),
    /// Only if there is nothing in it.
    EmptyFolder(PathBuf),
}

static LIST: Mutex<Vec<Unfinished>> = Mutex::new(Vec::new());

fn list() -> MutexGuard<'static, Vec<Unfinished>> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in the list, until this is dropped.
#[derive(Debug)]
pub(crate) struct Listed(Unfinished);

impl Listed {
    /// Calls `make` and lists what it made, with no end of the process in between.
    pub(crate) fn make<T>(
        make: impl FnOnce() -> io::Result<T>,
        listed: impl FnOnce(&T) -> Unfinished,
    ) -> io::Result<(T, Self)> {
        let mut list = list();
        let made = make()?;
        let unfinished = listed(&made);
        list.push(unfinished.clone());
        Ok((made, Self(unfinished)))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut list = list();
        if let Some(index) = list.iter().rposition(|listed| *listed == self.0) {
            list.remove(index);
        }
    }
}

/// Calls `work`, with no end of the process by a signal in between. `work` begins and ends nothing of this list.
pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let _list = list();
    work()
}

/// While it lives, nothing new is begun: who tries waits.
#[derive(Debug)]
pub struct Removed(
    #[expect(dead_code, reason = "held, not read")] MutexGuard<'static, Vec<Unfinished>>,
);

/// Removes all files and folders that this process has begun and not finished. The caller keeps what is returned, and ends the process.
#[must_use]
pub fn remove_partial() -> Removed {
    let mut list = list();
    // What was begun last may stand in what was begun before.
    while let Some(unfinished) = list.pop() {
        // What can't be removed stays: the process ends in any case.
        match unfinished {
            Unfinished::File(path) => drop(fs::remove_file(path)),
            Unfinished::Folder(path) => {
                (0..TRIES).find(|_| fs::remove_dir_all(&path).is_ok() || !path.exists());
            }
            Unfinished::EmptyFolder(path) => drop(fs::remove_dir(path)),
        }
    }
    Removed(list)
}
