//! Where studies are kept. A storage is a state and a way to change it, alone for a moment.
//!
//! Every change is one of Optuna's operations. A [`Storage::transaction`] holds the lock while it looks at the state as it is now and says what shall
//! change, so that two workers never take the same trial, and nothing is written halfway.

pub(crate) mod journal;
mod memory;
mod python_json;
#[cfg(feature = "rdb")]
mod rdb;
mod state;
mod worker;

pub use self::journal::{Corruption, JournalStorage};
pub use self::memory::MemoryStorage;
#[cfg(feature = "rdb")]
pub use self::rdb::{DatabaseUrl, RdbStorage};
pub use self::state::{Change, NewTrial, State, StudyRecord};
use crate::error::Result;

/// What a [`Storage::transaction`] does while it holds the lock.
pub type Transaction<'a> = dyn FnMut(&State) -> Result<Vec<Change>> + 'a;

/// A place that keeps studies.
pub trait Storage: Send {
    /// Brings [`Self::state`] up to what all workers have written.
    ///
    /// # Errors
    /// A place that cannot be reached or read.
    fn sync(&mut self) -> Result<()>;

    /// The studies, as of the last [`Self::sync`] or [`Self::transaction`].
    fn state(&self) -> &State;

    /// Runs `body` on the newest state, with everyone else locked out, and writes the changes that it returns: all, or none.
    ///
    /// # Errors
    /// What `body` fails with, and a place that cannot be written.
    fn transaction(&mut self, body: &mut Transaction<'_>) -> Result<()>;

    /// Shows others that this worker lives, where that needs to be shown from time to time.
    ///
    /// # Errors
    /// A place that cannot be reached.
    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the process behind a worker's name has ended; `false` where that cannot be known.
    fn is_dead(&mut self, worker: &str) -> bool {
        let _ = worker;
        false
    }
}
