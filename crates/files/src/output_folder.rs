//! A folder that commands put files into.

use std::fs;
use std::path::Path;

use crate::error::WriteError;
use crate::unfinished::{Listed, Unfinished};

/// A folder for output; one that was made for it goes again if nothing comes to stand in it.
#[derive(Debug)]
pub struct OutputFolder<'a>(Option<(&'a Path, Listed)>);

impl<'a> OutputFolder<'a> {
    /// Makes the folder, unless it is there.
    ///
    /// # Errors
    /// The folder around it is missing or may not be written.
    pub fn create(path: &'a Path) -> Result<Self, WriteError> {
        let made = Listed::make(
            || fs::create_dir(path),
            |()| Unfinished::EmptyFolder(path.to_owned()),
        );
        match made {
            Ok(((), listed)) => Ok(Self(Some((path, listed)))),
            Err(_) if path.is_dir() => Ok(Self(None)),
            Err(error) => Err(WriteError::of(path)(error)),
        }
    }
}

impl Drop for OutputFolder<'_> {
    fn drop(&mut self) {
        if let Some((path, _)) = self.0 {
            // Fails where something is in it, which is what is wanted.
            let _ = fs::remove_dir(path);
        }
    }
}
