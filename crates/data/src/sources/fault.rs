//! What can be wrong with a source: with a record of a file, such as a line, or with the file.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::format::READABLE;
use crate::error::DataError;
use crate::size::ByteSize;

/// A record that cannot be read: a line, a row, a value. Displayed as `file:line: what is wrong`.
#[derive(Debug)]
pub struct RecordError {
    /// The file.
    pub path: PathBuf,
    /// The line where the record begins, from 1; in Parquet files the row.
    pub line: u64,
    /// What is wrong with it.
    pub fault: RecordFault,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// A byte is no UTF-8.
    #[error(
        "byte {offset} of the text is not UTF-8; name the coding of the file with `encoding`, such as \"windows-1252\", or convert it"
    )]
    Utf8 {
        /// The offset of the bad byte in the unpacked file, from 0; in a Parquet file in the text.
        offset: u64,
    },
    /// Bytes mean nothing in the coding of the file.
    #[error(
        "bytes that mean nothing in the coding {encoding}; name the right one with `encoding`, or convert the file"
    )]
    Undecodable {
        /// The coding.
        encoding: &'static str,
    },
    /// The text is not JSON.
    #[error("not valid JSON, in column {}: {}", .reason.column(), without_place(.reason))]
    Json {
        /// The reason. Its lines count from the record on.
        reason: serde_json::Error,
    },
    /// A JSON value is never closed.
    #[error("the file ends inside the JSON value that begins here")]
    JsonOpen,
    /// Something else stands where a JSON list goes on or ends.
    #[error("expected {expected} in the JSON list, found `{found}`")]
    JsonList {
        /// What may stand here.
        expected: &'static str,
        /// The character found.
        found: char,
    },
    /// A JSON value is no object.
    #[error("expected an object with the key `{key}`, found {found}")]
    JsonObject {
        /// The key of the text.
        key: String,
        /// The kind of value in its place.
        found: &'static str,
    },
    /// A JSON object lacks the text.
    #[error("no key `{key}`, only {found}; name the key of the text with `text_field`")]
    JsonKey {
        /// The key of the text.
        key: String,
        /// The keys that are there.
        found: String,
    },
    /// The text is no string.
    #[error("`{key}` must be a string, found {found}")]
    Type {
        /// The key or column of the text.
        key: String,
        /// The kind of value in its place.
        found: &'static str,
    },
    /// A record is longer than `data.max_document_bytes`.
    #[error("longer than {limit}; raise data.max_document_bytes if this is one document")]
    TooLong {
        /// `data.max_document_bytes`.
        limit: ByteSize,
    },
    /// A row has too many fields or too few.
    #[error("a row of {found} fields where {expected} are expected{hint}")]
    Fields {
        /// Fields of the row.
        found: u64,
        /// Fields of the first row.
        expected: u64,
        /// What may help.
        hint: &'static str,
    },
    /// A row opens a quote that is never closed.
    #[error("a quote that opens in this row is never closed")]
    Quote,
}

/// What is wrong with a whole file, or with what follows in it. Displayed as `file: what is wrong`.
#[derive(Debug)]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: FileFault,
}

/// What is wrong with a file or folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// It does not exist.
    #[error("no such file or folder")]
    Missing,
    /// It is of a kind that is not read.
    #[error("not a kind of file that can be read; use {READABLE}, or name the kind with `format`")]
    Unsupported,
    /// A folder holds no file that can be read.
    #[error("the folder holds no file that can be read ({READABLE})")]
    EmptyFolder,
    /// It holds no text.
    #[error("holds no text; take it out of the sources, or set data.on_error = \"skip\"")]
    Empty,
    /// It cannot be read.
    #[error("cannot be read")]
    Read {
        /// The reason.
        source: io::Error,
    },
    /// Its name says that it is packed, but it is not.
    #[error("not {packing} data, as its name says; fetch or pack the file again, or rename it")]
    NotPacked {
        /// The packing.
        packing: &'static str,
    },
    /// It is packed, and damaged.
    #[error("the {packing} data is damaged or cut short; fetch the file again")]
    Damaged {
        /// The packing.
        packing: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// It does not look like text.
    #[error(
        "looks binary, not like text; take it out of the sources, or name its `encoding` if it is text"
    )]
    Binary,
    /// The header of a table lacks the column of the text.
    #[error(
        "no column `{column}`, only {found}; name the column of the text with `text_field`{hint}"
    )]
    Column {
        /// `text_field`.
        column: String,
        /// The columns that are there.
        found: String,
        /// What may help.
        hint: &'static str,
    },
    /// The column of the text holds something else.
    #[error(
        "the column `{column}` holds {found}, not text; name the column of the text with `text_field`"
    )]
    ColumnType {
        /// `text_field`.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A Parquet file is damaged.
    #[error("not a whole Parquet file: {reason}")]
    Parquet {
        /// The reason.
        reason: String,
    },
    /// Parquet files are not read by this program.
    #[error(
        "Parquet files are read only by a program built with the feature `parquet` (cargo build --features parquet)"
    )]
    NoParquet,
    /// Standard input cannot be kept in a temporary file.
    #[error("cannot be kept in a temporary file, which is needed to read it several times")]
    Spool {
        /// The reason.
        source: io::Error,
    },
}

impl RecordFault {
    /// In which line of its record it stands, from 0.
    pub(super) fn line_inside(&self) -> u64 {
        match self {
            Self::Json { reason } => reason.line().saturating_sub(1) as u64,
            _ => 0,
        }
    }

    /// The kind of fault, to be counted under.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Utf8 { .. } => "not UTF-8",
            Self::Undecodable { .. } => "undecodable bytes",
            Self::Json { .. } | Self::JsonOpen | Self::JsonList { .. } => "not valid JSON",
            Self::JsonObject { .. } => "not a JSON object",
            Self::JsonKey { .. } => "no text under the key",
            Self::Type { .. } => "not a string",
            Self::TooLong { .. } => "too long",
            Self::Fields { .. } => "wrong number of fields",
            Self::Quote => "unclosed quote",
        }
    }
}

/// What serde_json says without where: its lines count from the beginning of a value, which is not that of the file.
fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

impl FileFault {
    /// The kind of fault, to be counted under.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "file without text",
            Self::NotPacked { .. } | Self::Damaged { .. } | Self::Parquet { .. } => "damaged file",
            Self::Binary => "binary file",
            Self::Column { .. } | Self::ColumnType { .. } => "file without the column",
            _ => "unreadable file",
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.fault)
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The fault is part of the message.
        self.fault.source()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// An error on the way through a file, and how much of the file it spoils.
#[derive(Debug)]
pub(super) enum Fault {
    /// One record; the next can be read.
    Record(RecordError),
    /// A record, and nothing after it can be read.
    LastRecord(RecordError),
    /// All that follows in the file.
    File(FileError),
    /// Not the text, but the machine or the settings: never passed over.
    Setting(DataError),
}

impl From<Fault> for DataError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Record(error) | Fault::LastRecord(error) => error.into(),
            Fault::File(error) => error.into(),
            Fault::Setting(error) => error,
        }
    }
}
