//! What a collection of text looks like: sizes, lengths, scripts, characters, duplicates.
//!
//! Counts only; knows nothing of files, and changes no text.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasherDefault;

use serde::{Deserialize, Serialize};
use unicode_script::{Script, UnicodeScript};
use xxhash_rust::xxh3::xxh3_64;

use crate::clean::{Hashed, grouped, hash_of_words, is_invisible};

/// The percentiles of document lengths that are told.
const PERCENTILES: [u8; 7] = [1, 5, 25, 50, 75, 95, 99];

/// Characters outside of ASCII that are told.
const FREQUENT: usize = 20;

/// Counts over documents that are given one after the other.
///
/// Memory: 4 bytes and a hash of 16 for each document, a hash of 8 for each different line; tables leave up to half of their place free.
#[derive(Clone, Default)]
pub struct TextStats {
    bytes: u64,
    words: u64,
    lines: u64,
    blank_lines: u64,
    longest_line: u64,
    control: u64,
    lengths: Vec<u32>,
    ascii_letters: u64,
    ascii: u64,
    others: HashMap<char, u64>,
    seen_lines: HashSet<u64, BuildHasherDefault<Hashed>>,
    duplicate_lines: u64,
    seen_documents: HashSet<u128, BuildHasherDefault<Hashed>>,
    duplicate_documents: u64,
}

/// What [`TextStats`] has counted. `Display` writes it for a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextSummary {
    /// Documents.
    pub documents: u64,
    /// Bytes in UTF-8.
    pub bytes: u64,
    /// Characters: Unicode scalar values.
    pub chars: u64,
    /// Words, parted by white space.
    pub words: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// Lines that are.
    pub blank_lines: u64,
    /// Characters in the longest line.
    pub longest_line: u64,
    /// The number of characters in documents, by percentile; 0 is the shortest document and 100 the longest. Lengths beyond 2^32 - 1 count
    /// as that.
    pub length_percentiles: BTreeMap<u8, u32>,
    /// Scripts and their share of the letters, the most frequent first.
    pub scripts: Vec<(String, f64)>,
    /// The 20 most frequent characters outside of ASCII, and how often they occur.
    pub frequent_non_ascii: Vec<(char, u64)>,
    /// Characters that `remove_control` of [`CleanConfig`](crate::CleanConfig) removes, line ends apart.
    pub control_chars: u64,
    /// The share of lines, blank ones not counted, that occurred before but for blanks at their ends.
    pub duplicate_lines: f64,
    /// The share of documents that occurred before but for white space.
    pub duplicate_documents: f64,
}

impl TextStats {
    /// Counts the next document.
    pub fn add(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        let mut chars = 0_u64;
        for line in text.split('\n') {
            let in_line = self.line(line);
            chars += in_line + 1;
            self.longest_line = self.longest_line.max(in_line);
        }
        // The last line ends with the document. A line feed at the very end begins no line.
        chars -= 1;
        let line_feeds = text.bytes().filter(|&byte| byte == b'\n').count() as u64;
        self.ascii += line_feeds;
        self.blank_lines -= u64::from(text.is_empty() || text.ends_with('\n'));
        self.lengths.push(u32::try_from(chars).unwrap_or(u32::MAX));
        if !self.seen_documents.insert(hash_of_words(text)) {
            self.duplicate_documents += 1;
        }
    }

    /// Counts a line; the number of its characters.
    fn line(&mut self, line: &str) -> u64 {
        let mut chars = 0;
        let mut in_word = false;
        let mut words = 0;
        for c in line.chars() {
            chars += 1;
            let is_blank = c.is_whitespace();
            words += u64::from(!is_blank && !in_word);
            in_word = !is_blank;
            self.control += u64::from(is_invisible(c));
            if c.is_ascii() {
                self.ascii += 1;
                self.ascii_letters += u64::from(c.is_ascii_alphabetic());
            } else {
                *self.others.entry(c).or_default() += 1;
            }
        }
        self.words += words;
        if words == 0 {
            self.blank_lines += 1;
        } else {
            self.lines += 1;
            let is_new = self.seen_lines.insert(xxh3_64(line.trim().as_bytes()));
            self.duplicate_lines += u64::from(!is_new);
        }
        chars
    }

    /// What was counted so far.
    pub fn summary(&self) -> TextSummary {
        let documents = self.lengths.len() as u64;
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let mut frequent: Vec<_> = self.others.iter().map(|(&c, &n)| (c, n)).collect();
        frequent.sort_unstable_by_key(|&(c, n)| (std::cmp::Reverse(n), c));
        TextSummary {
            documents,
            bytes: self.bytes,
            chars: self.ascii + self.others.values().sum::<u64>(),
            words: self.words,
            lines: self.lines,
            blank_lines: self.blank_lines,
            longest_line: self.longest_line,
            length_percentiles: self.length_percentiles(),
            scripts: self.scripts(),
            frequent_non_ascii: frequent.into_iter().take(FREQUENT).collect(),
            control_chars: self.control,
            duplicate_lines: share(self.duplicate_lines, self.lines),
            duplicate_documents: share(self.duplicate_documents, documents),
        }
    }

    /// The lengths at the percentiles, by nearest rank.
    fn length_percentiles(&self) -> BTreeMap<u8, u32> {
        let mut lengths = self.lengths.clone();
        lengths.sort_unstable();
        let at = |percentile: u8| {
            let rank = (lengths.len() * usize::from(percentile)).div_ceil(100);
            lengths.get(rank.saturating_sub(1)).copied()
        };
        [0].into_iter()
            .chain(PERCENTILES)
            .chain([100])
            .filter_map(|percentile| Some((percentile, at(percentile)?)))
            .collect()
    }

    fn scripts(&self) -> Vec<(String, f64)> {
        let mut counts = BTreeMap::<&str, u64>::new();
        counts.insert(Script::Latin.full_name(), self.ascii_letters);
        for (c, n) in &self.others {
            match c.script() {
                Script::Common | Script::Inherited | Script::Unknown => {}
                script => *counts.entry(script.full_name()).or_default() += n,
            }
        }
        let all: u64 = counts.values().sum();
        let mut scripts: Vec<_> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
        scripts.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        let share = |(name, n): (&str, u64)| (name.to_owned(), n as f64 / all as f64);
        scripts.into_iter().map(share).collect()
    }
}

impl fmt::Display for TextSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, number) in [
            ("documents", self.documents),
            ("bytes", self.bytes),
            ("characters", self.chars),
            ("words", self.words),
            ("lines", self.lines),
            ("blank lines", self.blank_lines),
            ("longest line, characters", self.longest_line),
            ("control characters", self.control_chars),
        ] {
            writeln!(f, "{name:<26} {:>15}", grouped(number))?;
        }
        for (name, share) in [
            ("duplicate lines", self.duplicate_lines),
            ("duplicate documents", self.duplicate_documents),
        ] {
            writeln!(f, "{name:<26} {:>14.2}%", 100.0 * share)?;
        }
        writeln!(f, "\ncharacters in a document")?;
        for (percentile, length) in &self.length_percentiles {
            let name = match percentile {
                0 => "shortest".to_owned(),
                50 => "median".to_owned(),
                100 => "longest".to_owned(),
                percentile => format!("{percentile}%"),
            };
            writeln!(f, "  {name:<24} {:>15}", grouped(u64::from(*length)))?;
        }
        if !self.scripts.is_empty() {
            writeln!(f, "\nscripts of letters")?;
        }
        for (name, share) in &self.scripts {
            writeln!(f, "  {name:<24} {:>14.2}%", 100.0 * share)?;
        }
        if !self.frequent_non_ascii.is_empty() {
            writeln!(f, "\nmost frequent characters outside of ASCII")?;
        }
        for (c, count) in &self.frequent_non_ascii {
            let shown = match c.is_whitespace() || is_invisible(*c) {
                true => ' ',
                false => *c,
            };
            let code = format!("U+{:04X}", u32::from(*c));
            writeln!(f, "  {code:<8} {shown:<15} {:>15}", grouped(*count))?;
        }
        Ok(())
    }
}
