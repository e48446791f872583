//! From the sources a person names to the files that are read, in a fixed order.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use walkdir::WalkDir;

use crate::error::DataError;

/// How a file holds documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    JsonLines,
}

/// A file that can be read.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    pub(crate) gzip: bool,
    /// As it lies on disk.
    pub(crate) bytes: u64,
}

/// The files of `sources`: files as given, folders with all below them, by path.
pub(crate) fn find(sources: &[PathBuf]) -> Result<Vec<SourceFile>, DataError> {
    let mut files = Vec::new();
    for source in sources {
        let metadata = fs::metadata(source).map_err(|error| read_error(source, error))?;
        if !metadata.is_dir() {
            let unsupported = || DataError::Unsupported {
                path: source.clone(),
            };
            files.push(SourceFile::new(source, metadata.len()).ok_or_else(unsupported)?);
            continue;
        }
        let before = files.len();
        for entry in WalkDir::new(source).follow_links(true) {
            let failed = |error: walkdir::Error| {
                let path = error.path().unwrap_or(source).to_owned();
                read_error(&path, error.into())
            };
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_file() {
                files.extend(SourceFile::new(entry.path(), metadata.len()));
            }
        }
        if files.len() == before {
            return Err(DataError::EmptyFolder {
                path: source.clone(),
            });
        }
        files[before..].sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(files)
}

impl SourceFile {
    fn new(path: &Path, bytes: u64) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (inner, gzip) = match name.strip_suffix(".gz") {
            Some(inner) => (inner, true),
            None => (name.as_str(), false),
        };
        let format = match inner.rsplit_once('.')?.1 {
            "txt" => Format::Text,
            "jsonl" => Format::JsonLines,
            _ => return None,
        };
        Some(Self {
            path: path.to_owned(),
            format,
            gzip,
            bytes,
        })
    }

    /// Opens the unpacked content.
    pub(crate) fn open(&self) -> Result<Box<dyn BufRead + Send>, DataError> {
        let file = File::open(&self.path).map_err(|error| read_error(&self.path, error))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(if self.gzip {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        })
    }

    /// What an error means that came while reading.
    pub(crate) fn failed(&self, source: io::Error) -> DataError {
        // The decoder reports damage with these kinds only; others come from the disk.
        let damage = [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::InvalidInput,
            io::ErrorKind::InvalidData,
        ];
        if self.gzip && damage.contains(&source.kind()) {
            DataError::Gzip {
                path: self.path.clone(),
                source,
            }
        } else {
            read_error(&self.path, source)
        }
    }
}

fn read_error(path: &Path, source: io::Error) -> DataError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        DataError::Missing { path }
    } else {
        DataError::Read { path, source }
    }
}
