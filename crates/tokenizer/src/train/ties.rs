//! Which pair goes first among those that are there equally often.

use std::cmp::Reverse;
use std::sync::Arc;

use super::merge::{Pair, Words};

/// A rule. Of the pairs with the highest count the one with the greatest key is merged.
pub(super) trait Ties {
    /// What is compared.
    type Key: Ord;

    /// Whether keys fall as merges take occurrences away.
    const KEYS_FALL: bool;

    /// The key of `pair`, which may be found in the words that `places` lists, lowest first; words without it are taken out from the start
    /// of the list. None when it is in none of them.
    fn key(
        pair: Pair,
        places: &mut Vec<u32>,
        words: &Words,
        tokens: &[Arc<[u8]>],
    ) -> Option<Self::Key>;
}

/// [`TieBreak::SmallerIds`](super::TieBreak::SmallerIds).
pub(super) struct SmallerIds;

impl Ties for SmallerIds {
    type Key = Reverse<Pair>;
    const KEYS_FALL: bool = false;

    fn key(pair: Pair, _: &mut Vec<u32>, _: &Words, _: &[Arc<[u8]>]) -> Option<Self::Key> {
        Some(Reverse(pair))
    }
}

/// [`TieBreak::GreaterBytes`](super::TieBreak::GreaterBytes).
pub(super) struct GreaterBytes;

impl Ties for GreaterBytes {
    type Key = [Arc<[u8]>; 2];
    const KEYS_FALL: bool = false;

    fn key(
        (left, right): Pair,
        _: &mut Vec<u32>,
        _: &Words,
        tokens: &[Arc<[u8]>],
    ) -> Option<Self::Key> {
        Some([left, right].map(|id| Arc::clone(&tokens[id as usize])))
    }
}

/// [`TieBreak::FirstInText`](super::TieBreak::FirstInText). The key is the place of the first word with the pair, and the bytes before it there.
pub(super) struct FirstInText;

impl Ties for FirstInText {
    type Key = Reverse<(u32, usize)>;
    const KEYS_FALL: bool = true;

    fn key(
        (left, right): Pair,
        places: &mut Vec<u32>,
        words: &Words,
        tokens: &[Arc<[u8]>],
    ) -> Option<Self::Key> {
        let offset = |word: u32| {
            let symbols = words.symbols(word);
            let pairs = symbols.windows(2);
            let before = pairs.into_iter().position(|pair| *pair == [left, right])?;
            let before = symbols[..before].iter();
            Some(before.map(|id| tokens[*id as usize].len()).sum())
        };
        let mut found = places.iter().enumerate();
        let (passed, key) =
            found.find_map(|(passed, word)| Some((passed, (*word, offset(*word)?))))?;
        places.drain(..passed);
        Some(Reverse(key))
    }
}
