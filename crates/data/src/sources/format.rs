//! The kinds of files that are read, told by their names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::packing::Packing;

/// How a file holds documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One document, or several parted by [`DataConfig::document_separator`](crate::DataConfig::document_separator): `.txt`.
    #[serde(alias = "txt")]
    Text,
    /// One document: `.md`, `.markdown`.
    #[serde(alias = "md")]
    Markdown,
    /// One web page, of which the readable text is taken: `.html`, `.htm`, `.xhtml`.
    #[serde(alias = "htm", alias = "xhtml")]
    Html,
    /// A JSON object in each line: `.jsonl`, `.ndjson`.
    #[serde(alias = "ndjson")]
    Jsonl,
    /// A list of JSON objects, one object, or several of these one after the other: `.json`.
    Json,
    /// Rows of fields parted by commas, which may stand in quotes and then hold line ends (RFC 4180): `.csv`. Where the name ends in
    /// `.tsv`, the fields are parted by tabs all the same.
    Csv,
    /// Rows of fields parted by tabs; a quote is a character like any other, as the registration of `text/tab-separated-values` has it:
    /// `.tsv`.
    Tsv,
    /// A column of an Apache Parquet file: `.parquet`. Read by programs built with the feature `parquet`.
    Parquet,
}

/// The extensions of each format, in the order of messages.
const EXTENSIONS: [(&str, Format); 12] = [
    ("txt", Format::Text),
    ("md", Format::Markdown),
    ("markdown", Format::Markdown),
    ("html", Format::Html),
    ("htm", Format::Html),
    ("xhtml", Format::Html),
    ("jsonl", Format::Jsonl),
    ("ndjson", Format::Jsonl),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("parquet", Format::Parquet),
];

/// What messages say about extensions.
pub(crate) const READABLE: &str = ".txt, .md, .html, .jsonl, .json, .csv, .tsv or .parquet, all but the last also with .gz or .zst";

impl Format {
    /// Its name in configuration files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        }
    }
}

/// What the name of a file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The last extension but that of the packing, in lower case; empty without one.
    pub(super) extension: String,
    /// The packing that the name promises.
    pub(super) packing: Option<Packing>,
}

impl Name {
    pub(super) fn of(path: &Path) -> Self {
        // What is not UTF-8 in a name is no part of an extension that is known.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_lowercase();
        let packings = [(".gz", Packing::Gzip), (".zst", Packing::Zstd)];
        let (inner, packing) = packings
            .into_iter()
            .find_map(|(end, packing)| Some((name.strip_suffix(end)?, Some(packing))))
            .unwrap_or((&name, None));
        Self {
            extension: inner
                .rsplit_once('.')
                .map_or_else(String::new, |(_, extension)| extension.to_owned()),
            packing,
        }
    }

    /// The format that belongs to the extension. Parquet packs its columns itself.
    pub(super) fn format(&self) -> Option<Format> {
        EXTENSIONS
            .iter()
            .find(|(extension, _)| *extension == self.extension)
            .map(|(_, format)| *format)
            .filter(|format| *format != Format::Parquet || self.packing.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        for (name, format, packing) in [
            ("a/b.TXT", Some(Format::Text), None),
            ("b.md", Some(Format::Markdown), None),
            ("b.txt.md", Some(Format::Markdown), None),
            ("b.xhtml.gz", Some(Format::Html), Some(Packing::Gzip)),
            ("b.ndjson.ZST", Some(Format::Jsonl), Some(Packing::Zstd)),
            ("b.parquet", Some(Format::Parquet), None),
            ("b.parquet.gz", None, Some(Packing::Gzip)),
            ("b.gz", None, Some(Packing::Gzip)),
            ("txt", None, None),
            ("b.pdf", None, None),
        ] {
            let found = Name::of(Path::new(name));
            assert_eq!((found.format(), found.packing), (format, packing), "{name}");
        }
    }

    #[test]
    fn formats_are_written_by_their_names() {
        for (_, format) in EXTENSIONS {
            let name = serde_json::to_string(&format).expect("a name");
            assert_eq!(name, format!("\"{}\"", format.name()));
        }
        for (extension, format) in EXTENSIONS {
            let read = serde_json::from_str::<Format>(&format!("\"{extension}\""));
            assert_eq!(read.ok(), Some(format), "{extension}");
        }
    }
}
