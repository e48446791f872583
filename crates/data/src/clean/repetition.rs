//! Shares of a document that it has said before.
//!
//! Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", appendix A1.1,
//! <https://arxiv.org/abs/2112.11446>. What the paper leaves open is settled so: words are parted by white space and compared as they are;
//! characters are those of words; the most frequent run counts from its second occurrence on, the longest of several as frequent; after a
//! duplicate run of n words, the next one that counts begins n words later, so that no character counts twice.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use xxhash_rust::xxh3::xxh3_64;

use super::config::RepetitionFilters;
use super::hashed::Hashed;
use super::report::DocumentReason;

/// The first filter that removes `text`, if one does.
pub(super) fn judge(text: &str, config: &RepetitionFilters) -> Option<DocumentReason> {
    let off = RepetitionFilters {
        min_words: config.min_words,
        ..RepetitionFilters::default()
    };
    if *config == off {
        return None;
    }
    let words = Words::of(text);
    if words.hashes.len() < config.min_words.max(1) {
        return None;
    }
    let lines = Duplicates::of(text.split('\n'));
    if lines.share() > config.max_duplicate_lines
        || lines.share_of_chars() > config.max_duplicate_line_chars
    {
        return Some(DocumentReason::DuplicateLines);
    }
    let paragraphs = Duplicates::of_paragraphs(text);
    if paragraphs.share() > config.max_duplicate_paragraphs
        || paragraphs.share_of_chars() > config.max_duplicate_paragraph_chars
    {
        return Some(DocumentReason::DuplicateParagraphs);
    }
    for (limit, n) in limits(2, &config.max_top_ngrams) {
        if words.top_share(n) > limit {
            return Some(DocumentReason::TopNgram);
        }
    }
    for (limit, n) in limits(5, &config.max_duplicate_ngrams) {
        let share = words.duplicate_share(n);
        if share > limit {
            return Some(DocumentReason::DuplicateNgrams);
        }
        // A longer run that occurs twice holds a shorter one that does.
        if share == 0.0 {
            break;
        }
    }
    None
}

/// The limits for runs of `first_n` words and more, each with its number of words. A share of 1 cannot be exceeded and need not be found.
fn limits(first_n: usize, limits: &[f64]) -> impl Iterator<Item = (f64, usize)> {
    let limits = limits.iter().copied().zip(first_n..);
    limits.filter(|(limit, _)| *limit < 1.0)
}

/// Pieces of a document, and those among them that occurred before.
#[derive(Default)]
struct Duplicates {
    pieces: u64,
    duplicates: u64,
    chars: u64,
    duplicate_chars: u64,
}

impl Duplicates {
    fn of<'t>(pieces: impl Iterator<Item = &'t str>) -> Self {
        let mut seen = HashSet::<u64, BuildHasherDefault<Hashed>>::default();
        let mut found = Self::default();
        for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
            let chars = piece.chars().filter(|c| !c.is_whitespace()).count() as u64;
            found.pieces += 1;
            found.chars += chars;
            if !seen.insert(xxh3_64(piece.as_bytes())) {
                found.duplicates += 1;
                found.duplicate_chars += chars;
            }
        }
        found
    }

    /// The pieces between blank lines.
    fn of_paragraphs(text: &str) -> Self {
        let mut starts = Vec::new();
        let mut at = 0;
        let mut after_blank = true;
        for line in text.split_inclusive('\n') {
            let is_blank = line.trim().is_empty();
            if !is_blank && after_blank {
                starts.push(at);
            }
            after_blank = is_blank;
            at += line.len();
        }
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        Self::of(
            starts
                .iter()
                .zip(ends)
                .map(|(&start, end)| &text[start..end]),
        )
    }

    fn share(&self) -> f64 {
        self.duplicates as f64 / self.pieces.max(1) as f64
    }

    fn share_of_chars(&self) -> f64 {
        self.duplicate_chars as f64 / self.chars.max(1) as f64
    }
}

/// The words of a document, as hashes, and their lengths in characters.
struct Words {
    hashes: Vec<u64>,
    /// Characters before each word, and in all of them.
    starts: Vec<u64>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self {
            hashes: Vec::new(),
            starts: vec![0],
        };
        let mut chars = 0;
        for word in text.split_whitespace() {
            chars += word.chars().count() as u64;
            words.hashes.push(xxh3_64(word.as_bytes()));
            words.starts.push(chars);
        }
        words
    }

    fn chars(&self) -> f64 {
        self.starts.last().map_or(1.0, |&chars| chars.max(1) as f64)
    }

    /// The hashes of all runs of `n` words.
    fn runs(&self, n: usize) -> impl Iterator<Item = u64> {
        super::hashed::rolling(&self.hashes, n)
    }

    /// The share of characters in the occurrences of the most frequent run of `n` words.
    fn top_share(&self, n: usize) -> f64 {
        let mut counts = HashMap::<u64, (u64, u64), BuildHasherDefault<Hashed>>::default();
        counts.reserve(self.hashes.len());
        for (at, run) in self.runs(n).enumerate() {
            let entry = counts
                .entry(run)
                .or_insert((0, self.starts[at + n] - self.starts[at]));
            entry.0 += 1;
        }
        match counts.values().max() {
            Some(&(count, chars)) if count > 1 => (count * chars) as f64 / self.chars(),
            _ => 0.0,
        }
    }

    /// The share of characters in runs of `n` words that occurred before.
    fn duplicate_share(&self, n: usize) -> f64 {
        let mut seen = HashSet::<u64, BuildHasherDefault<Hashed>>::default();
        seen.reserve(self.hashes.len());
        let mut chars = 0;
        let mut next = 0;
        for (at, run) in self.runs(n).enumerate() {
            let is_new = seen.insert(run);
            if !is_new && at >= next {
                chars += self.starts[at + n] - self.starts[at];
                next = at + n;
            }
        }
        chars as f64 / self.chars()
    }
}
