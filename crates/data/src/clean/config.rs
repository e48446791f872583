//! The `[data.clean]` table of a configuration file.

use serde::{Deserialize, Serialize};
use unicode_script::Script;

use crate::error::DataError;

/// How text is cleaned. By default nothing is changed and nothing removed; [`CleanConfig::recommended`] is a set to start from.
///
/// Everything is done in the order of the keys. Shares lie between 0 and 1, and a largest share of 1 removes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CleanConfig {
    /// The normal form of Unicode that text is brought to.
    pub normal_form: NormalForm,
    /// Whether characters without a glyph are removed: control characters but line feed and tab, the byte order mark, zero-width space and
    /// word joiner, soft hyphens, marks of direction, noncharacters. Every kind of line end becomes a line feed. The zero-width joiner and
    /// non-joiner stay: Persian, Indic scripts and emoji are spelled with them.
    pub remove_control: bool,
    /// Beginnings of a line after which the text begins, such as `*** START OF` of Project Gutenberg. Everything up to the first such
    /// line is removed; a document without one keeps its beginning.
    pub start_markers: Vec<String>,
    /// Beginnings of a line before which the text ends, such as `*** END OF`, looked for behind the start marker.
    pub end_markers: Vec<String>,
    /// Whether runs of blanks inside a line, of any kind, become one space. The indentation of a line stays.
    pub collapse_spaces: bool,
    /// Whether blanks at the end of each line, and blank lines at both ends of a document, are removed.
    pub trim: bool,
    /// Blank lines in a row beyond which the rest are removed; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_blank_lines: Option<usize>,
    /// Which lines are removed.
    pub lines: LineFilters,
    /// Which documents are removed.
    pub documents: DocumentFilters,
    /// Which documents are removed because they repeat themselves.
    pub repetition: RepetitionFilters,
    /// Which documents are removed because they repeat others.
    pub duplicates: DuplicateFilters,
}

/// A normal form of Unicode, see [UAX #15](https://www.unicode.org/reports/tr15/).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalForm {
    /// Text stays as it is.
    #[default]
    None,
    /// Characters and their marks are put together; looks the same.
    Nfc,
    /// Variants of a character become the plain one too (`ﬁ` to `fi`, `２` to `2`, `²` to `2`): something is lost.
    Nfkc,
}

/// The `[data.clean.lines]` table. Blank lines are never removed by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineFilters {
    /// Characters below which a line is removed, blanks at its ends not counted.
    pub min_chars: usize,
    /// Characters above which a line is removed; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<usize>,
    /// The largest share of characters that are neither letters nor blanks.
    pub max_non_letters: f64,
    /// Documents that may have the same line, such as "Cookie settings"; in later ones it is removed. No limit when absent; at least 1.
    ///
    /// Text is read once, so the first documents keep the line. Takes about 30 bytes for each line that differs from the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_documents: Option<u32>,
}

/// The `[data.clean.documents]` table. A document without a visible character is always removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentFilters {
    /// Characters below which a document is removed.
    pub min_chars: usize,
    /// Characters above which a document is removed; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<usize>,
    /// Words, parted by white space, below which a document is removed.
    pub min_words: usize,
    /// Words above which a document is removed; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<usize>,
    /// The smallest mean length of words, in characters.
    pub min_mean_word: f64,
    /// The largest mean length of words, in characters; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mean_word: Option<f64>,
    /// The largest share of visible characters that are neither letters nor digits.
    pub max_non_alphanumeric: f64,
    /// The scripts that text may be written in, by their [Unicode names](https://www.unicode.org/reports/tr24/), such as `Latin` or `Han`;
    /// all when empty.
    pub scripts: Vec<String>,
    /// The smallest share of letters in one of `scripts`. Digits, punctuation and marks have no script; a document without letters passes.
    pub min_script_share: f64,
}

/// The `[data.clean.repetition]` table: largest shares of text that a document has said before.
///
/// The measures are those of Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", appendix A1.1
/// and table A1, <https://arxiv.org/abs/2112.11446>; [`RepetitionFilters::gopher`] are their thresholds. Characters are counted without
/// white space, lines and paragraphs without blanks at their ends. A line, paragraph or run of words that occurred before in the document is
/// a duplicate, its first occurrence is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepetitionFilters {
    /// Words below which a document is not judged: every short text has a large share of anything.
    pub min_words: usize,
    /// The largest share of lines that are duplicates.
    pub max_duplicate_lines: f64,
    /// The largest share of paragraphs, parted by blank lines, that are duplicates.
    pub max_duplicate_paragraphs: f64,
    /// The largest share of characters in duplicate lines.
    pub max_duplicate_line_chars: f64,
    /// The largest share of characters in duplicate paragraphs.
    pub max_duplicate_paragraph_chars: f64,
    /// The largest share of characters in the occurrences of the most frequent run of 2, 3 and 4 words; up to 3 numbers.
    pub max_top_ngrams: Vec<f64>,
    /// The largest share of characters in duplicate runs of 5, 6, 7, 8, 9 and 10 words; up to 6 numbers.
    pub max_duplicate_ngrams: Vec<f64>,
}

/// The `[data.clean.duplicates]` table: documents that say what an earlier one said. The earlier one stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DuplicateFilters {
    /// Whether documents are removed that differ from an earlier one in white space at most. Takes about 20 bytes for each document.
    pub exact: bool,
    /// Whether documents are removed that are nearly an earlier one; see [`NearDuplicates`](crate::NearDuplicates) for method and memory.
    pub near: bool,
    /// The Jaccard similarity of the sets of shingles from which documents are near-duplicates, above 0 and at most 1.
    pub threshold: f64,
    /// Words in a shingle, from 1.
    pub shingle_words: usize,
    /// Hash functions of a MinHash signature, from 16 to 1024. More find more of the pairs close to the threshold.
    pub permutations: usize,
}

impl Default for CleanConfig {
    fn default() -> Self {
        Self {
            normal_form: NormalForm::None,
            remove_control: false,
            start_markers: Vec::new(),
            end_markers: Vec::new(),
            collapse_spaces: false,
            trim: false,
            max_blank_lines: None,
            lines: LineFilters::default(),
            documents: DocumentFilters::default(),
            repetition: RepetitionFilters::default(),
            duplicates: DuplicateFilters::default(),
        }
    }
}

impl Default for LineFilters {
    fn default() -> Self {
        Self {
            min_chars: 0,
            max_chars: None,
            max_non_letters: 1.0,
            max_documents: None,
        }
    }
}

impl Default for DocumentFilters {
    fn default() -> Self {
        Self {
            min_chars: 0,
            max_chars: None,
            min_words: 0,
            max_words: None,
            min_mean_word: 0.0,
            max_mean_word: None,
            max_non_alphanumeric: 1.0,
            scripts: Vec::new(),
            min_script_share: 0.5,
        }
    }
}

impl Default for RepetitionFilters {
    fn default() -> Self {
        Self {
            min_words: 50,
            max_duplicate_lines: 1.0,
            max_duplicate_paragraphs: 1.0,
            max_duplicate_line_chars: 1.0,
            max_duplicate_paragraph_chars: 1.0,
            max_top_ngrams: Vec::new(),
            max_duplicate_ngrams: Vec::new(),
        }
    }
}

impl RepetitionFilters {
    /// The thresholds of Gopher's table A1, for documents of 50 words and more, which is the shortest that Gopher keeps.
    pub fn gopher() -> Self {
        Self {
            min_words: 50,
            max_duplicate_lines: 0.30,
            max_duplicate_paragraphs: 0.30,
            max_duplicate_line_chars: 0.20,
            max_duplicate_paragraph_chars: 0.20,
            max_top_ngrams: vec![0.20, 0.18, 0.16],
            max_duplicate_ngrams: vec![0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
        }
    }
}

impl Default for DuplicateFilters {
    fn default() -> Self {
        Self {
            exact: false,
            near: false,
            threshold: 0.8,
            shingle_words: 5,
            permutations: 128,
        }
    }
}

impl CleanConfig {
    /// What suits most collections of prose: composed characters, tidy white space, no invisible characters, no Project Gutenberg
    /// licences, no documents of mostly symbols, none that repeat themselves by Gopher's measures or others.
    pub fn recommended() -> Self {
        let markers = |markers: &[&str]| markers.iter().map(|&marker| marker.to_owned()).collect();
        Self {
            normal_form: NormalForm::Nfc,
            remove_control: true,
            start_markers: markers(&["*** START OF", "***START OF"]),
            end_markers: markers(&[
                "*** END OF",
                "***END OF",
                "End of Project Gutenberg",
                "End of the Project Gutenberg",
            ]),
            collapse_spaces: true,
            trim: true,
            max_blank_lines: Some(2),
            lines: LineFilters::default(),
            documents: DocumentFilters {
                max_non_alphanumeric: 0.5,
                ..DocumentFilters::default()
            },
            repetition: RepetitionFilters::gopher(),
            duplicates: DuplicateFilters {
                exact: true,
                near: true,
                ..DuplicateFilters::default()
            },
        }
    }

    /// Whether text passes as it is: everything is off.
    pub fn is_off(&self) -> bool {
        // Sizes of what is off may differ from the defaults.
        let Self {
            repetition,
            duplicates,
            documents,
            ..
        } = self.clone();
        let off = Self {
            repetition: RepetitionFilters {
                min_words: repetition.min_words,
                ..RepetitionFilters::default()
            },
            documents: DocumentFilters {
                min_script_share: documents.min_script_share,
                ..DocumentFilters::default()
            },
            duplicates: DuplicateFilters {
                exact: false,
                near: false,
                ..duplicates
            },
            ..Self::default()
        };
        *self == off
    }

    /// Checks what the types alone do not.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn validate(&self) -> Result<(), DataError> {
        let (lines, documents) = (&self.lines, &self.documents);
        let (repetition, duplicates) = (&self.repetition, &self.duplicates);
        for (key, markers) in [
            ("start_markers", &self.start_markers),
            ("end_markers", &self.end_markers),
        ] {
            if markers.iter().any(|marker| marker.trim().is_empty()) {
                return Err(wrong(key, "\"\"", "must hold no blank text"));
            }
            if let Some(marker) = markers.iter().find(|marker| marker.contains(['\n', '\r'])) {
                return Err(wrong(key, format!("{marker:?}"), "must hold single lines"));
            }
        }
        for (key, share) in [
            ("lines.max_non_letters", lines.max_non_letters),
            (
                "documents.max_non_alphanumeric",
                documents.max_non_alphanumeric,
            ),
            ("documents.min_script_share", documents.min_script_share),
            (
                "repetition.max_duplicate_lines",
                repetition.max_duplicate_lines,
            ),
            (
                "repetition.max_duplicate_paragraphs",
                repetition.max_duplicate_paragraphs,
            ),
            (
                "repetition.max_duplicate_line_chars",
                repetition.max_duplicate_line_chars,
            ),
            (
                "repetition.max_duplicate_paragraph_chars",
                repetition.max_duplicate_paragraph_chars,
            ),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(wrong(key, share, "must lie between 0 and 1"));
            }
        }
        for (key, shares, most) in [
            ("repetition.max_top_ngrams", &repetition.max_top_ngrams, 3),
            (
                "repetition.max_duplicate_ngrams",
                &repetition.max_duplicate_ngrams,
                6,
            ),
        ] {
            if shares.len() > most || shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
                let rule = match most {
                    3 => "must hold up to 3 numbers between 0 and 1",
                    _ => "must hold up to 6 numbers between 0 and 1",
                };
                return Err(wrong(key, format!("{shares:?}"), rule));
            }
        }
        at_least("lines.max_chars", lines.max_chars, lines.min_chars)?;
        at_least(
            "documents.max_chars",
            documents.max_chars,
            documents.min_chars,
        )?;
        at_least(
            "documents.max_words",
            documents.max_words,
            documents.min_words,
        )?;
        if lines.max_documents == Some(0) {
            return Err(wrong("lines.max_documents", 0, "must be at least 1"));
        }
        let (least, most) = (documents.min_mean_word, documents.max_mean_word);
        if !(least >= 0.0 && least.is_finite()) {
            return Err(wrong(
                "documents.min_mean_word",
                least,
                "must be at least 0",
            ));
        }
        if let Some(most) = most.filter(|most| !(*most >= least && most.is_finite())) {
            let rule = "must be at least documents.min_mean_word";
            return Err(wrong("documents.max_mean_word", most, rule));
        }
        for name in &documents.scripts {
            if Script::from_full_name(name).is_none() {
                let rule =
                    "must hold Unicode names of scripts, such as Latin, Cyrillic, Arabic or Han";
                return Err(wrong("documents.scripts", format!("{name:?}"), rule));
            }
        }
        let threshold = duplicates.threshold;
        if !(threshold > 0.0 && threshold <= 1.0) {
            let rule = "must lie above 0 and be at most 1";
            return Err(wrong("duplicates.threshold", threshold, rule));
        }
        if duplicates.shingle_words == 0 {
            return Err(wrong("duplicates.shingle_words", 0, "must be at least 1"));
        }
        if !(16..=1024).contains(&duplicates.permutations) {
            let rule = "must lie between 16 and 1024";
            return Err(wrong(
                "duplicates.permutations",
                duplicates.permutations,
                rule,
            ));
        }
        Ok(())
    }
}

fn at_least(key: &'static str, most: Option<usize>, least: usize) -> Result<(), DataError> {
    match most {
        Some(most) if most < least => Err(wrong(key, most, "must be at least its minimum")),
        _ => Ok(()),
    }
}

fn wrong(key: &'static str, found: impl ToString, rule: &'static str) -> DataError {
    DataError::CleanKey {
        key,
        found: found.to_string(),
        rule,
    }
}
