//! Output files and folders: checked before any work starts, never overwritten by accident, and in place only when they are whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use llm_files::{OutputFolder, PartialFile, WriteError, folder_of};

/// What to do with an output that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// Refuse to go on.
    Refuse,
    /// Replace it, with `--force`.
    Replace,
}

impl Overwrite {
    /// The meaning of a `--force` flag.
    pub(crate) fn from_force(force: bool) -> Self {
        if force { Self::Replace } else { Self::Refuse }
    }
}

/// A file that takes its name when [`OutputFile::finish`] is called; until then the old file stays as it is.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Partial(PartialFile),
    /// A device or a pipe, such as `/dev/stdout`: there is nothing to keep and nothing to rename.
    Direct(File),
}

impl OutputFile {
    /// Checks that `path` may be written and starts it under another name in the same folder.
    ///
    /// # Errors
    /// The file exists and may not be replaced, is a folder, or its folder is missing or can't be written.
    pub(crate) fn create(path: &Path, overwrite: Overwrite) -> anyhow::Result<Self> {
        let name = path.display();
        // A link is followed, so that the file it leads to is replaced and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                bail!("{name}: is a folder, expected the name of a file to write")
            }
            Ok(found) if !found.is_file() => {
                let file = File::options()
                    .write(true)
                    .open(&path)
                    .with_context(|| format!("{name}: cannot write"))?;
                return Ok(Self {
                    path,
                    sink: Sink::Direct(file),
                });
            }
            Ok(_) if overwrite == Overwrite::Refuse => return Err(exists(&name.to_string())),
            _ => {}
        }
        let file = partial_in(folder_of(&path)).with_context(|| format!("{name}: cannot write"))?;
        Ok(Self {
            path,
            sink: Sink::Partial(file),
        })
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// The disk is full or the folder has gone.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        match self.sink {
            Sink::Partial(file) => {
                file.persist(&self.path)
                    .map_err(WriteError::of(&self.path))?;
            }
            Sink::Direct(mut file) => file.flush()?,
        }
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Partial(file) => file.write(bytes),
            Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Partial(file) => file.flush(),
            Sink::Direct(file) => file.flush(),
        }
    }
}

/// Checks that the file `path` may be written, before the work that fills it.
///
/// # Errors
/// Those of [`OutputFile::create`].
pub(crate) fn check_file(path: &Path, overwrite: Overwrite) -> anyhow::Result<()> {
    OutputFile::create(path, overwrite).map(drop)
}

/// [`llm_files::write_by`] for an output, which may be refused.
///
/// # Errors
/// Those of `write`, and those of [`OutputFile::create`].
pub(crate) fn write_by<T>(
    path: &Path,
    overwrite: Overwrite,
    write: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let checked = OutputFile::create(path, overwrite)?;
    if matches!(checked.sink, Sink::Direct(_)) {
        bail!(
            "{}: is a device or a pipe, expected the name of a file to write",
            path.display()
        );
    }
    llm_files::write_by(&checked.path, write)
}

/// Checks that files may be put into the folder `path`: it is missing and can be made, or is empty, or may be written over.
///
/// # Errors
/// The folder has files in it and may not be changed, is a file, or can't be written.
pub(crate) fn check_folder(path: &Path, overwrite: Overwrite) -> anyhow::Result<()> {
    let name = path.display();
    let probe = match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            bail!("{name}: is a file, expected the name of a folder to write")
        }
        Ok(_) => {
            let mut entries =
                fs::read_dir(path).with_context(|| format!("{name}: cannot read this folder"))?;
            if overwrite == Overwrite::Refuse && entries.next().is_some() {
                return Err(exists(&name.to_string()));
            }
            path
        }
        Err(_) => innermost(path),
    };
    partial_in(probe)
        .map(drop)
        .with_context(|| format!("{name}: cannot write"))
}

/// Makes the folder `path`, which goes again if nothing comes to stand in it, unless it is there.
///
/// # Errors
/// As [`check_folder`].
pub(crate) fn create_folder(path: &Path, overwrite: Overwrite) -> anyhow::Result<OutputFolder> {
    check_folder(path, overwrite)?;
    Ok(OutputFolder::create(path)?)
}

/// The innermost of the things around `path` that is there; in a folder those that are missing can be made.
fn innermost(path: &Path) -> &Path {
    let mut around = path.ancestors().skip(1);
    let found = around.find(|path| *path != Path::new("") && path.exists());
    found.unwrap_or(Path::new("."))
}

fn exists(name: &str) -> anyhow::Error {
    anyhow!("{name}: exists already; give another name, or --force to write over it")
}

fn partial_in(folder: &Path) -> anyhow::Result<PartialFile> {
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => bail!("{} is a file, not a folder", folder.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the folder {} does not exist", folder.display())
        }
        _ => {}
    }
    PartialFile::create_in(folder)
        .with_context(|| format!("the folder {} cannot be written", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let mut file = OutputFile::create(&path, Overwrite::Refuse).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");

        let refused = OutputFile::create(&path, Overwrite::Refuse)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("a.txt: exists already"), "{refused}");
        let mut file = OutputFile::create(&path, Overwrite::Replace).unwrap();
        file.write_all(b"newer").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_that_cannot_take_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        #[track_caller]
        fn check(path: &Path, expected: &str) {
            let error = format!("{:#}", check_folder(path, Overwrite::Refuse).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        check(&file, "is a file");
        check(&file.join("a/b"), "is a file, not a folder");
        check(folder.path(), "exists already");
        assert!(check_folder(folder.path(), Overwrite::Replace).is_ok());
        for new in ["new", "new/and/deeper"] {
            assert!(check_folder(&folder.path().join(new), Overwrite::Refuse).is_ok());
        }
        let missing = OutputFile::create(&folder.path().join("new/file"), Overwrite::Refuse);
        let missing = format!("{:#}", missing.unwrap_err());
        assert!(missing.contains("new does not exist"), "{missing}");
    }

    #[test]
    #[cfg(unix)]
    fn a_device_is_written_through() {
        let mut file = OutputFile::create(Path::new("/dev/null"), Overwrite::Refuse).unwrap();
        file.write_all(b"gone").unwrap();
        file.finish().unwrap();
        assert!(
            fs::metadata("/dev/null").unwrap().file_type()
                != fs::metadata("/").unwrap().file_type()
        );
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
