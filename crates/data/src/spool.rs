//! Documents set down in a temporary file, to be read again and again.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use llm_files::WriteError;

use crate::error::DataError;
use crate::positioned::{self, PositionedFile};
use crate::sources::Document;

/// A finished file.
#[derive(Debug)]
pub(crate) struct Spool {
    file: PositionedFile,
    /// Where the file lies, for messages.
    folder: PathBuf,
}

/// A file on its way.
pub(crate) struct SpoolWriter {
    out: BufWriter<File>,
    folder: PathBuf,
}

/// Goes through a file from the beginning: each document with the number it was written with.
pub(crate) struct SpoolReader {
    content: BufReader<PositionedFile>,
    folder: PathBuf,
}

impl SpoolWriter {
    /// Makes a file in `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self, DataError> {
        let file = positioned::temporary(folder);
        Ok(Self {
            out: BufWriter::with_capacity(1 << 16, file.map_err(WriteError::of(folder))?),
            folder: folder.to_owned(),
        })
    }

    /// Adds a document and a number of its own.
    pub(crate) fn write(&mut self, number: usize, document: &Document) -> Result<(), DataError> {
        let mut write = || {
            self.out.write_all(&(number as u64).to_le_bytes())?;
            for part in [&document.origin, &document.text] {
                self.out.write_all(&(part.len() as u64).to_le_bytes())?;
                self.out.write_all(part.as_bytes())?;
            }
            Ok(())
        };
        let written = write();
        Ok(written.map_err(WriteError::of(&self.folder))?)
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Spool, DataError> {
        let file = self.out.into_inner();
        let file = file
            .map_err(io::IntoInnerError::into_error)
            .map_err(WriteError::of(&self.folder))?;
        Ok(Spool {
            file: PositionedFile::new(file),
            folder: self.folder,
        })
    }
}

impl Spool {
    /// A reader from the beginning.
    pub(crate) fn read(&self) -> SpoolReader {
        SpoolReader {
            content: BufReader::with_capacity(1 << 16, self.file.at(0)),
            folder: self.folder.clone(),
        }
    }
}

impl SpoolReader {
    fn number(&mut self) -> io::Result<Option<u64>> {
        let mut bytes = [0; 8];
        match self.content.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(u64::from_le_bytes(bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.number()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; length as usize];
        self.content.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    fn document(&mut self) -> io::Result<Option<(usize, Document)>> {
        let Some(number) = self.number()? else {
            return Ok(None);
        };
        let document = Document {
            origin: self.text()?,
            text: self.text()?,
            continues: false,
        };
        Ok(Some((number as usize, document)))
    }
}

impl Iterator for SpoolReader {
    type Item = Result<(usize, Document), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.document().map_err(|source| DataError::Read {
            path: self.folder.clone(),
            source,
        });
        document.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_down_can_be_read_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let document = |text: &str| Document {
            text: text.to_owned(),
            origin: format!("file:{}", text.len()),
            continues: false,
        };
        let written = [(3, document("é\n")), (0, document("")), (7, document("b"))];
        let mut writer = SpoolWriter::create(folder.path()).expect("a file");
        for (number, document) in &written {
            writer.write(*number, document).expect("written");
        }
        let spool = writer.finish().expect("finished");
        for _ in 0..2 {
            let read: Vec<_> = spool.read().map(|found| found.expect("read")).collect();
            assert_eq!(read, written);
        }
    }
}
