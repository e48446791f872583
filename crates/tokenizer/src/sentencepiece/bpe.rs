//! Putting characters together to pieces: of all neighbours that make a piece, those with the highest score first, of equal ones those on the
//! left.
//!
//! A list of merges, as the library has it, can't say that: where two ways to make a piece overlap, or two pieces have one score, it takes the
//! merge listed first wherever it is.
//!
//! Source: `bpe::Model::SampleEncode` of <https://github.com/google/sentencepiece/blob/master/src/bpe_model.cc>.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use super::vocabulary::{Kind, Vocabulary};

/// Tells `push` the pieces of `text` and their ids; no id for a character without a piece.
pub(super) fn push_ids(
    vocabulary: &Vocabulary,
    text: &str,
    push: &mut impl FnMut(Option<u32>, &str),
) {
    let mut merging = Merging::new(vocabulary, text);
    merging.run();
    let mut next = (!merging.symbols.is_empty()).then_some(0);
    while let Some(index) = next {
        let symbol = &merging.symbols[index];
        merging.emit(&text[symbol.range.clone()], push);
        next = symbol.next;
    }
}

/// A part of the text, and its neighbours.
struct Symbol {
    range: Range<usize>,
    previous: Option<usize>,
    next: Option<usize>,
    /// Whether it is one of those that are never put together with others.
    frozen: bool,
}

/// Two neighbours that make a piece.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Length in bytes of the two, by which a pair is known to have changed.
    length: usize,
}

struct Merging<'a> {
    vocabulary: &'a Vocabulary,
    text: &'a str,
    symbols: Vec<Symbol>,
    pairs: BinaryHeap<Pair>,
    /// The length of the left half of pieces that are only steps to others, which are cut up again where no other came of them.
    steps: HashMap<&'a str, usize>,
}

impl<'a> Merging<'a> {
    fn new(vocabulary: &'a Vocabulary, text: &'a str) -> Self {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        while let Some(character) = text[start..].chars().next() {
            let found = vocabulary.symbols.longest(&text[start..]);
            let end = start + found.unwrap_or(character.len_utf8());
            let index = symbols.len();
            symbols.push(Symbol {
                range: start..end,
                previous: index.checked_sub(1),
                next: (end < text.len()).then_some(index + 1),
                frozen: found.is_some(),
            });
            start = end;
        }
        Self {
            vocabulary,
            text,
            symbols,
            pairs: BinaryHeap::new(),
            steps: HashMap::new(),
        }
    }

    fn run(&mut self) {
        for right in 1..self.symbols.len() {
            self.look_up(right - 1, right);
        }
        while let Some(Pair {
            left,
            right,
            length,
            ..
        }) = self.pairs.pop()
        {
            let [a, b] = [&self.symbols[left], &self.symbols[right]];
            if a.range.is_empty() || b.range.is_empty() || a.range.len() + b.range.len() != length {
                continue;
            }
            let (end, next) = (b.range.end, b.next);
            self.symbols[right].range = end..end;
            let merged = &mut self.symbols[left];
            merged.range.end = end;
            merged.next = next;
            let previous = merged.previous;
            if let Some(previous) = previous {
                self.look_up(previous, left);
            }
            if let Some(next) = next {
                self.symbols[next].previous = Some(left);
                self.look_up(left, next);
            }
        }
    }

    /// Notes the pair of two neighbours if they make a piece.
    fn look_up(&mut self, left: usize, right: usize) {
        let [a, b] = [&self.symbols[left], &self.symbols[right]];
        if a.frozen || b.frozen {
            return;
        }
        let text = &self.text[a.range.start..b.range.end];
        let Some(id) = self.vocabulary.piece(text) else {
            return;
        };
        if self.vocabulary.kind(id) == Kind::Unused {
            self.steps.insert(text, a.range.len());
        }
        self.pairs.push(Pair {
            score: self.vocabulary.score(id),
            left,
            right,
            length: text.len(),
        });
    }

    /// Tells the ids of a part that no neighbour joins.
    fn emit(&self, part: &str, push: &mut impl FnMut(Option<u32>, &str)) {
        // Steps may be made of steps, as deep as a piece has characters.
        let mut parts = vec![part];
        while let Some(part) = parts.pop() {
            let id = self.vocabulary.piece(part);
            let unused = id.is_some_and(|id| self.vocabulary.kind(id) == Kind::Unused);
            match self.steps.get(part).filter(|_| unused) {
                Some(left) => {
                    let (left, right) = part.split_at(*left);
                    parts.extend([right, left]);
                }
                None => push(id, part),
            }
        }
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = self.score.total_cmp(&other.score);
        by_score.then_with(|| Reverse(self.left).cmp(&Reverse(other.left)))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[(&str, f32, Kind)], text: &str, expected: &[&str]) {
        let vocabulary = Vocabulary::of(pieces);
        let mut found = Vec::new();
        push_ids(&vocabulary, text, &mut |_, part| {
            found.push(part.to_owned())
        });
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn the_highest_score_comes_first_and_of_equal_ones_the_left() {
        use Kind::Normal;
        let pieces = [
            ("ab", -1.0, Normal),
            ("bc", -1.0, Normal),
            ("cd", 0.0, Normal),
        ];
        check(&pieces, "abc", &["ab", "c"]);
        check(&pieces, "abcd", &["ab", "cd"]);
        check(&pieces, "bcab", &["bc", "ab"]);
        check(
            &[("bc", 0.0, Normal), ("ab", -0.5, Normal)],
            "abc",
            &["a", "bc"],
        );
        check(&pieces, "", &[]);
        check(
            &[("aa", 0.0, Normal), ("aaaa", -1.0, Normal)],
            "aaaaaaa",
            &["aaaa", "aa", "a"],
        );
        // No less than nothing is nothing.
        check(
            &[("bc", 0.0, Normal), ("ab", -0.0, Normal)],
            "abc",
            &["ab", "c"],
        );
    }

    #[test]
    fn symbols_are_cut_out_and_unused_pieces_are_steps() {
        use Kind::{Normal, Unused, UserDefined};
        let pieces = [
            ("<a>", 0.0, UserDefined),
            ("aa", -1.0, Normal),
            (">a", 0.0, Normal),
        ];
        check(&pieces, "aa<a>aa", &["aa", "<a>", "aa"]);
        let pieces = [
            ("ab", 0.0, Unused),
            ("abc", -1.0, Unused),
            ("abcd", -2.0, Normal),
        ];
        check(&pieces, "abcdabcab", &["abcd", "a", "b", "c", "a", "b"]);
    }
}
