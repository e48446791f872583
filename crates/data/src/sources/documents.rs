//! The documents of a set of files, one after the other.
//!
//! Holds one document at a time in memory. Knows nothing of splits and tokens.

use std::collections::VecDeque;

use super::fault::{Fault, FileFault};
use super::find::{self, Found, SourceFile};
use super::format::Format;
use super::json::Json;
use super::json_lines::JsonLines;
use super::page::Page;
use super::skipped::Skipped;
use super::source::Source;
use super::table::{Layout, Table};
use super::text::Text;
use crate::config::{DataConfig, OnError};
use crate::error::DataError;
use crate::size::ByteSize;

/// A piece of text that belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text, never blank.
    pub text: String,
    /// Where it begins, as `file:line` with lines from 1, or `file:row` in Parquet files, for messages.
    pub origin: String,
    /// Whether it goes on with the document before: a text file of more than 64 MiB without separators comes in pieces, cut before the end
    /// of a line. The line end begins the next piece, so that all pieces joined are the document.
    pub continues: bool,
}

impl Document {
    /// The file it comes from, as messages name it.
    pub fn file(&self) -> &str {
        self.place().0
    }

    /// The file and the line.
    pub(crate) fn place(&self) -> (&str, u64) {
        let (file, line) = self.origin.rsplit_once(':').unwrap_or((&self.origin, ""));
        (file, line.parse().unwrap_or(1))
    }
}

/// The documents of some sources; ends after the first error.
///
/// - A `.txt` file is one document, or several when lines hold only the separator. The line end before the separator belongs to the
///   separator. `\r\n` becomes `\n`. A `.md` or `.markdown` file is one document.
/// - A `.html`, `.htm` or `.xhtml` file is one document, of the readable text of the page.
/// - A `.jsonl` or `.ndjson` file has a document in each line: an object with the text under one key, or a path of keys such as `meta.text`.
///   A bare string is a document where the key is `text`. Blank lines are passed over.
/// - A `.json` file has a list of such values, one value, or several of both.
/// - A `.csv` file has a document in each row, in the column that the first row names, or in column 2 of a table without such a header
///   when the name is `#2`. Fields may stand in quotes and then hold line ends. In a `.tsv` file tabs part the fields and quotes mean nothing.
/// - A `.parquet` file has a document in each row of one column.
///
/// All but the last are unpacked on the way when they are packed with gzip or zstd, and decoded to UTF-8. `-` is standard input. A folder
/// stands for all files of these kinds below it, by path, but hidden ones.
///
/// A document without a visible character is dropped.
pub struct Documents {
    files: VecDeque<SourceFile>,
    open: Option<Open>,
    separator: String,
    on_error: OnError,
    limit: ByteSize,
    skipped: Skipped,
}

/// The file that is being read.
struct Open {
    file: SourceFile,
    records: Box<dyn Records>,
    is_empty: bool,
    /// Whether the document at hand began with a piece that was dropped because it is blank.
    headless: bool,
}

/// A reader of a format.
pub(super) trait Records: Send {
    /// The next record with text; none at the end. After a [`Fault::Record`] it goes on behind that record.
    fn next(&mut self) -> Result<Option<Record>, Fault>;
}

/// What a reader of a format finds.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// As [`Document::continues`].
    pub(super) continues: bool,
}

impl Documents {
    /// Looks the sources up; reads nothing yet but standard input. `data` says how they are read; its own sources are not looked at.
    ///
    /// # Errors
    /// When a source is missing, of another kind, or a folder with nothing to read, or a key has a wrong value.
    pub fn open(sources: &[Source], data: &DataConfig) -> Result<Self, DataError> {
        data.validate()?;
        Ok(Self::of_found(find::find(sources, data)?, data))
    }

    pub(crate) fn of_found(found: Found, data: &DataConfig) -> Self {
        Self {
            files: found.files.into(),
            open: None,
            separator: data.document_separator.clone(),
            on_error: data.on_error,
            limit: data.max_document_bytes,
            skipped: found.skipped,
        }
    }

    /// What was passed over so far, under [`OnError::Skip`].
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// How many files come after that of the document last handed on.
    pub(crate) fn files_left(&self) -> usize {
        self.files.len()
    }

    fn read(&mut self) -> Result<Option<Document>, DataError> {
        loop {
            if self.open.is_none() {
                let Some(file) = self.files.pop_front() else {
                    return Ok(None);
                };
                match self.open_file(&file) {
                    Ok(records) => {
                        self.open = Some(Open {
                            file,
                            records,
                            is_empty: true,
                            headless: false,
                        });
                    }
                    Err(fault) => self.pass_over(fault)?,
                }
                continue;
            }
            let Some(open) = &mut self.open else { continue };
            match open.records.next() {
                Ok(Some(record)) => {
                    if let Some(document) = open.document(record) {
                        return Ok(Some(document));
                    }
                }
                Ok(None) => {
                    let empty = open.is_empty.then(|| open.file.fault(FileFault::Empty));
                    self.open = None;
                    empty.map_or(Ok(()), |fault| self.pass_over(fault))?;
                }
                Err(fault) => {
                    // Whatever is wrong with it, the file holds something.
                    open.is_empty = false;
                    self.pass_over(fault)?;
                }
            }
        }
    }

    fn open_file(&self, file: &SourceFile) -> Result<Box<dyn Records>, Fault> {
        let text_field = &file.text_field;
        if file.format == Format::Parquet {
            return open_parquet(file, self.limit);
        }
        let content = file.open(self.limit)?;
        Ok(match file.format {
            Format::Text => Box::new(Text::new(content, &self.separator)),
            Format::Markdown => Box::new(Text::new(content, "")),
            Format::Html => Box::new(Page::new(content)),
            Format::Jsonl => Box::new(JsonLines::new(content, text_field)),
            Format::Json => Box::new(Json::new(content, text_field)),
            Format::Csv | Format::Tsv => {
                let layout = match (file.format, file.tabs) {
                    (Format::Tsv, _) => Layout::Tabs,
                    (_, true) => Layout::QuotedTabs,
                    (_, false) => Layout::Commas,
                };
                Box::new(Table::new(content, layout, text_field))
            }
            Format::Parquet => return open_parquet(file, self.limit),
        })
    }

    /// Notes a fault and goes on behind it, where that is wanted and possible.
    fn pass_over(&mut self, fault: Fault) -> Result<(), DataError> {
        match (self.on_error, fault) {
            (OnError::Skip, Fault::Record(error)) => self.skipped.record(&error),
            (OnError::Skip, Fault::LastRecord(error)) => {
                self.skipped.record(&error);
                self.open = None;
            }
            (OnError::Skip, Fault::File(error)) => {
                self.skipped.file(&error);
                self.open = None;
            }
            (_, fault) => return Err(fault.into()),
        }
        Ok(())
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            self.files.clear();
            self.open = None;
        }
        item
    }
}

impl Open {
    /// The document of a record; none when it is blank.
    fn document(&mut self, record: Record) -> Option<Document> {
        let blank = record.text.trim().is_empty();
        let continues = record.continues && !self.headless;
        self.headless = blank && !continues;
        if blank && !continues {
            return None;
        }
        self.is_empty = false;
        Some(Document {
            origin: format!("{}:{}", self.file.name.display(), record.line),
            text: record.text,
            continues,
        })
    }
}

#[cfg(feature = "parquet")]
fn open_parquet(file: &SourceFile, limit: ByteSize) -> Result<Box<dyn Records>, Fault> {
    Ok(Box::new(super::parquet::Parquet::open(file, limit)?))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(file: &SourceFile, _: ByteSize) -> Result<Box<dyn Records>, Fault> {
    let error = super::fault::FileError {
        path: file.name.clone(),
        fault: FileFault::NoParquet,
    };
    Err(Fault::Setting(error.into()))
}
