//! A file of documents, as `llm data` commands write it: JSON lines, or text with a line between documents.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use llm_data::SEPARATOR;
use llm_files::WriteError;
use serde_json::json;

use crate::failure::usage;
use crate::output::{OutputFile, Overwrite};

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// An object with the key `text` in each line.
    JsonLines,
    /// As they are, each followed by a line with the separator.
    Text,
}

impl Layout {
    /// The layout that the extension of `path` names.
    ///
    /// # Errors
    /// It names none.
    fn of(path: &Path) -> anyhow::Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => Ok(Self::JsonLines),
            Some("txt") => Ok(Self::Text),
            _ => Err(usage(format_args!(
                "{}: name a .jsonl or a .txt file",
                path.display()
            ))),
        }
    }
}

/// Writes documents; the file appears when it is finished.
pub(crate) struct DocumentFile {
    path: PathBuf,
    layout: Layout,
    separator: String,
    out: BufWriter<OutputFile>,
}

impl DocumentFile {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// It can't be written, is there already, or its name says no layout.
    pub(crate) fn create(
        path: &Path,
        separator: &str,
        overwrite: Overwrite,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            layout: Layout::of(path)?,
            separator: match separator {
                // Documents without a line between them would be one.
                "" => SEPARATOR.to_owned(),
                separator => separator.to_owned(),
            },
            out: BufWriter::new(OutputFile::create(path, overwrite)?),
            path: path.to_owned(),
        })
    }

    /// Adds a document.
    ///
    /// # Errors
    /// The disk is full, or the text would come apart at a line of its own.
    pub(crate) fn write(&mut self, text: &str, origin: &str) -> anyhow::Result<()> {
        let separator = &self.separator;
        let written = match self.layout {
            Layout::JsonLines => write_json_line(&mut self.out, text),
            Layout::Text if text.lines().any(|line| line == separator) => bail!(
                "{origin}: holds the line {separator}, which parts documents in a .txt file; write a .jsonl file"
            ),
            Layout::Text => write!(self.out, "{text}\n{separator}\n"),
        };
        Ok(written.map_err(WriteError::of(&self.path))?)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .map_err(WriteError::of(&self.path))?
            .finish()
    }
}

/// Writes a document as an object with the key `text` in a line.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_json_line(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", json!({ "text": text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_layout() {
        assert_eq!(
            Layout::of(Path::new("a.b.jsonl")).unwrap(),
            Layout::JsonLines
        );
        assert_eq!(Layout::of(Path::new("x/a.txt")).unwrap(), Layout::Text);
        for name in ["a", "a.md", ".txt", "a.jsonl.gz"] {
            assert!(Layout::of(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_text_that_would_come_apart_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let mut file = DocumentFile::create(&path, "----", Overwrite::Refuse).unwrap();
        file.write("one", "x:1").unwrap();
        let text = "a\n----\nb";
        let error = file.write(text, "x:7").unwrap_err().to_string();
        assert!(
            error.starts_with("x:7") && error.contains(".jsonl"),
            "{error}"
        );
        drop(file);
        assert!(!path.exists());
    }
}
