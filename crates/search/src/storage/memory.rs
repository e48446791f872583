//! A storage that ends with the process.

use super::{State, Storage, Transaction};
use crate::error::Result;

/// Studies in memory.
#[derive(Default)]
pub struct MemoryStorage {
    state: State,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Storage for MemoryStorage {
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn transaction(&mut self, body: &mut Transaction<'_>) -> Result<()> {
        for change in body(&self.state)? {
            self.state.apply(change, "memory");
        }
        Ok(())
    }
}
