//! Files and folders that are whole or not there.
//!
//! They are filled under a name that begins with [`PARTIAL`], in the folder where they will stand, then synced and renamed. Who dies on the way leaves
//! what was there before, and beside it a partial name; who is ended by a signal does not even leave that, if it calls [`remove_partial`] first.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("notes.txt");
//! llm_files::write(&path, b"whole")?;
//! assert_eq!(std::fs::read(&path)?, b"whole");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod output_folder;
mod partial;
mod replace;
mod unfinished;

use std::fs::{self, File};
use std::io;
use std::path::Path;

pub use error::WriteError;
pub use output_folder::OutputFolder;
pub use partial::{PartialFile, PartialFolder};
pub use replace::{ASIDE, write, write_by, write_folder};
pub use unfinished::{Removed, remove_partial};

/// How the names of files and folders begin that are not whole yet.
pub const PARTIAL: &str = ".partial-";

/// The folder that `path` is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Removes a file, or a folder with all that is in it; of a link only the link. What is not there is no error.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// Makes the names in a folder last.
///
/// # Errors
/// The system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        // It may be written and not be read: the names last when the system comes to it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}
