//! A file of documents, as `llm data` commands write it: JSON lines, or text with a line between documents.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llm_data::SEPARATOR;
use serde_json::json;

use crate::failure::usage;
use crate::output::{OutputFile, Overwrite};

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
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
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
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
    out: BufWriter<OutputFile>,
}

impl DocumentFile {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// It can't be written, is there already, or its name says no layout.
    pub(crate) fn create(path: &Path, overwrite: Overwrite) -> anyhow::Result<Self> {
        Ok(Self {
            layout: Layout::of(path)?,
            out: BufWriter::new(OutputFile::create(path, overwrite)?),
            path: path.to_owned(),
        })
    }

    /// Adds a document.
    ///
    /// # Errors
    /// The disk is full, or the text would come apart at a line of its own.
    pub(crate) fn write(&mut self, text: &str, origin: &str) -> anyhow::Result<()> {
        if self.layout == Layout::Text && text.lines().any(|line| line == SEPARATOR) {
            bail!(
                "{origin}: holds the line {SEPARATOR}, which parts documents in a .txt file; write a .jsonl file"
            );
        }
        write_document(&mut self.out, self.layout, text)
            .with_context(|| format!("{}: cannot write", self.path.display()))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .with_context(|| format!("{}: cannot write", self.path.display()))?
            .finish()
    }
}

/// Writes one document in a layout.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_document(out: &mut impl Write, layout: Layout, text: &str) -> io::Result<()> {
    match layout {
        Layout::JsonLines => writeln!(out, "{}", json!({ "text": text })),
        Layout::Text => write!(out, "{text}\n{SEPARATOR}\n"),
    }
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
        let mut file = DocumentFile::create(&path, Overwrite::Refuse).unwrap();
        file.write("one", "x:1").unwrap();
        let text = format!("a\n{SEPARATOR}\nb");
        let error = file.write(&text, "x:7").unwrap_err().to_string();
        assert!(
            error.starts_with("x:7") && error.contains(".jsonl"),
            "{error}"
        );
        drop(file);
        assert!(!path.exists());
    }
}
