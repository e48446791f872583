//! A folder that commands put files into.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::WriteError;
use crate::unfinished::{Listed, Unfinished};

/// A folder for output; of it and the folders around it those that were made go again if nothing comes to stand in them.
#[derive(Debug)]
pub struct OutputFolder(Vec<Made>);

/// A folder that was not there before.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    _listed: Listed,
}

impl OutputFolder {
    /// Makes the folder and those around it, unless they are there.
    ///
    /// # Errors
    /// The innermost folder that is there may not be written, or is no folder.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut made = Self(Vec::new());
        let missing = path.ancestors().take_while(|path| !path.is_dir());
        let missing: Vec<_> = missing.filter(|path| *path != Path::new("")).collect();
        for folder in missing.into_iter().rev() {
            let path = folder.to_owned();
            let listed = |(): &()| Unfinished::EmptyFolder(path.clone());
            match Listed::make(|| fs::create_dir(folder), listed) {
                Ok(((), listed)) => made.0.push(Made {
                    path,
                    _listed: listed,
                }),
                // Another process was faster.
                Err(_) if folder.is_dir() => {}
                Err(error) => return Err(WriteError::of(folder)(error)),
            }
        }
        Ok(made)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        while let Some(made) = self.0.pop() {
            // Fails where something is in it, which is what is wanted.
            let _ = fs::remove_dir(&made.path);
        }
    }
}
