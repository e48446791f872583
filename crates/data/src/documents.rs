//! The documents of a set of files, one after the other.
//!
//! Holds one document at a time in memory. Knows nothing of splits and tokens.

use std::collections::VecDeque;
use std::io::BufRead;
use std::path::PathBuf;

use serde_json::Value;

use crate::error::DataError;
use crate::files::{self, Format, SourceFile};

/// A piece of text that belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text, never blank.
    pub text: String,
    /// Where it begins, as `file:line` with lines from 1, for messages.
    pub origin: String,
}

/// The documents of some sources; ends after the first error.
///
/// - A `.txt` file is one document, or several when lines hold only the separator. The line end before the separator belongs to the
///   separator. `\r\n` becomes `\n`.
/// - A `.jsonl` file has a document in each line, under one key. Blank lines are passed over.
/// - `.gz` files of both kinds are unpacked on the way. A folder stands for all files of these kinds below it, by path.
///
/// A byte order mark is dropped, and so is a document without a visible character.
pub struct Documents {
    files: VecDeque<SourceFile>,
    open: Option<Reader>,
    text_field: String,
    separator: String,
}

impl Documents {
    /// Looks the sources up; reads nothing yet.
    ///
    /// # Errors
    /// When a source is missing, of another kind, or a folder with nothing to read.
    pub fn open(sources: &[PathBuf], text_field: &str, separator: &str) -> Result<Self, DataError> {
        Ok(Self::of_files(files::find(sources)?, text_field, separator))
    }

    pub(crate) fn of_files(files: Vec<SourceFile>, text_field: &str, separator: &str) -> Self {
        Self {
            files: files.into(),
            open: None,
            text_field: text_field.to_owned(),
            separator: separator.to_owned(),
        }
    }

    fn read(&mut self) -> Result<Option<Document>, DataError> {
        loop {
            let reader = match &mut self.open {
                Some(reader) => reader,
                none => match self.files.pop_front() {
                    Some(file) => none.insert(Reader::open(file)?),
                    None => return Ok(None),
                },
            };
            let document = match reader.file.format {
                Format::Text => reader.text_document(&self.separator)?,
                Format::JsonLines => reader.json_document(&self.text_field)?,
            };
            match document {
                Some(document) if document.text.trim().is_empty() => {}
                Some(document) => {
                    reader.is_empty = false;
                    return Ok(Some(document));
                }
                None if reader.is_empty => {
                    return Err(DataError::Empty {
                        path: reader.file.path.clone(),
                    });
                }
                None => self.open = None,
            }
        }
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

/// An open file.
struct Reader {
    file: SourceFile,
    content: Box<dyn BufRead + Send>,
    /// The line last read, as bytes.
    buffer: Vec<u8>,
    /// Its number, from 1.
    line: u64,
    /// Bytes read so far.
    offset: u64,
    is_empty: bool,
}

impl Reader {
    fn open(file: SourceFile) -> Result<Self, DataError> {
        Ok(Self {
            content: file.open()?,
            file,
            buffer: Vec::new(),
            line: 0,
            offset: 0,
            is_empty: true,
        })
    }

    /// The next line with its line end.
    fn next_line(&mut self) -> Result<Option<&str>, DataError> {
        self.buffer.clear();
        let length = self
            .content
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| self.file.failed(error))?;
        if length == 0 {
            return Ok(None);
        }
        let start = self.offset;
        self.offset += length as u64;
        self.line += 1;
        let line = std::str::from_utf8(&self.buffer).map_err(|source| DataError::Utf8 {
            path: self.file.path.clone(),
            line: self.line,
            offset: start + source.valid_up_to() as u64,
            source,
        })?;
        Ok(Some(match self.line {
            1 => line.strip_prefix('\u{feff}').unwrap_or(line),
            _ => line,
        }))
    }

    fn origin(&self, line: u64) -> String {
        format!("{}:{line}", self.file.path.display())
    }

    fn text_document(&mut self, separator: &str) -> Result<Option<Document>, DataError> {
        let first = self.line + 1;
        let mut text = String::new();
        let mut ended = false;
        while let Some(line) = self.next_line()? {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            if !separator.is_empty() && bare == separator {
                ended = true;
                if text.ends_with('\n') {
                    text.pop();
                }
                break;
            }
            match line.strip_suffix("\r\n") {
                Some(bare) => {
                    text.push_str(bare);
                    text.push('\n');
                }
                None => text.push_str(line),
            }
        }
        let document = Document {
            origin: self.origin(first),
            text,
        };
        Ok((ended || !document.text.is_empty()).then_some(document))
    }

    fn json_document(&mut self, key: &str) -> Result<Option<Document>, DataError> {
        loop {
            let Some(line) = self.next_line()? else {
                return Ok(None);
            };
            if line.trim().is_empty() {
                continue;
            }
            let value = serde_json::from_str::<Value>(line);
            let (path, line) = (self.file.path.clone(), self.line);
            let key = key.to_owned();
            let found = kind_of(value.as_ref().unwrap_or(&Value::Null));
            let mut object = match value {
                Ok(Value::Object(object)) => object,
                Ok(_) => {
                    return Err(DataError::JsonObject {
                        path,
                        line,
                        key,
                        found,
                    });
                }
                Err(source) => return Err(DataError::Json { path, line, source }),
            };
            return match object.remove(&key) {
                Some(Value::String(text)) => Ok(Some(Document {
                    text,
                    origin: self.origin(line),
                })),
                Some(other) => Err(DataError::JsonType {
                    path,
                    line,
                    key,
                    found: kind_of(&other),
                }),
                None => Err(DataError::JsonKey {
                    path,
                    line,
                    key,
                    found: keys_of(&object),
                }),
            };
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn keys_of(object: &serde_json::Map<String, Value>) -> String {
    if object.is_empty() {
        return "an empty object".to_owned();
    }
    let keys: Vec<_> = object
        .keys()
        .take(8)
        .map(|key| format!("`{key}`"))
        .collect();
    keys.join(", ")
}
