//! The pieces of a text whose scores add up to the most.
//!
//! Scores are added in single precision, from the left, as SentencePiece does it: in a long text the last digits decide between pieces that
//! are as good as each other, and the library, which adds in double precision, then takes others. Version 0.2.3 does so for texts of hundreds
//! of thousands of characters too: of one with 100,000 pieces, one or two hundred are others there.
//!
//! Source: `unigram::Model::EncodeOptimized` of <https://github.com/google/sentencepiece/blob/master/src/unigram_model.cc>.

use super::vocabulary::{Kind, Trie, Vocabulary};

/// How much less than the worst piece a character without a piece counts.
const UNKNOWN_PENALTY: f32 = 10.0;
/// What a piece of [`Kind::UserDefined`] counts, by which it goes before any other way to cut its text.
const USER_DEFINED_BONUS: f64 = -0.1;

/// The last piece of the best way to cut the text up to a place.
#[derive(Clone, Copy)]
struct Best {
    score: f32,
    start: usize,
    /// None for a character without a piece.
    id: Option<u32>,
}

/// Tells `push` the pieces of `text` and their ids; no id for a character without a piece. `trie` is that of the vocabulary.
pub(super) fn push_ids(
    vocabulary: &Vocabulary,
    trie: &Trie,
    text: &str,
    push: &mut impl FnMut(Option<u32>, &str),
) {
    let unknown_score = vocabulary.least_score() - UNKNOWN_PENALTY;
    let mut best: Vec<Option<Best>> = vec![None; text.len() + 1];
    for (start, character) in text.char_indices() {
        let before = if start == 0 {
            0.0
        } else {
            // Each character ends a piece, if only the unknown one.
            best[start].map_or(0.0, |best| best.score)
        };
        let mut reach = |end: usize, score: f64, id: Option<u32>| {
            if best[end].is_none_or(|best| score > f64::from(best.score)) {
                // Kept in single precision, though compared in double.
                let score = score as f32;
                best[end] = Some(Best { score, start, id });
            }
        };
        let mut single = false;
        for (length, id) in trie.beginnings(&text[start..]) {
            let score = match vocabulary.kind(id) {
                Kind::Unused => continue,
                Kind::UserDefined => USER_DEFINED_BONUS,
                Kind::Normal => f64::from(vocabulary.score(id)),
            };
            reach(start + length, score + f64::from(before), Some(id));
            single |= length == character.len_utf8();
        }
        if !single {
            let score = f64::from(unknown_score + before);
            reach(start + character.len_utf8(), score, None);
        }
    }

    let mut cuts = Vec::new();
    let mut end = text.len();
    while let Some(Best { start, id, .. }) = best[end] {
        cuts.push((start..end, id));
        end = start;
    }
    for (range, id) in cuts.into_iter().rev() {
        push(id, &text[range]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[(&str, f32, Kind)], text: &str, expected: &[&str]) {
        let vocabulary = Vocabulary::of(pieces);
        let trie = Trie::new(&vocabulary);
        let mut found = Vec::new();
        push_ids(&vocabulary, &trie, text, &mut |_, part| {
            found.push(part.to_owned())
        });
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn the_highest_sum_wins_and_of_equal_ones_the_first_found() {
        use Kind::{Normal, Unused, UserDefined};
        let pieces = [
            ("a", -1.0, Normal),
            ("b", -1.5, Normal),
            ("ab", -2.0, Normal),
        ];
        check(&pieces, "ab", &["ab"]);
        check(&pieces, "aba", &["ab", "a"]);
        check(&pieces, "", &[]);
        // A character without a piece counts ten less than the worst piece.
        check(&pieces, "aéb", &["a", "é", "b"]);
        let pieces = [("a", -1.0, Normal), ("aé", -12.5, Normal)];
        check(&pieces, "aé", &["aé"]);
        check(&[("a", -3.0, Normal), ("aé", -16.5, Normal)], "aé", &["aé"]);
        let equal = [
            ("a", -1.0, Normal),
            ("b", -1.0, Normal),
            ("ab", -2.0, Normal),
        ];
        check(&equal, "ab", &["ab"]);
        let pieces = [
            ("a", -1.0, Normal),
            ("aa", 0.0, Unused),
            ("aaa", -9.0, UserDefined),
        ];
        check(&pieces, "aaaaa", &["a", "a", "aaa"]);
    }
}
