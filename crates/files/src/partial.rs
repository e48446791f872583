//! What is on its way to become a file or a folder; dropped, it goes.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::unfinished::{Listed, Unfinished, uninterrupted};
use crate::{PARTIAL, folder_of, sync_folder};

/// A file under a partial name.
#[derive(Debug)]
pub struct PartialFile {
    // The fields go in this order: the file is removed while it is listed.
    file: NamedTempFile,
    _listed: Listed,
}

impl PartialFile {
    /// An empty file in `folder`, as public as any new file.
    ///
    /// # Errors
    /// The folder is missing, is none, or may not be written.
    pub fn create_in(folder: &Path) -> io::Result<Self> {
        let make = || builder(0o666).tempfile_in(folder).map_err(plain);
        let (file, listed) = Listed::make(make, |file| Unfinished::File(file.path().to_owned()))?;
        Ok(Self {
            file,
            _listed: listed,
        })
    }

    /// Syncs the file and gives it the name `path`, in the same folder; what had it before is replaced.
    ///
    /// # Errors
    /// The disk is full, or the folder can't be written any more.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(path).map_err(|error| error.error)?;
        sync_folder(folder_of(path))
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// A folder under a partial name.
#[derive(Debug)]
pub struct PartialFolder {
    folder: TempDir,
    _listed: Listed,
}

impl PartialFolder {
    /// An empty folder in `parent`, as public as any new folder.
    ///
    /// # Errors
    /// `parent` is missing, is no folder, or may not be written.
    pub fn create_in(parent: &Path) -> io::Result<Self> {
        Self::create(parent, PARTIAL)
    }

    /// The same, with another beginning of its name.
    ///
    /// # Errors
    /// Those of [`PartialFolder::create_in`].
    pub fn create(parent: &Path, prefix: &str) -> io::Result<Self> {
        Self::make(builder(0o777).prefix(prefix), parent)
    }

    /// An empty folder where the system has temporary files, which nobody else may read.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn private() -> io::Result<Self> {
        Self::make(&builder(0o700), &std::env::temp_dir())
    }

    fn make(builder: &Builder<'_, '_>, parent: &Path) -> io::Result<Self> {
        let make = || builder.tempdir_in(parent).map_err(plain);
        let (folder, listed) =
            Listed::make(make, |folder| Unfinished::Folder(folder.path().to_owned()))?;
        Ok(Self {
            folder,
            _listed: listed,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives it the name `path`, on the same disk.
    ///
    /// # Errors
    /// The folder, and why it can't be renamed: something is called so already, or the folder of `path` can't be written.
    pub fn persist(self, path: &Path) -> Result<(), (Self, io::Error)> {
        // Under its old name nothing is left to be removed.
        uninterrupted(|| fs::rename(self.path(), path)).map_err(|error| (self, error))
    }
}

/// Names that begin with [`PARTIAL`]; temporary files are private otherwise, whatever the mask of new files says.
fn builder(mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PARTIAL);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The system's error without the partial name, which says nothing to anybody.
fn plain(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(Error::source);
    let inner = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}
