//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot write", path.display())]
pub struct WriteError {
    /// The file or folder, by its own name and not a partial one.
    pub path: PathBuf,
    /// What the system reported.
    pub source: io::Error,
}

impl WriteError {
    /// What turns an error of the system into one that names `path`.
    pub fn of(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self {
            path: path.to_owned(),
            source,
        }
    }
}
