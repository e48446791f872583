//! Putting something whole in the place of what was there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::WriteError;
use crate::output_folder::OutputFolder;
use crate::partial::{PartialFile, PartialFolder};
use crate::unfinished::{Listed, Unfinished};
use crate::{folder_of, remove, sync_folder};

/// How the name of a folder begins that has stepped aside for its new form; a crash between two renames leaves it.
pub const ASIDE: &str = ".partial-old-";

/// Writes `bytes` to `path`, which keeps what it was until all of them are there.
///
/// # Errors
/// The folder of `path` is missing or may not be written, or the disk is full.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let write = || {
        let mut file = PartialFile::create_in(folder_of(path))?;
        file.write_all(bytes)?;
        file.persist(path)
    };
    write().map_err(WriteError::of(path))
}

/// Lets `fill` make a file of the same name in a partial folder beside `path`, and puts it in the place of `path`.
///
/// For writers that open the file themselves, choose by its name, or read back what they wrote.
///
/// # Errors
/// Those of `fill`, and those of [`write()`].
pub fn write_by<T, E: From<WriteError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let failed = WriteError::of(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename);
    let name = name.map_err(|kind| failed(kind.into()))?;
    let folder = PartialFolder::create_in(folder_of(path)).map_err(&failed)?;
    let partial = folder.path().join(name);
    let filled = fill(&partial)?;
    let finish = || {
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, path)?;
        sync_folder(folder_of(path))
    };
    finish().map_err(failed)?;
    Ok(filled)
}

/// Lets `fill` fill a folder beside `path`, and puts it in the place of `path`, which keeps what it was until then. Folders around it are made.
///
/// The files in it are synced; folders in it are not looked into.
///
/// # Errors
/// Those of `fill`, and the file or folder that can't be written.
pub fn write_folder<E: From<WriteError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let failed = WriteError::of(path);
    let _around = OutputFolder::create(folder_of(path))?;
    let partial = PartialFolder::create_in(folder_of(path)).map_err(&failed)?;
    fill(partial.path())?;
    Ok(put_in_place(partial, path).map_err(failed)?)
}

fn put_in_place(partial: PartialFolder, path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial.path())? {
        File::open(entry?.path())?.sync_all()?;
    }
    sync_folder(partial.path())?;
    let parent = folder_of(path);
    if !path.exists() {
        partial.persist(path).map_err(|(_, error)| error)?;
        return sync_folder(parent);
    }
    // A folder can't be renamed over another: the old one steps aside and is removed last.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = parent.join(format!("{ASIDE}{name}"));
    // A crash left it, after the new one was in place.
    remove(&aside)?;
    let replace = || {
        fs::rename(path, &aside)?;
        fs::rename(partial.path(), path).inspect_err(|_| {
            // What was there is as good as before. There is nothing to say if not even that can be.
            let _ = fs::rename(&aside, path);
        })
    };
    let ((), _aside) = Listed::make(replace, |()| Unfinished::Folder(aside.clone()))?;
    sync_folder(parent)?;
    remove(&aside)
}
