//! The text that a command reads: files as `llm train` takes them, and the `[data]` table that says how.

use std::path::PathBuf;

use llm_data::{
    CleanDocuments, CleanReport, Cleaner, DataConfig, DataError, Document, Documents, Skipped,
    WholeDocuments,
};

use crate::config::{Config, Layers};
use crate::failure::usage;
use crate::interrupt;
use crate::printer::Printer;

/// Which text is read.
#[derive(Debug, clap::Args)]
pub(crate) struct TextArgs {
    /// Text: .txt, .md, .html, .jsonl, .json, .csv, .tsv and .parquet files, packed with gzip or zstd or not, folders of them, or - for stdin; same as data.sources
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Configuration file, whose `[data]` table says what is read and how
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set one key of the configuration, such as data.text_field=body. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl TextArgs {
    /// The configuration: `--config`, or `built_in` in its place, then `--set` and `--data`.
    ///
    /// # Errors
    /// A fault in the file or an argument.
    pub(crate) fn configuration(&self, built_in: &str) -> anyhow::Result<Config> {
        let layers = match &self.config {
            Some(path) => Layers::new().file(path)?,
            None => Layers::new().built_in("the built-in configuration", built_in)?,
        };
        let sources = (!self.data.is_empty()).then(|| self.data.clone());
        layers
            .set(&self.set)?
            .flag("--data", "data.sources", sources)
            .resolve()
    }
}

/// The documents of `data.sources`, each whole, and cleaned where `data.clean` asks for it, until Ctrl-C.
pub(crate) struct Reading {
    texts: Texts,
}

enum Texts {
    AsTheyAre(Box<Alone>),
    Clean(Box<CleanDocuments<Alone, ()>>),
}

/// Documents with nothing beside them, as [`CleanDocuments`] takes them.
struct Alone(WholeDocuments);

impl Reading {
    /// Finds the sources.
    ///
    /// # Errors
    /// One is missing, or of a kind that can't be read.
    pub(crate) fn open(data: &DataConfig) -> anyhow::Result<Self> {
        if data.sources.is_empty() {
            return Err(no_text());
        }
        // Standard input is read here, and Ctrl-C ends that at once; from now on it ends the work between two documents.
        let documents = Documents::open(&data.sources, data)?;
        interrupt::defer();
        let documents = Alone(WholeDocuments::new(documents, data.max_document_bytes));
        Ok(Self {
            texts: if data.clean.is_off() {
                Texts::AsTheyAre(Box::new(documents))
            } else {
                let cleaner = Cleaner::new(data.clean.clone())?;
                Texts::Clean(Box::new(CleanDocuments::new(documents, cleaner)))
            },
        })
    }

    /// What cleaning did so far, where it is asked for.
    pub(crate) fn report(&self) -> Option<&CleanReport> {
        match &self.texts {
            Texts::AsTheyAre(_) => None,
            Texts::Clean(documents) => Some(documents.cleaner().report()),
        }
    }

    /// Says what was passed over, and what cleaning did.
    pub(crate) fn finish(&self, printer: Printer) {
        let Alone(documents) = match &self.texts {
            Texts::AsTheyAre(documents) => &**documents,
            Texts::Clean(documents) => documents.documents(),
        };
        tell_skipped(documents.skipped(), printer);
        if let Some(report) = self.report() {
            printer.note(report.to_string().trim_end());
        }
    }
}

impl Iterator for Reading {
    type Item = anyhow::Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = interrupt::check() {
            return Some(Err(error.into()));
        }
        let next = match &mut self.texts {
            Texts::AsTheyAre(documents) => documents.next(),
            Texts::Clean(documents) => documents.next(),
        };
        Some(next?.map(|(document, ())| document).map_err(Into::into))
    }
}

impl Iterator for Alone {
    type Item = Result<(Document, ()), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map(|document| (document, ())))
    }
}

/// The error of a command that was given no text.
pub(crate) fn no_text() -> anyhow::Error {
    usage("--data is missing: name the text, or - for standard input")
}

/// Lists what was passed over under `data.on_error = "skip"`.
pub(crate) fn tell_skipped(skipped: &Skipped, printer: Printer) {
    if skipped.is_empty() {
        return;
    }
    printer.warn(format_args!("{} records passed over:", skipped.total()));
    for (kind, count) in &skipped.counts {
        printer.note(format_args!("  {count:>7}  {kind}"));
    }
    for record in &skipped.first {
        printer.note(format_args!("  {}: {}", record.place, record.reason));
    }
}
