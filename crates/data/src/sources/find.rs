//! From the sources a person names to the files that are read, in a fixed order.

use std::fs::{self, File, FileType};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use encoding_rs::{Encoding, UTF_8};
use walkdir::{DirEntry, WalkDir};

use super::coding::{self, Decoding};
use super::content::{Content, read_fault};
use super::fault::{Fault, FileError, FileFault};
use super::format::{Format, Name};
use super::packing::Packing;
use super::skipped::Skipped;
use super::source::Source;
use crate::config::{DataConfig, OnError};
use crate::error::DataError;
use crate::positioned::{self, PositionedFile};
use crate::size::ByteSize;

const BUFFER: usize = 1 << 16;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file that can be read, and how.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    /// For messages.
    pub(crate) name: PathBuf,
    pub(crate) format: Format,
    /// Whether the fields of a table are parted by tabs.
    pub(crate) tabs: bool,
    /// The packing that the name promises.
    promised: Option<Packing>,
    /// As it lies on disk.
    pub(crate) bytes: u64,
    pub(crate) text_field: String,
    /// How often its documents are trained on.
    pub(crate) weight: f64,
    /// As the person names it.
    pub(crate) encoding: Option<&'static Encoding>,
    /// What was found where none is named; looked for once.
    detected: Arc<OnceLock<&'static Encoding>>,
    /// What was read of standard input or a pipe, which can be read only once.
    spool: Option<PositionedFile>,
}

/// What was found of some sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<SourceFile>,
    /// What in folders cannot be read, under [`OnError::Skip`].
    pub(crate) skipped: Skipped,
}

/// The files of `sources`: files as given, folders with all below them, by path. What is not said of a source is taken from `data`.
/// Standard input is read to its end.
pub(crate) fn find(sources: &[Source], data: &DataConfig) -> Result<Found, DataError> {
    if sources.iter().filter(|source| source.is_stdin()).count() > 1 {
        return Err(DataError::StdinTwice);
    }
    let mut found = Found::default();
    for source in sources {
        let files = &mut found.files;
        source.validate()?;
        let settings = Settings::new(source, data)?;
        if source.is_stdin() {
            let stdin = io::stdin().lock();
            files.push(settings.stream(Path::new("standard input"), stdin)?);
            continue;
        }
        let path = &source.path;
        let metadata = fs::metadata(path).map_err(|error| read_error(path, error))?;
        if is_pipe(metadata.file_type()) {
            let pipe = File::open(path).map_err(|error| read_error(path, error))?;
            files.push(settings.stream(path, pipe)?);
            continue;
        }
        if !metadata.is_dir() {
            let unsupported = || file_error(path, FileFault::Unsupported);
            files.push(
                settings
                    .file(path, metadata.len())
                    .ok_or_else(unsupported)?,
            );
            continue;
        }
        let before = files.len();
        for entry in WalkDir::new(path)
            .follow_links(true)
            .into_iter()
            .filter_entry(is_shown)
        {
            match settings.entry(path, entry) {
                Ok(file) => files.extend(file),
                Err(error) if data.on_error == OnError::Skip => found.skipped.file(&error),
                Err(error) => return Err(error.into()),
            }
        }
        if files.len() == before {
            return Err(file_error(path, FileFault::EmptyFolder).into());
        }
        files[before..].sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(found)
}

/// Hidden files belong to programs: the forks of macOS, checkpoints of notebooks, the insides of git. What a person names is read.
fn is_shown(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether it can be read only once, as what a shell makes of `<(command)`.
fn is_pipe(kind: FileType) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileTypeExt::is_fifo(&kind)
    }
    #[cfg(not(unix))]
    {
        let _ = kind;
        false
    }
}

/// What holds for all files of a source.
struct Settings<'a> {
    source: &'a Source,
    format: Option<Format>,
    encoding: Option<&'static Encoding>,
    text_field: &'a str,
}

impl<'a> Settings<'a> {
    fn new(source: &'a Source, data: &'a DataConfig) -> Result<Self, DataError> {
        Ok(Self {
            source,
            format: source.format.or(data.format),
            encoding: coding::named(source.encoding.as_ref().unwrap_or(&data.encoding))?,
            text_field: source.text_field.as_ref().unwrap_or(&data.text_field),
        })
    }

    /// What a walk through `folder` has come to; none when it is no file, or one of another kind.
    fn entry(
        &self,
        folder: &Path,
        entry: walkdir::Result<DirEntry>,
    ) -> Result<Option<SourceFile>, FileError> {
        let failed = |error: walkdir::Error| {
            let path = error.path().unwrap_or(folder).to_owned();
            read_error(&path, error.into())
        };
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let file = self.file(entry.path(), metadata.len());
        // Whether it may be read is asked now: once it counts as there, a file that can't be opened ends the program.
        if file.is_some() {
            File::open(entry.path()).map_err(|error| read_error(entry.path(), error))?;
        }
        Ok(file)
    }

    /// A file; none when its kind cannot be told.
    fn file(&self, path: &Path, bytes: u64) -> Option<SourceFile> {
        let name = Name::of(path);
        let format = self.format.or_else(|| name.format())?;
        Some(SourceFile {
            path: path.to_owned(),
            name: path.to_owned(),
            format,
            tabs: format == Format::Tsv || name.extension == "tsv",
            promised: name.packing,
            bytes,
            text_field: self.text_field.to_owned(),
            weight: self.source.weight,
            encoding: self.encoding,
            detected: Arc::default(),
            spool: None,
        })
    }

    /// Standard input or a pipe, read to its end into a temporary file because it is read several times.
    fn stream(&self, name: &Path, mut stream: impl Read) -> Result<SourceFile, FileError> {
        let failed = |source| file_error(name, FileFault::Spool { source });
        let mut spool = positioned::temporary(&std::env::temp_dir()).map_err(failed)?;
        let bytes = io::copy(&mut stream, &mut spool).map_err(failed)?;
        let format = self.format.or_else(|| Name::of(name).format());
        let format = format.unwrap_or(Format::Text);
        Ok(SourceFile {
            path: name.to_owned(),
            name: name.to_owned(),
            format,
            tabs: format == Format::Tsv,
            promised: None,
            bytes,
            text_field: self.text_field.to_owned(),
            weight: self.source.weight,
            encoding: self.encoding,
            detected: Arc::default(),
            spool: Some(PositionedFile::new(spool)),
        })
    }
}

impl SourceFile {
    /// Opens the file as it lies on disk.
    pub(crate) fn open_raw(&self) -> Result<PositionedFile, DataError> {
        match &self.spool {
            Some(spool) => Ok(spool.at(0)),
            None => match File::open(&self.path) {
                Ok(file) => Ok(PositionedFile::new(file)),
                Err(error) => Err(read_error(&self.name, error).into()),
            },
        }
    }

    /// An error that came while reading the file as it lies on disk.
    pub(crate) fn raw_error(&self, error: io::Error) -> DataError {
        read_error(&self.name, error).into()
    }

    /// Opens the unpacked and decoded content.
    pub(super) fn open(&self, limit: ByteSize) -> Result<Content, Fault> {
        let file = self.open_raw().map_err(Fault::Setting)?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = file
            .fill_buf()
            .map_err(|error| read_fault(&self.name, None, error))?;
        let packing = Packing::of(start);
        if let Some(promised) = self.promised.filter(|promised| Some(*promised) != packing) {
            return Err(self.fault(FileFault::NotPacked {
                packing: promised.name(),
            }));
        }
        let mut bytes: Box<dyn BufRead + Send> = match packing {
            Some(packing) => packing.unpack(file),
            None => Box::new(file),
        };

        let known = self.encoding.or_else(|| self.detected.get().copied());
        // Enough to see a byte order mark, or the coding.
        let look = if known.is_some() {
            BYTE_ORDER_MARK.len()
        } else {
            coding::LOOK
        };
        let mut start = Vec::new();
        // Damage after the beginning is told when it is reached, so that what stands before it can be used.
        let read = (&mut bytes).take(look as u64).read_to_end(&mut start);
        let damage = match read {
            Ok(_) => None,
            Err(error) if start.is_empty() => return Err(read_fault(&self.name, packing, error)),
            Err(error) => Some(error),
        };
        let whole = start.len() < look && damage.is_none();
        let encoding = match known {
            Some(encoding) => with_byte_order(encoding, &start),
            None => self.detect(&start, whole)?,
        };
        let bare = match encoding == UTF_8 {
            true => start
                .strip_prefix(BYTE_ORDER_MARK)
                .unwrap_or(&start)
                .to_vec(),
            false => start,
        };
        let rest: Box<dyn BufRead + Send> = match damage {
            Some(error) => Box::new(BufReader::new(Failing(Some(error)))),
            None => bytes,
        };
        let bytes = Cursor::new(bare).chain(rest);
        let bytes: Box<dyn BufRead + Send> = if encoding == UTF_8 {
            Box::new(bytes)
        } else {
            Box::new(Decoding::new(bytes, encoding))
        };
        Ok(Content::new(
            bytes,
            self.name.clone(),
            packing,
            encoding,
            limit,
        ))
    }

    /// A fault of this file.
    pub(super) fn fault(&self, fault: FileFault) -> Fault {
        Fault::File(FileError {
            path: self.name.clone(),
            fault,
        })
    }

    fn detect(&self, start: &[u8], whole: bool) -> Result<&'static Encoding, Fault> {
        let encoding = coding::detect(start, whole, self.format)
            .ok_or_else(|| self.fault(FileFault::Binary))?;
        if self.detected.set(encoding).is_ok() {
            let (file, coding) = (self.name.display(), encoding.name());
            // Of UTF-8 nothing needs to be said.
            if encoding == UTF_8 {
                tracing::debug!(%file, coding, "the character coding that was found");
            } else {
                tracing::info!(%file, coding, "the character coding that was found");
            }
        }
        Ok(encoding)
    }
}

/// `encoding`, but for UTF-16 in the byte order that the text begins with.
fn with_byte_order(encoding: &'static Encoding, start: &[u8]) -> &'static Encoding {
    let is_utf16 =
        |encoding| encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
    match Encoding::for_bom(start) {
        Some((found, _)) if is_utf16(found) && is_utf16(encoding) => found,
        _ => encoding,
    }
}

/// Fails with the error that it holds.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn read_error(path: &Path, source: io::Error) -> FileError {
    let fault = if source.kind() == io::ErrorKind::NotFound {
        FileFault::Missing
    } else {
        FileFault::Read { source }
    };
    file_error(path, fault)
}

fn file_error(path: &Path, fault: FileFault) -> FileError {
    let path = path.to_owned();
    FileError { path, fault }
}
