//! What cleaning did: counts, reasons, examples.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Examples kept for each reason.
const EXAMPLES: usize = 5;

/// Characters of an example.
const EXAMPLE_CHARS: usize = 80;

/// Why a line was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineReason {
    /// It stands before a start marker or behind an end marker, or is one.
    OutsideMarkers,
    /// `lines.min_chars`.
    TooShort,
    /// `lines.max_chars`.
    TooLong,
    /// `lines.max_non_letters`.
    NonLetters,
    /// `lines.max_documents`.
    Repeated,
}

/// Why a document was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentReason {
    /// No visible character is left of it.
    Empty,
    /// `documents.min_chars` or `documents.min_words`.
    TooShort,
    /// `documents.max_chars` or `documents.max_words`.
    TooLong,
    /// `documents.min_mean_word` or `documents.max_mean_word`.
    MeanWord,
    /// `documents.max_non_alphanumeric`.
    NonAlphanumeric,
    /// `documents.scripts`.
    Script,
    /// `repetition.max_duplicate_lines` or `max_duplicate_line_chars`.
    DuplicateLines,
    /// `repetition.max_duplicate_paragraphs` or `max_duplicate_paragraph_chars`.
    DuplicateParagraphs,
    /// `repetition.max_top_ngrams`.
    TopNgram,
    /// `repetition.max_duplicate_ngrams`.
    DuplicateNgrams,
    /// `duplicates.exact`.
    ExactDuplicate,
    /// `duplicates.near`.
    NearDuplicate,
}

impl fmt::Display for LineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OutsideMarkers => "outside of the markers",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::NonLetters => "too few letters",
            Self::Repeated => "seen in other documents",
        })
    }
}

impl fmt::Display for DocumentReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Empty => "empty",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::MeanWord => "words too short or long",
            Self::NonAlphanumeric => "too many symbols",
            Self::Script => "another script",
            Self::DuplicateLines => "repeats lines",
            Self::DuplicateParagraphs => "repeats paragraphs",
            Self::TopNgram => "repeats a few words",
            Self::DuplicateNgrams => "repeats phrases",
            Self::ExactDuplicate => "duplicate",
            Self::NearDuplicate => "near-duplicate",
        })
    }
}

/// What was removed for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// How many lines or documents.
    pub count: u64,
    /// The first of them, up to 5.
    pub examples: Vec<Example>,
}

/// Something that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Where its document comes from.
    pub origin: String,
    /// Its first 80 characters, with one space for each run of white space.
    pub text: String,
}

/// What was removed, by reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemovedBy<R: Ord>(pub BTreeMap<R, Removed>);

/// Characters that were changed, by the key of `[data.clean]` that changed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharacterChanges {
    /// `normal_form`: characters that were in another form, as they were before.
    pub normal_form: u64,
    /// `remove_control`: characters removed, and line ends replaced.
    pub control: u64,
    /// `collapse_spaces`, `trim` and `max_blank_lines`: characters removed or replaced.
    pub white_space: u64,
}

/// What a [`Cleaner`](crate::Cleaner) has done so far. `Display` writes a table for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanReport {
    /// Documents that were given.
    pub documents_in: u64,
    /// Documents that were kept.
    pub documents_out: u64,
    /// Bytes of text, in UTF-8, that were given.
    pub bytes_in: u64,
    /// Bytes of text that were kept.
    pub bytes_out: u64,
    /// Characters changed, in documents that were then removed too.
    pub characters: CharacterChanges,
    /// Lines removed, in documents that were then removed too.
    pub lines: RemovedBy<LineReason>,
    /// Documents removed. Each has one reason: the first that was found.
    pub documents: RemovedBy<DocumentReason>,
}

impl<R: Ord> Default for RemovedBy<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Ord + Copy> RemovedBy<R> {
    /// How many were removed for one reason.
    pub fn count(&self, reason: R) -> u64 {
        self.0.get(&reason).map_or(0, |removed| removed.count)
    }

    /// How many were removed for all reasons.
    pub fn total(&self) -> u64 {
        self.0.values().map(|removed| removed.count).sum()
    }

    pub(super) fn add(&mut self, reason: R, origin: &str, text: &str) {
        let removed = self.0.entry(reason).or_default();
        removed.count += 1;
        if removed.examples.len() < EXAMPLES {
            removed.examples.push(Example {
                origin: origin.to_owned(),
                text: beginning(text),
            });
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (reason, new) in other.0 {
            let removed = self.0.entry(reason).or_default();
            removed.count += new.count;
            let free = EXAMPLES.saturating_sub(removed.examples.len());
            removed.examples.extend(new.examples.into_iter().take(free));
        }
    }
}

/// The first characters of a text as one line, with nothing that a terminal would obey.
fn beginning(text: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for word in text.split_whitespace() {
        for c in (!line.is_empty())
            .then_some(' ')
            .into_iter()
            .chain(word.chars())
        {
            if chars == EXAMPLE_CHARS {
                line.push('…');
                return line;
            }
            chars += 1;
            let shown = !c.is_control() && !super::characters::is_invisible(c);
            line.push(if shown { c } else { '\u{fffd}' });
        }
    }
    line
}

impl fmt::Display for CleanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26} {:>15} {:>15} {:>7}", "", "in", "out", "kept")?;
        for (name, before, after) in [
            ("documents", self.documents_in, self.documents_out),
            ("bytes", self.bytes_in, self.bytes_out),
        ] {
            let share = 100.0 * after as f64 / before.max(1) as f64;
            let (before, after) = (grouped(before), grouped(after));
            writeln!(f, "{name:<26} {before:>15} {after:>15} {share:>6.1}%")?;
        }
        let characters = self.characters;
        let changes = [
            ("normal form", characters.normal_form),
            ("control characters", characters.control),
            ("white space", characters.white_space),
        ];
        if changes.iter().any(|(_, count)| *count > 0) {
            writeln!(f, "\ncharacters changed")?;
            for (name, count) in changes.iter().filter(|(_, count)| *count > 0) {
                writeln!(f, "  {name:<24} {:>15}", grouped(*count))?;
            }
        }
        self.lines.write(f, "lines removed")?;
        self.documents.write(f, "documents removed")
    }
}

impl<R: Ord + Copy + fmt::Display> RemovedBy<R> {
    fn write(&self, f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{title:<26} {:>15}", grouped(self.total()))?;
        for (reason, removed) in &self.0 {
            writeln!(f, "  {reason:<24} {:>15}", grouped(removed.count))?;
            for Example { origin, text } in &removed.examples {
                writeln!(f, "    {origin}: {text}")?;
            }
        }
        Ok(())
    }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
