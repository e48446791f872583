//! Counting the distinct words of texts, a batch at a time.
//!
//! The words of a batch are counted on all threads and then added to one table, in their order. A word is known by the place where it was
//! first seen, so that nothing depends on which thread came first.

use std::cmp::Reverse;
use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::TrainingSummary;
use super::options::BpeTraining;
use crate::definition;
use crate::error::TokenizerError;
use crate::special::{Segment, SpecialTokens};
use crate::split::Splitter;

/// Bytes of text that are held and counted at a time.
const BATCH: usize = 4 << 20;
/// Bytes of text that one thread counts at a time.
const PART: usize = 256 << 10;
/// About what a word in the table takes beside its text, in bytes: its entry, the free places of the table and the allocation.
const ENTRY: usize = 80;

/// A distinct word and how often it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CountedWord {
    pub(super) text: Box<str>,
    pub(super) count: u64,
}

/// Counts words.
pub(super) struct WordCounter<'a> {
    splitter: &'a Splitter,
    /// What is cut out of the texts.
    special: Option<SpecialTokens>,
    table: FxHashMap<Box<str>, Seen>,
    /// Bytes that the table takes, about.
    memory: usize,
    most_memory: usize,
    summary: TrainingSummary,
}

#[derive(Clone, Copy)]
struct Seen {
    count: u64,
    /// Bytes of text before the first one.
    first: u64,
}

impl<'a> WordCounter<'a> {
    pub(super) fn new(training: &BpeTraining, splitter: &'a Splitter) -> Self {
        let added = (0..).zip(&training.special_tokens);
        let added = added.map(|(id, token)| definition::added_token(id, token, true));
        let added = json!({"added_tokens": added.collect::<Vec<_>>()});
        let special = training.cut_at_special.then_some(added);
        Self {
            splitter,
            special: special.and_then(|added| SpecialTokens::recognise(&added)),
            table: FxHashMap::default(),
            memory: 0,
            most_memory: training.word_memory,
            summary: TrainingSummary::default(),
        }
    }

    /// Counts the words of `texts`; `progress` is told the bytes counted so far.
    pub(super) fn count<I>(
        &mut self,
        texts: I,
        mut progress: impl FnMut(u64) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError>
    where
        I: IntoIterator,
        I::Item: AsRef<str> + Sync,
    {
        progress(0)?;
        let mut batch = Vec::new();
        let mut held = 0;
        for text in texts {
            held += text.as_ref().len();
            batch.push(text);
            if held >= BATCH {
                self.count_batch(&batch)?;
                progress(self.summary.bytes)?;
                batch.clear();
                held = 0;
            }
        }
        self.count_batch(&batch)?;
        progress(self.summary.bytes)
    }

    /// The words in the order in which they first came, and what was read.
    pub(super) fn finish(self) -> (Vec<CountedWord>, TrainingSummary) {
        let mut words: Vec<_> = self.table.into_iter().collect();
        words.sort_unstable_by_key(|(_, seen)| seen.first);
        let words = words.into_iter();
        let words = words.map(|(text, Seen { count, .. })| CountedWord { text, count });
        let words: Vec<_> = words.collect();
        let mut summary = self.summary;
        summary.distinct_words = words.len();
        (words, summary)
    }

    fn count_batch<S: AsRef<str> + Sync>(&mut self, texts: &[S]) -> Result<(), TokenizerError> {
        let mut parts = Vec::new();
        let mut place = self.summary.bytes;
        for text in texts {
            let text = text.as_ref();
            self.push_parts(text, place, &mut parts);
            place += text.len() as u64;
        }
        let counted: Vec<Result<_, _>> = groups(&parts)
            .into_par_iter()
            .map(|group| count_parts(self.splitter, &parts[group]))
            .collect();
        for words in counted {
            for (word, seen) in words? {
                self.add(word, seen);
            }
        }
        self.summary.texts += texts.len() as u64;
        self.summary.bytes = place;
        if self.memory > self.most_memory {
            self.prune();
        }
        Ok(())
    }

    /// Cuts a text that stands at `place` into parts that can be counted on their own.
    fn push_parts<'t>(&self, text: &'t str, place: u64, parts: &mut Vec<(u64, &'t str)>) {
        let mut add = |start: usize, text: &'t str| {
            let mut done = 0;
            while done < text.len() {
                let end = self.part_end(text, done);
                parts.push((place + (start + done) as u64, &text[done..end]));
                done = end;
            }
        };
        let Some(special) = &self.special else {
            return add(0, text);
        };
        let mut start = 0;
        for segment in special.cut(text) {
            let end = start + segment.written().len();
            if matches!(segment, Segment::Text(_)) {
                add(start, &text[start..end]);
            }
            start = end;
        }
    }

    /// Where a part that begins at `start` may end without cutting a word.
    fn part_end(&self, text: &str, start: usize) -> usize {
        if self.splitter.ends_at_spaces() {
            let bytes = text.as_bytes();
            for end in (start + PART).min(bytes.len())..bytes.len() {
                // Bytes of characters outside ASCII may be white space.
                let before = bytes[end - 1];
                if bytes[end] == b' ' && before.is_ascii_graphic() {
                    return end;
                }
            }
        }
        text.len()
    }

    fn add(&mut self, word: &str, seen: Seen) {
        match self.table.get_mut(word) {
            Some(known) => known.count += seen.count,
            None => {
                self.memory += ENTRY + word.len();
                self.table.insert(word.into(), seen);
            }
        }
        self.summary.words += seen.count;
    }

    /// Drops the rarest words until half of the memory is free.
    fn prune(&mut self) {
        let rank = |seen: &Seen| (seen.count, Reverse(seen.first));
        let mut ranks: Vec<_> = self
            .table
            .iter()
            .map(|(word, seen)| (rank(seen), ENTRY + word.len()))
            .collect();
        ranks.sort_unstable();
        let mut last = None;
        for (rank, cost) in ranks {
            if self.memory <= self.most_memory / 2 {
                break;
            }
            self.memory -= cost;
            self.summary.dropped_words += rank.0;
            last = Some(rank);
        }
        self.table.retain(|_, seen| Some(rank(seen)) > last);
        self.summary.prunings += 1;
    }
}

/// Runs of parts of about [`PART`] bytes.
fn groups(parts: &[(u64, &str)]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, (_, text)) in parts.iter().enumerate() {
        bytes += text.len();
        if bytes >= PART || index + 1 == parts.len() {
            groups.push(start..index + 1);
            (start, bytes) = (index + 1, 0);
        }
    }
    groups
}

fn count_parts<'t>(
    splitter: &Splitter,
    parts: &[(u64, &'t str)],
) -> Result<FxHashMap<&'t str, Seen>, TokenizerError> {
    let mut words: FxHashMap<&str, Seen> = FxHashMap::default();
    for (place, text) in parts {
        let mut first = *place;
        splitter.each(text, |word| {
            let seen = words.entry(word).or_insert(Seen { count: 0, first });
            seen.count += 1;
            first += word.len() as u64;
        })?;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(change: impl FnOnce(&mut BpeTraining)) -> WordCounter<'static> {
        let mut training = BpeTraining::default();
        change(&mut training);
        WordCounter::new(&training, &Splitter::Gpt2)
    }

    fn count(
        mut counter: WordCounter<'_>,
        texts: &[&str],
    ) -> (Vec<(String, u64)>, TrainingSummary) {
        counter.count(texts, |_| Ok(())).unwrap();
        let (words, summary) = counter.finish();
        let words = words.into_iter();
        let words = words.map(|word| (word.text.into_string(), word.count));
        (words.collect(), summary)
    }

    fn plain(words: &[(&str, u64)]) -> Vec<(String, u64)> {
        let words = words.iter();
        words.map(|(word, n)| ((*word).to_owned(), *n)).collect()
    }

    #[test]
    fn words_come_in_the_order_of_the_text_with_their_counts() {
        let (words, summary) = count(counter(|_| {}), &["b a b", "", "a a"]);
        assert_eq!(words, plain(&[("b", 1), (" a", 2), (" b", 1), ("a", 1)]));
        assert_eq!((summary.texts, summary.bytes, summary.words), (3, 8, 5));
        assert_eq!((summary.distinct_words, summary.dropped_words), (4, 0));
    }

    #[test]
    fn special_tokens_are_text_unless_they_are_cut_out() {
        let text = "a<|endoftext|>b";
        let (words, _) = count(counter(|_| {}), &[text]);
        assert_eq!(words.len(), 5);
        let (words, summary) = count(counter(|t| t.cut_at_special = true), &[text]);
        assert_eq!(words, plain(&[("a", 1), ("b", 1)]));
        assert_eq!(summary.bytes, text.len() as u64);
    }

    #[test]
    fn a_large_text_is_counted_in_parts_as_if_it_were_one() {
        let text: String = (0..200_000)
            .map(|n| format!(" {} x\n\n", n % 977))
            .collect();
        assert!(text.len() > 3 * PART);
        let (words, summary) = count(counter(|_| {}), &[&text]);
        let mut expected = FxHashMap::default();
        Splitter::Gpt2
            .each(&text, |word| *expected.entry(word).or_insert(0) += 1)
            .unwrap();
        assert_eq!(words.len(), expected.len());
        assert!(words.iter().all(|(word, n)| expected[word.as_str()] == *n));
        assert_eq!(summary.bytes, text.len() as u64);

        let counter = counter(|_| {});
        let mut parts = Vec::new();
        counter.push_parts(&text, 5, &mut parts);
        assert!(parts.len() > 3);
        let mut place = 5;
        for (start, part) in parts {
            assert_eq!(start, place);
            place += part.len() as u64;
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let text: String = (0..300_000u64)
            .map(|n| format!(" {}", n * n % 7919))
            .collect();
        let counted = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let texts = [text.as_str(), &text[1000..]];
            let pool = pool.build().unwrap();
            pool.install(|| count(counter(|t| t.word_memory = 200_000), &texts))
        };
        let one = counted(1);
        assert_eq!(one, counted(3));
        assert_eq!(one.1.prunings, 1);
    }

    #[test]
    fn a_full_table_drops_the_rarest_words_and_says_so() {
        let mut counter = counter(|t| t.word_memory = 5 * (ENTRY + 1));
        let words = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        counter.count_batch(&words("ccaabbd")).unwrap();
        assert_eq!(counter.summary.prunings, 0);
        counter.count_batch(&words("aef")).unwrap();
        let (left, summary) = count(counter, &["d"]);
        // Of b and c, which are there twice, c came first; d is new again.
        assert_eq!(left, plain(&[("c", 2), ("a", 3), ("d", 1)]));
        assert_eq!((summary.prunings, summary.dropped_words), (1, 5));
        assert_eq!(summary.words, 11);
    }
}
