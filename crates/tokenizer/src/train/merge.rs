//! Learning merges from counted words.
//!
//! The most frequent pair of neighbours becomes a token, everywhere at once, until there are tokens enough. How often each pair is there is
//! kept up to date as words change, together with a list of the words that have the pair, so that a merge visits no others. A heap
//! holds the pairs; an entry that has become too high is put right when it comes to the top.
//!
//! Source: Sennrich, Haddow, Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", <https://arxiv.org/abs/1508.07909>.

use std::sync::Arc;

use dary_heap::{PeekMut, QuaternaryHeap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::count::CountedWord;
use super::options::{BpeTraining, TieBreak};
use super::ties::{FirstInText, GreaterBytes, SmallerIds, Ties};
use super::vocabulary::Alphabet;
use crate::error::TokenizerError;

/// Ids of two tokens that stand side by side.
pub(super) type Pair = (u32, u32);

/// What was learned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Learned {
    /// Bytes of each token by id; of a special token, those of its name.
    pub(super) tokens: Vec<Arc<[u8]>>,
    /// The merges in the order of their ranks.
    pub(super) merges: Vec<Pair>,
}

/// Learns merges from words in the order of the text; `progress` is told the tokens so far.
pub(super) fn learn(
    training: &BpeTraining,
    alphabet: &Alphabet,
    words: Vec<CountedWord>,
    progress: impl FnMut(usize) -> Result<(), TokenizerError>,
) -> Result<Learned, TokenizerError> {
    match training.ties {
        TieBreak::SmallerIds => Learner::<SmallerIds>::new(training, alphabet, words).run(progress),
        TieBreak::GreaterBytes => {
            Learner::<GreaterBytes>::new(training, alphabet, words).run(progress)
        }
        TieBreak::FirstInText => {
            Learner::<FirstInText>::new(training, alphabet, words).run(progress)
        }
    }
}

/// The distinct words, as the tokens they consist of by now.
#[derive(Default)]
pub(super) struct Words {
    symbols: Vec<u32>,
    /// Where each word begins in `symbols`, and how many it has.
    spans: Vec<(usize, usize)>,
    counts: Vec<i64>,
}

impl Words {
    fn new(words: Vec<CountedWord>, alphabet: &Alphabet) -> Self {
        let mut made = Self::default();
        for CountedWord { text, count } in words {
            // Words of one byte have no pairs.
            if text.len() > 1 {
                made.spans.push((made.symbols.len(), text.len()));
                let symbols = text.bytes().map(|byte| alphabet.id(byte));
                made.symbols.extend(symbols);
                made.counts.push(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        made
    }

    fn len(&self) -> u32 {
        u32::try_from(self.spans.len()).expect("so many words do not fit into memory")
    }

    /// The tokens of a word.
    pub(super) fn symbols(&self, word: u32) -> &[u32] {
        let (start, length) = self.spans[word as usize];
        &self.symbols[start..start + length]
    }

    /// Makes `merged` of every `pair` in a word, from left to right; `change` is told each pair that goes or comes by it, but for the pair itself.
    fn merge(&mut self, word: u32, pair: Pair, merged: u32, mut change: impl FnMut(Change)) {
        let (left, right) = pair;
        let (start, length) = &mut self.spans[word as usize];
        let symbols = &mut self.symbols[*start..*start + *length];
        let (mut read, mut write) = (0, 0);
        while read < symbols.len() {
            if symbols[read] != left || symbols.get(read + 1) != Some(&right) {
                symbols[write] = symbols[read];
                (read, write) = (read + 1, write + 1);
                continue;
            }
            if write > 0 {
                change(Change::Goes((symbols[write - 1], left)));
                change(Change::Comes((symbols[write - 1], merged)));
            }
            if let Some(next) = symbols.get(read + 2) {
                change(Change::Goes((right, *next)));
                change(Change::Comes((merged, *next)));
            }
            symbols[write] = merged;
            (read, write) = (read + 2, write + 1);
        }
        *length = write;
    }
}

/// What a merge does to a pair beside it.
enum Change {
    Goes(Pair),
    Comes(Pair),
}

/// What is known of a pair.
struct Counted {
    pair: Pair,
    count: i64,
    /// The words that have it, or had it once, lowest first.
    words: Vec<u32>,
}

/// All pairs that there are or were.
#[derive(Default)]
struct Pairs {
    places: FxHashMap<Pair, u32>,
    all: Vec<Counted>,
    /// How many of them are in the heap.
    known: usize,
}

impl Pairs {
    /// Counts a pair in a word. New pairs come about only while there are new tokens: all words of a pair come in one go.
    fn add(&mut self, pair: Pair, count: i64, word: u32) {
        let all = &mut self.all;
        let place = *self.places.entry(pair).or_insert_with(|| {
            all.push(Counted {
                pair,
                count: 0,
                words: Vec::new(),
            });
            (all.len() - 1) as u32
        });
        let counted = &mut self.all[place as usize];
        counted.count += count;
        if counted.words.last() != Some(&word) {
            counted.words.push(word);
        }
    }

    fn take_away(&mut self, pair: Pair, count: i64) {
        // Pairs that would be too long are not there.
        if let Some(place) = self.places.get(&pair) {
            self.all[*place as usize].count -= count;
        }
    }
}

/// An entry of the heap.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<K> {
    count: i64,
    key: K,
    /// In [`Pairs::all`].
    place: u32,
}

struct Learner<T: Ties> {
    words: Words,
    pairs: Pairs,
    heap: QuaternaryHeap<Candidate<T::Key>>,
    tokens: Vec<Arc<[u8]>>,
    merges: Vec<Pair>,
    /// Bytes that no token may have.
    reserved: FxHashSet<Vec<u8>>,
    vocab_size: usize,
    min_frequency: i64,
    longest: usize,
}

impl<T: Ties> Learner<T> {
    fn new(training: &BpeTraining, alphabet: &Alphabet, words: Vec<CountedWord>) -> Self {
        let special = alphabet.special.iter().map(|token| token.as_bytes().into());
        let bytes = alphabet.bytes().into_iter().map(|byte| Arc::from([byte]));
        let mut learner = Self {
            words: Words::new(words, alphabet),
            pairs: Pairs::default(),
            heap: QuaternaryHeap::new(),
            tokens: special.chain(bytes).collect(),
            merges: Vec::new(),
            reserved: alphabet.reserved().collect(),
            vocab_size: training.vocab_size,
            min_frequency: i64::try_from(training.min_frequency).unwrap_or(i64::MAX),
            longest: training.max_token_length.unwrap_or(usize::MAX),
        };
        for word in 0..learner.words.len() {
            let count = learner.words.counts[word as usize];
            for pair in learner.words.symbols(word).windows(2) {
                learner.pairs.add((pair[0], pair[1]), count, word);
            }
        }
        learner.push_new_pairs();
        learner
    }

    fn run(
        mut self,
        mut progress: impl FnMut(usize) -> Result<(), TokenizerError>,
    ) -> Result<Learned, TokenizerError> {
        progress(self.tokens.len())?;
        while self.tokens.len() < self.vocab_size {
            let Some(place) = self.best() else { break };
            self.merge(place);
            progress(self.tokens.len())?;
        }
        Ok(Learned {
            tokens: self.tokens,
            merges: self.merges,
        })
    }

    /// Takes the best pair out of the heap.
    fn best(&mut self) -> Option<u32> {
        loop {
            let mut top = self.heap.peek_mut()?;
            let counted = &mut self.pairs.all[top.place as usize];
            if top.count != counted.count {
                if counted.count < self.min_frequency.max(1) {
                    PeekMut::pop(top);
                } else {
                    top.count = counted.count;
                }
                continue;
            }
            if T::KEYS_FALL
                && let Some(key) =
                    T::key(counted.pair, &mut counted.words, &self.words, &self.tokens)
                && key != top.key
            {
                top.key = key;
                continue;
            }
            return Some(PeekMut::pop(top).place);
        }
    }

    /// Makes a token of a pair in all its words.
    fn merge(&mut self, place: u32) {
        let counted = &mut self.pairs.all[place as usize];
        let (pair, list) = (counted.pair, std::mem::take(&mut counted.words));
        let [left, right] = [pair.0, pair.1].map(|id| &self.tokens[id as usize]);
        let bytes = [&left[..], &right[..]].concat();
        if self.reserved.contains(&bytes) {
            return;
        }
        // The bytes are new: the words between the ends of a token are merged in one way wherever they stand.
        let merged = self.tokens.len() as u32;
        self.tokens.push(bytes.into());
        self.merges.push(pair);

        let Self {
            words,
            pairs,
            tokens,
            longest,
            ..
        } = self;
        let length = |id: u32| tokens[id as usize].len();
        for word in list {
            let count = words.counts[word as usize];
            words.merge(word, pair, merged, |change| match change {
                Change::Goes(pair) => pairs.take_away(pair, count),
                Change::Comes(pair) if length(pair.0) + length(pair.1) > *longest => {}
                Change::Comes(pair) => pairs.add(pair, count, word),
            });
        }
        self.push_new_pairs();
    }

    /// Puts the pairs that are not in the heap yet there.
    fn push_new_pairs(&mut self) {
        for place in self.pairs.known..self.pairs.all.len() {
            let Counted { pair, count, words } = &mut self.pairs.all[place];
            if *count >= self.min_frequency.max(1)
                && let Some(key) = T::key(*pair, words, &self.words, &self.tokens)
            {
                self.heap.push(Candidate {
                    count: *count,
                    key,
                    place: place as u32,
                });
            }
        }
        self.pairs.known = self.pairs.all.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[(&str, u64)]) -> Vec<CountedWord> {
        let words = words.iter().map(|(text, count)| CountedWord {
            text: (*text).into(),
            count: *count,
        });
        words.collect()
    }

    /// The tokens that merges make, in their order.
    fn merged(training: &BpeTraining, counted: &[(&str, u64)]) -> Vec<String> {
        let alphabet = Alphabet::new(&training.special_tokens, training.ties);
        let learned = learn(training, &alphabet, words(counted), |_| Ok(())).unwrap();
        let tokens = learned.tokens[training.special_tokens.len() + 256..].iter();
        let tokens = tokens.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        tokens.collect()
    }

    fn ties(ties: TieBreak) -> BpeTraining {
        BpeTraining {
            ties,
            ..BpeTraining::default()
        }
    }

    const ALL: [TieBreak; 3] = [
        TieBreak::SmallerIds,
        TieBreak::GreaterBytes,
        TieBreak::FirstInText,
    ];

    #[test]
    fn counts_beyond_32_bits_are_ordered_rightly() {
        // With 32 bits the first would count 1, and the third less than nothing.
        let counted = [
            ("ab", (1 << 32) + 1),
            ("cd", 1 << 20),
            ("ef", (1 << 31) + 5),
            ("gh", 3 << 32),
        ];
        for rule in ALL {
            assert_eq!(merged(&ties(rule), &counted), ["gh", "ab", "ef", "cd"]);
        }
        // Sums too: no word alone is there so often.
        let counted = [("xab", 3 << 30), ("yab", 3 << 30), ("cd", 5 << 30)];
        for rule in ALL {
            assert_eq!(merged(&ties(rule), &counted)[..2], ["ab", "cd"]);
        }
    }

    #[test]
    fn each_rule_takes_its_own_of_equal_pairs() {
        let counted = [("cd", 7), ("zb", 7), ("ab", 7), ("za", 7)];
        let first = |rule| merged(&ties(rule), &counted);
        assert_eq!(first(TieBreak::SmallerIds), ["ab", "cd", "za", "zb"]);
        assert_eq!(first(TieBreak::GreaterBytes), ["zb", "za", "cd", "ab"]);
        assert_eq!(first(TieBreak::FirstInText), ["cd", "zb", "ab", "za"]);
    }

    #[test]
    fn the_first_place_is_looked_for_in_the_text_as_it_is_by_now() {
        // "bc" stands before "ef" until "ab" takes that place away.
        let counted = [("abc", 5), ("ef", 4), ("bc", 4), ("ab", 9)];
        let tokens = merged(&ties(TieBreak::FirstInText), &counted);
        assert_eq!(tokens, ["ab", "abc", "ef", "bc"]);
    }

    #[test]
    fn a_run_is_merged_from_the_left() {
        let alphabet = Alphabet::new(&[], TieBreak::FirstInText);
        let mut words = Words::new(words(&[("xaaaaay", 1)]), &alphabet);
        let a = u32::from(b'a');
        let mut counts: FxHashMap<Pair, i64> = FxHashMap::default();
        words.merge(0, (a, a), 256, |change| match change {
            Change::Goes(pair) => *counts.entry(pair).or_default() -= 1,
            Change::Comes(pair) => *counts.entry(pair).or_default() += 1,
        });
        assert_eq!(words.symbols(0), [120, 256, 256, a, 121]);
        counts.remove(&(a, a));
        counts.retain(|_, count| *count != 0);
        let expected = [
            ((120, a), -1),
            ((120, 256), 1),
            ((256, 256), 1),
            ((256, a), 1),
        ];
        assert_eq!(counts, expected.into_iter().collect());
    }

    #[test]
    fn rare_pairs_long_tokens_and_tokens_beyond_the_size_are_not_made() {
        let counted = [("abcd", 9), ("xyz", 2)];
        for rule in ALL {
            let training = BpeTraining {
                min_frequency: 3,
                ..ties(rule)
            };
            assert!(merged(&training, &counted).iter().all(|t| !t.contains('x')));
            let training = BpeTraining {
                max_token_length: Some(3),
                ..ties(rule)
            };
            let tokens = merged(&training, &counted);
            assert_eq!(tokens.iter().map(String::len).max(), Some(3));
            let training = BpeTraining {
                vocab_size: 259,
                ..ties(rule)
            };
            assert_eq!(merged(&training, &counted).len(), 2);
        }
    }

    #[test]
    fn no_merge_makes_a_special_token() {
        for rule in ALL {
            let training = BpeTraining {
                special_tokens: vec!["abc".to_owned()],
                ..ties(rule)
            };
            let tokens = merged(&training, &[("abcd", 5)]);
            assert!(!tokens.is_empty() && !tokens.contains(&"abc".to_owned()));
        }
    }

    #[test]
    fn no_two_merges_make_one_token() {
        // All words of up to seven letters out of two have every way to a token that there could be.
        let all = (1..8u32).flat_map(|length| {
            (0u32..1 << length).map(move |bits| {
                let letter = |place: u32| if bits >> place & 1 == 0 { 'a' } else { 'b' };
                (0..length).map(letter).collect::<String>()
            })
        });
        let all: Vec<_> = all.collect();
        for seed in 1..20u64 {
            let counted = (1u64..).zip(&all);
            let counted = counted.map(|(n, word)| (word.as_str(), n * seed % 31 + 1));
            let counted: Vec<_> = counted.collect();
            for rule in ALL {
                let mut tokens = merged(&ties(rule), &counted);
                let made = tokens.len();
                tokens.sort();
                tokens.dedup();
                assert!(made > 100);
                assert_eq!(tokens.len(), made);
            }
        }
    }

    #[test]
    fn progress_can_stop_the_learning() {
        let training = BpeTraining::default();
        let alphabet = Alphabet::new(&[], training.ties);
        let counted = words(&[("abcdef", 3)]);
        let mut seen = Vec::new();
        let stopped = learn(&training, &alphabet, counted, |tokens| {
            seen.push(tokens);
            if tokens < 258 {
                Ok(())
            } else {
                Err(TokenizerError::TrainingStopped)
            }
        });
        assert!(matches!(stopped, Err(TokenizerError::TrainingStopped)));
        assert_eq!(seen, [256, 257, 258]);
    }
}
