//! How the documents of a corpus are dealt out to the two parts, how often, and in which order.
//!
//! Knows nothing of tokens.

use std::collections::VecDeque;
use std::ops::Range;

use crate::corpus::{Corpus, Entries, Entry};
use crate::error::DataError;
use crate::random::Random;
use crate::sources::Skipped;
use crate::split::{Part, Piece, Split};

/// The key of the draws that choose the documents of a fraction of a pass.
const WEIGHT_KEY: u64 = 0x7765_6967_6874;

/// What a first pass over a corpus finds.
pub(crate) struct Scan {
    /// The characters of each document.
    pub(crate) chars: Vec<u64>,
    /// Empty when it was not asked for.
    pub(crate) alphabet: Alphabet,
    pub(crate) skipped: Skipped,
    /// Which documents each file has.
    files: Vec<Range<usize>>,
}

/// Whether the characters of a text are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collect {
    Characters,
    Nothing,
}

/// A set of characters.
#[derive(Default)]
pub(crate) struct Alphabet {
    /// A bit for each code point; grows with the highest one.
    bits: Vec<u64>,
}

impl Scan {
    pub(crate) fn new(corpus: &Corpus, collect: Collect) -> Result<Self, DataError> {
        let mut scan = Self {
            chars: Vec::new(),
            alphabet: Alphabet::default(),
            skipped: Skipped::default(),
            files: Vec::new(),
        };
        let mut entries = corpus.entries(|_| true);
        for entry in &mut entries {
            let Entry { document, file, .. } = entry?;
            let chars = document.text.chars().count() as u64;
            match scan.chars.last_mut().filter(|_| document.continues) {
                Some(last) => *last += chars,
                None => scan.chars.push(chars),
            }
            if collect == Collect::Characters {
                scan.alphabet.add(&document.text);
            }
            let end = scan.chars.len();
            // Files without a document in between have an empty range.
            while scan.files.len() <= file {
                scan.files.push(end - 1..end - 1);
            }
            scan.files[file].end = end;
        }
        let end = scan.chars.len();
        scan.files.resize(corpus.weights().len(), end..end);
        scan.skipped = entries.skipped();
        match scan.skipped.first.first().filter(|_| end == 0) {
            Some(first) => Err(DataError::AllSkipped {
                skipped: scan.skipped.to_string(),
                place: first.place.clone(),
                reason: first.reason.clone(),
            }),
            None => Ok(scan),
        }
    }
}

impl Alphabet {
    fn add(&mut self, text: &str) {
        for char in text.chars() {
            let (word, bit) = (char as usize / 64, char as usize % 64);
            if word >= self.bits.len() {
                self.bits.resize(word + 1, 0);
            }
            self.bits[word] |= 1 << bit;
        }
    }

    /// All characters, by code point.
    pub(crate) fn chars(&self) -> impl Iterator<Item = char> {
        let is_set = |code: &usize| self.bits[code / 64] >> (code % 64) & 1 == 1;
        let codes = (0..self.bits.len() * 64).filter(is_set);
        codes.filter_map(|code| char::from_u32(code as u32))
    }
}

/// A corpus and how it is dealt out.
pub(crate) struct Plan<'a> {
    pub(crate) corpus: &'a Corpus,
    pub(crate) scan: Scan,
    split: Split,
    weights: Vec<f64>,
    /// How many pieces of documents the training and the validation part get, copies included.
    pub(crate) n_pieces: [u64; 2],
}

/// The text of a document, or a part of it, for one of the parts.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) part: Part,
    pub(crate) text: String,
    /// Where the document begins, for messages.
    pub(crate) origin: String,
    /// Whether a document, or what a part has of it, begins here.
    pub(crate) opens: bool,
    /// Whether the document begins here.
    pub(crate) begins: bool,
    /// The `-ln p` of the document when the grammar made it.
    pub(crate) nats: Option<f64>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(corpus: &'a Corpus, scan: Scan, split: Split) -> Self {
        let weights = corpus.weights();
        let mut n_pieces = [0; 2];
        for (file, documents) in scan.files.iter().enumerate() {
            for index in documents.clone() {
                for piece in split.pieces(index, scan.chars[index]) {
                    n_pieces[piece.part as usize] += match piece.part {
                        Part::Train => copies(weights[file], index),
                        Part::Validation => 1,
                    };
                }
            }
        }
        Self {
            corpus,
            scan,
            split,
            weights,
            n_pieces,
        }
    }

    /// All text of both parts, pass after pass: the first has all documents, each further one those of the files whose weight reaches so
    /// far, for training only. So copies of a document stand far from each other.
    pub(crate) fn texts(&'a self) -> Texts<'a> {
        Texts {
            plan: self,
            pass: 0,
            entries: self.corpus.entries(|_| true),
            position: None,
            ready: VecDeque::new(),
            failed: false,
        }
    }

    fn n_passes(&self) -> u64 {
        self.weights
            .iter()
            .map(|weight| weight.ceil() as u64)
            .max()
            .unwrap_or(1)
    }
}

/// How often a document of a file of this weight is trained on.
fn copies(weight: f64, index: usize) -> u64 {
    let draw = (Random::keyed(WEIGHT_KEY, index as u64).next() >> 11) as f64 / (1_u64 << 53) as f64;
    weight as u64 + u64::from(draw < weight.fract())
}

/// The iterator of [`Plan::texts`]; ends after the first error.
pub(crate) struct Texts<'a> {
    plan: &'a Plan<'a>,
    pass: u64,
    entries: Entries,
    position: Option<Position>,
    ready: VecDeque<Text>,
    failed: bool,
}

/// Where the entry last read stands.
#[derive(Clone, Copy)]
struct Position {
    file: usize,
    document: usize,
    /// Characters of the document up to its end.
    chars: u64,
}

impl Texts<'_> {
    fn advance(&mut self) -> Result<Option<Text>, DataError> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Ok(Some(text));
            }
            match self.entries.next() {
                Some(entry) => self.deal_out(entry?)?,
                None => {
                    self.check_file_ended()?;
                    self.pass += 1;
                    if self.pass >= self.plan.n_passes() {
                        return Ok(None);
                    }
                    let (weights, pass) = (&self.plan.weights, self.pass as f64);
                    self.entries = self.plan.corpus.entries(|file| weights[file] > pass);
                    self.position = None;
                }
            }
        }
    }

    fn deal_out(&mut self, entry: Entry) -> Result<(), DataError> {
        let Entry {
            document,
            file,
            nats,
        } = entry;
        let start = self.find_position(file, document.continues)?;
        let chars = document.text.chars().count() as u64;
        let Position {
            document: index, ..
        } = start;
        let end = start.chars + chars;
        self.position = Some(Position {
            chars: end,
            ..start
        });
        let scan = &self.plan.scan;
        let total = *scan.chars.get(index).ok_or(DataError::Changed)?;
        if end > total {
            return Err(DataError::Changed);
        }
        let mut pieces = self.plan.split.pieces(index, total);
        let copies = copies(self.plan.weights[file], index);
        pieces.retain(|piece| match piece.part {
            Part::Train => self.pass < copies,
            Part::Validation => self.pass == 0,
        });
        let whole = |piece: &Piece| piece.chars.start <= start.chars && piece.chars.end >= end;
        if let [piece] = &pieces[..]
            && whole(piece)
        {
            // The common case, without a copy.
            self.ready.push_back(Text {
                part: piece.part,
                opens: piece.chars.start == start.chars,
                begins: start.chars == 0,
                text: document.text,
                origin: document.origin,
                nats,
            });
            return Ok(());
        }
        for piece in pieces {
            let from = piece.chars.start.max(start.chars);
            let to = piece.chars.end.min(end);
            if from < to {
                let range = from - start.chars..to - start.chars;
                self.ready.push_back(Text {
                    part: piece.part,
                    text: slice(&document.text, range).to_owned(),
                    origin: document.origin.clone(),
                    opens: from == piece.chars.start,
                    begins: from == 0,
                    nats,
                });
            }
        }
        Ok(())
    }

    /// Where an entry stands that follows the last one.
    fn find_position(&mut self, file: usize, continues: bool) -> Result<Position, DataError> {
        let first = self
            .plan
            .scan
            .files
            .get(file)
            .ok_or(DataError::Changed)?
            .start;
        match self.position.filter(|position| position.file == file) {
            Some(position) if continues => Ok(position),
            Some(position) => Ok(Position {
                file,
                document: position.document + 1,
                chars: 0,
            }),
            None => {
                self.check_file_ended()?;
                Ok(Position {
                    file,
                    document: first,
                    chars: 0,
                })
            }
        }
    }

    /// That the file last read had as many documents as when it was scanned.
    fn check_file_ended(&self) -> Result<(), DataError> {
        let ended = self.position.is_none_or(|position| {
            position.document + 1 == self.plan.scan.files[position.file].end
        });
        if ended {
            Ok(())
        } else {
            Err(DataError::Changed)
        }
    }
}

impl Iterator for Texts<'_> {
    type Item = Result<Text, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.advance().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

/// Some characters of a text, which has so many.
fn slice(text: &str, chars: Range<u64>) -> &str {
    let at = |n: u64| {
        let mut ends = text.char_indices().map(|(at, _)| at);
        ends.nth(n as usize).unwrap_or(text.len())
    };
    &text[at(chars.start)..at(chars.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_the_weight_on_average() {
        for (weight, n) in [(1.0, 10_000), (2.0, 20_000), (0.3, 3_000), (2.7, 27_000)] {
            let found: u64 = (0..10_000).map(|index| copies(weight, index)).sum();
            let off = found.abs_diff(n);
            assert!(
                off <= if weight.fract() == 0.0 { 0 } else { 200 },
                "{weight}: {found}"
            );
        }
        // More weight takes nothing away.
        assert!((0..1000).all(|index| copies(1.3, index) <= copies(1.6, index)));
    }

    #[test]
    fn an_alphabet_has_each_character_once() {
        let mut alphabet = Alphabet::default();
        alphabet.add("ba\u{10ffff}b");
        alphabet.add("\u{e9}\0");
        let chars: String = alphabet.chars().collect();
        assert_eq!(chars, "\0ab\u{e9}\u{10ffff}");
    }
}
