//! Cleaning of text: characters, white space, lines, and which documents are worth to be kept.
//!
//! [`CleanConfig`] says what is done. A [`Cleaner`] takes documents one after the other and remembers what it needs to know duplicates by;
//! a [`CleanReport`] says what was done. Knows nothing of files.

mod characters;
mod config;
mod filters;
mod hashed;
mod lines;
mod near;
mod repetition;
mod report;
mod stream;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use rayon::prelude::*;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

pub(crate) use self::characters::is_invisible;
pub use self::config::{
    CleanConfig, DocumentFilters, DuplicateFilters, LineFilters, NormalForm, RepetitionFilters,
};
pub(crate) use self::hashed::Hashed;
pub use self::near::{NearDuplicates, Sketch};
pub(crate) use self::report::grouped;
pub use self::report::{
    CharacterChanges, CleanReport, DocumentReason, Example, LineReason, Removed, RemovedBy,
};
pub use self::stream::CleanDocuments;

use self::filters::Filters;
use self::lines::Lines;
use crate::error::DataError;
use crate::sources::Document;

/// Cleans documents, one after the other or batch by batch. The result depends on their order alone, not on batches or threads.
///
/// Characters, markers, white space and single lines come first. Then a document that is an exact duplicate is removed, lines that many
/// documents have are removed from it, and the filters of documents are asked in the order of
/// [`DocumentReason`], near-duplicates last.
///
/// ```
/// use llm_data::{CleanConfig, Cleaned, Cleaner, Document, DocumentReason};
///
/// # fn main() -> Result<(), llm_data::DataError> {
/// let mut cleaner = Cleaner::new(CleanConfig::recommended())?;
/// let document = |text: &str| Document { text: text.to_owned(), origin: "notes.txt:1".to_owned(), continues: false };
/// let Cleaned::Kept(kept) = cleaner.clean(document("Tea,\u{200b}  and  bread. \r\n")) else { panic!() };
/// assert_eq!(kept.text, "Tea, and bread.");
///
/// let again = cleaner.clean(document("Tea, and\nbread."));
/// assert!(matches!(again, Cleaned::Removed { reason: DocumentReason::ExactDuplicate, .. }));
/// assert_eq!(cleaner.report().documents_out, 1);
/// println!("{}", cleaner.report());
/// # Ok(())
/// # }
/// ```
pub struct Cleaner {
    config: CleanConfig,
    filters: Filters,
    /// Documents that have a line, by its hash.
    lines: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Hashes of the documents seen.
    exact: HashSet<u128, BuildHasherDefault<Hashed>>,
    near: Option<NearDuplicates>,
    report: CleanReport,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleaned {
    /// It stays, with its text cleaned.
    Kept(Document),
    /// It is removed.
    Removed {
        /// Where it comes from.
        origin: String,
        /// Why.
        reason: DocumentReason,
    },
}

/// A document whose characters and single lines are clean.
struct Tidied {
    document: Document,
    bytes_in: u64,
    characters: CharacterChanges,
    lines: RemovedBy<LineReason>,
    /// The hash that exact duplicates share, when it is asked for and the text is not blank.
    hash: Option<u128>,
    reason: Option<DocumentReason>,
    sketch: Option<Sketch>,
}

impl Cleaner {
    /// A cleaner that has seen nothing.
    ///
    /// # Errors
    /// When the configuration is not valid; see [`CleanConfig::validate`].
    pub fn new(config: CleanConfig) -> Result<Self, DataError> {
        config.validate()?;
        Ok(Self {
            filters: Filters::new(&config.documents),
            lines: HashMap::default(),
            exact: HashSet::default(),
            near: config
                .duplicates
                .near
                .then(|| NearDuplicates::new(&config.duplicates)),
            report: CleanReport::default(),
            config,
        })
    }

    /// Cleans the next document.
    pub fn clean(&mut self, document: Document) -> Cleaned {
        let mut tidied = self.tidy(document);
        self.compare_exactly(&mut tidied);
        self.judge(&mut tidied);
        self.settle(tidied)
    }

    /// Cleans the next documents, on all threads, and gives what became of each in their order.
    ///
    /// Holds all of them in memory; a few megabytes of text keep the threads busy.
    pub fn clean_batch(&mut self, documents: Vec<Document>) -> Vec<Cleaned> {
        let tidy = |document| self.tidy(document);
        let mut tidied: Vec<Tidied> = documents.into_par_iter().map(tidy).collect();
        for document in &mut tidied {
            self.compare_exactly(document);
        }
        tidied.par_iter_mut().for_each(|tidied| self.judge(tidied));
        tidied
            .into_iter()
            .map(|tidied| self.settle(tidied))
            .collect()
    }

    /// What was done so far.
    pub fn report(&self) -> &CleanReport {
        &self.report
    }

    /// What needs no knowledge of other documents, up to the single lines.
    fn tidy(&self, mut document: Document) -> Tidied {
        let config = &self.config;
        let bytes_in = document.text.len() as u64;
        let mut characters = CharacterChanges::default();
        let mut lines = Lines::new(config, &document.origin);
        let (text, changed) = characters::to_normal_form(&document.text, config.normal_form);
        characters.normal_form = changed;
        let (text, changed) = match config.remove_control {
            true => chain(text, characters::without_control),
            false => (text, 0),
        };
        characters.control = changed;
        let (text, ()) = chain(text, |text| (lines.clean(text), ()));
        characters.white_space = lines.white_space;
        let is_blank = text.trim().is_empty();
        let hash = (config.duplicates.exact && !is_blank).then(|| hash_of_words(&text));
        let removed = lines.removed;
        if let Cow::Owned(text) = text {
            document.text = text;
        }
        Tidied {
            document,
            bytes_in,
            characters,
            lines: removed,
            hash,
            reason: is_blank.then_some(DocumentReason::Empty),
            sketch: None,
        }
    }

    /// Whether an earlier document has the same words; else takes out lines that too many earlier documents have.
    fn compare_exactly(&mut self, tidied: &mut Tidied) {
        if tidied.hash.is_some_and(|hash| !self.exact.insert(hash)) {
            tidied.reason = Some(DocumentReason::ExactDuplicate);
            return;
        }
        let Some(most) = self.config.lines.max_documents else {
            return;
        };
        let mut own = HashMap::<u64, bool, BuildHasherDefault<Hashed>>::default();
        let mut lines = Lines::new(&self.config, &tidied.document.origin);
        let counts = &mut self.lines;
        let text = lines.without_known(&tidied.document.text, |line| {
            let hash = xxh3_64(line.as_bytes());
            // A line that a document has twice was seen in one document more, not two.
            *own.entry(hash).or_insert_with(|| {
                let count = counts.entry(hash).or_default();
                *count = count.saturating_add(1);
                *count > most
            })
        });
        let text = match text {
            Cow::Owned(text) => text,
            Cow::Borrowed(_) => return,
        };
        tidied.characters.white_space += lines.white_space;
        tidied.lines.merge(lines.removed);
        tidied.document.text = text;
    }

    /// The filters that need no knowledge of other documents, and the sketch of what they leave.
    fn judge(&self, tidied: &mut Tidied) {
        let text = &tidied.document.text;
        let reason = tidied.reason.take();
        tidied.reason = reason
            .or_else(|| self.filters.judge(text))
            .or_else(|| repetition::judge(text, &self.config.repetition));
        if tidied.reason.is_none() {
            tidied.sketch = self.near.as_ref().map(|near| near.sketch(text));
        }
    }

    /// Compares with the documents that stayed, and writes the report.
    fn settle(&mut self, tidied: Tidied) -> Cleaned {
        let Tidied {
            document,
            bytes_in,
            characters,
            lines,
            mut reason,
            sketch,
            ..
        } = tidied;
        if let (Some(near), Some(sketch)) = (&mut self.near, sketch)
            && near.insert(sketch).is_some()
        {
            reason = Some(DocumentReason::NearDuplicate);
        }
        let report = &mut self.report;
        report.documents_in += 1;
        report.bytes_in += bytes_in;
        report.characters.normal_form += characters.normal_form;
        report.characters.control += characters.control;
        report.characters.white_space += characters.white_space;
        report.lines.merge(lines);
        if let Some(reason) = reason {
            report
                .documents
                .add(reason, &document.origin, &document.text);
            return Cleaned::Removed {
                origin: document.origin,
                reason,
            };
        }
        report.documents_out += 1;
        report.bytes_out += document.text.len() as u64;
        Cleaned::Kept(document)
    }
}

/// Does the next step to a text that may have been changed before.
fn chain<'t, R>(
    text: Cow<'t, str>,
    step: impl FnOnce(&str) -> (Cow<'_, str>, R),
) -> (Cow<'t, str>, R) {
    let (changed, result) = match step(&text) {
        (Cow::Owned(changed), result) => (Some(changed), result),
        (Cow::Borrowed(part), result) if part.len() < text.len() => (Some(part.to_owned()), result),
        (Cow::Borrowed(_), result) => (None, result),
    };
    (changed.map_or(text, Cow::Owned), result)
}

/// A hash of a text that leaves white space out of account, but for where it stands.
pub(crate) fn hash_of_words(text: &str) -> u128 {
    let mut hasher = Xxh3::new();
    for word in text.split_whitespace() {
        hasher.update(word.as_bytes());
        hasher.update(b" ");
    }
    hasher.digest128()
}
