//! A file that any number of readers go through, each at a position of its own; temporary files without a name among them.
//!
//! A temporary file never has a name, so the system removes it however the program ends. Knows nothing of what the bytes mean.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// A reader at a position of its own; a clone goes on from the same one.
#[derive(Clone, Debug)]
pub(crate) struct PositionedFile {
    file: Arc<File>,
    /// Of the next byte.
    position: u64,
}

impl PositionedFile {
    /// A reader from the beginning.
    pub(crate) fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            position: 0,
        }
    }

    /// A reader of the same file from `position` on.
    pub(crate) fn at(&self, position: u64) -> Self {
        Self {
            file: Arc::clone(&self.file),
            position,
        }
    }

    /// The size of the file in bytes.
    #[cfg(feature = "parquet")]
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// An empty temporary file without a name, on the disk that `folder` lies on.
pub(crate) fn temporary(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

impl Read for PositionedFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = read_at(&self.file, out, self.position)?;
        self.position += n as u64;
        Ok(n)
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, position)
}

#[cfg(windows)]
fn read_at(file: &File, out: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, position)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn readers_do_not_move_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = temporary(folder.path()).expect("a file");
        file.write_all(b"abcdef").expect("written");
        let names = std::fs::read_dir(folder.path()).expect("there").count();
        assert_eq!(names, 0, "a temporary file has no name");

        let mut first = PositionedFile::new(file);
        let mut two = [0; 2];
        first.read_exact(&mut two).expect("there");
        let mut second = first.at(1);
        let mut rest = String::new();
        second.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "bcdef");
        first.read_exact(&mut two).expect("there");
        assert_eq!(&two, b"cd");
    }
}
