//! Merges out of scores, and scores out of merges.
//!
//! A vocabulary with scores merges any two neighbours whose texts together are a token, the token with the highest score first. A list of
//! merges can say the same where it has all the ways to make each of its tokens one after the other; any other list has no scores. Where two
//! ways to make the same token overlap in a text, scores take the one on the left and lists the one listed first. Texts in which that makes a
//! difference are rare enough for the converters of Hugging Face, whose order of merges this is, to pass over it.
//!
//! Source: `SentencePieceExtractor` of <https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py>.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A token that may be put together from others.
pub(crate) struct Piece<'v> {
    pub(crate) text: &'v str,
    pub(crate) id: usize,
    pub(crate) score: f32,
}

/// Most bytes that a list of merges may have: many times what vocabularies of text need, and little enough for any machine.
const MOST_BYTES: usize = 1 << 28;

/// The merges that the scores of `pieces` stand for, as pairs of places in `pieces`; none where they would fill the memory.
pub(crate) fn from_scores(pieces: &[Piece<'_>]) -> Option<Vec<(usize, usize)>> {
    let texts: Vec<_> = pieces.iter().map(|piece| piece.text).collect();
    let halves = Halves::new(&texts);

    let mut order: Vec<_> = (0..pieces.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&pieces[*a], &pieces[*b]);
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        by_score.then(a.id.cmp(&b.id))
    });
    let mut merges = Vec::new();
    let mut bytes = 0;
    for piece in order {
        let mut pairs = halves.pairs(piece);
        bytes += pairs.len() * texts[piece].len();
        if bytes > MOST_BYTES {
            return None;
        }
        pairs.sort_unstable_by_key(|(left, right)| (pieces[*left].id, pieces[*right].id));
        merges.extend(pairs);
    }
    Some(merges)
}

/// Why scores cannot stand for a list of merges.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inexpressible {
    /// Merges that make this token are listed apart from each other.
    Scattered(String),
    /// The list lacks a merge that makes a token of its neighbours.
    Missing(String, String),
    /// Text would become this special token.
    SpecialInText(String),
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scattered(token) => write!(f, "several ways to make {token:?}, far apart"),
            Self::Missing(left, right) => {
                write!(
                    f,
                    "no merge of {left:?} and {right:?}, though they make a token"
                )
            }
            Self::SpecialInText(token) => write!(f, "the special token {token:?} within text"),
        }
    }
}

/// The scores that stand for `merges`, one for each of `tokens`: less by one for each token that is made earlier, 0 for those that no merge makes.
/// `cut_out` tells of each token whether it can be no part of a text because it is cut out before, and `special` whether it must not.
pub(super) fn to_scores(
    tokens: &[&str],
    merges: &[(&str, &str)],
    cut_out: impl Fn(usize) -> bool,
    special: impl Fn(usize) -> bool,
) -> Result<Vec<f32>, Inexpressible> {
    let mut rank: HashMap<String, usize> = HashMap::new();
    let mut last = String::new();
    for (left, right) in merges {
        let made = format!("{left}{right}");
        if made == last {
            continue;
        }
        let next = rank.len() + 1;
        if rank.insert(made.clone(), next).is_some() {
            return Err(Inexpressible::Scattered(made));
        }
        last = made;
    }

    let listed: HashSet<_> = merges.iter().copied().collect();
    let halves = Halves::new(tokens);
    let mut in_text = vec![false; tokens.len()];
    let mut order: Vec<_> = (0..tokens.len()).collect();
    // A token is longer than its halves, so that they are known before it.
    order.sort_by_key(|index| tokens[*index].len());
    for index in order {
        let token = tokens[index];
        if cut_out(index) {
            continue;
        }
        let cuts = halves.cuts_in_text(index, &in_text);
        in_text[index] = !cuts.is_empty() || token.chars().count() == 1;
        if in_text[index] && special(index) {
            return Err(Inexpressible::SpecialInText(token.to_owned()));
        }
        for cut in cuts {
            let (left, right) = token.split_at(cut);
            if !listed.contains(&(left, right)) {
                return Err(Inexpressible::Missing(left.to_owned(), right.to_owned()));
            }
        }
    }
    let score = |token: &&str| 0.0 - rank.get(*token).copied().unwrap_or(0) as f32;
    Ok(tokens.iter().map(score).collect())
}

/// For each of some texts the others with which it begins and ends.
///
/// Sorted by their characters, texts that begin alike follow on each other, so that one pass finds all; the time and the room it takes grow
/// with the number of characters only, however long a single text is.
struct Halves<'t> {
    texts: &'t [&'t str],
    starts: Vec<Vec<usize>>,
    ends: Vec<Vec<usize>>,
}

impl<'t> Halves<'t> {
    fn new(texts: &'t [&'t str]) -> Self {
        let forward: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let mut backward = forward.clone();
        backward.iter_mut().for_each(|bytes| bytes.reverse());
        Self {
            texts,
            starts: beginnings(&forward),
            ends: beginnings(&backward),
        }
    }

    /// The pairs of texts that make the text at `index` together.
    fn pairs(&self, index: usize) -> Vec<(usize, usize)> {
        let whole = self.texts[index].len();
        let ends: HashMap<_, _> = self.ends[index]
            .iter()
            .map(|end| (whole - self.texts[*end].len(), *end))
            .collect();
        let starts = self.starts[index].iter();
        starts
            .filter_map(|start| Some((*start, *ends.get(&self.texts[*start].len())?)))
            .collect()
    }

    /// The places at which the text at `index` may be cut into two that can be neighbours: those of `in_text`, or single characters.
    fn cuts_in_text(&self, index: usize, in_text: &[bool]) -> Vec<usize> {
        let text = self.texts[index];
        let length = |half: &usize| in_text[*half].then(|| self.texts[*half].len());
        let mut left: HashSet<_> = self.starts[index].iter().filter_map(length).collect();
        let mut right: HashSet<_> = self.ends[index]
            .iter()
            .filter_map(|end| Some(text.len() - length(end)?))
            .collect();
        left.extend(text.chars().next().map(char::len_utf8));
        right.extend(text.char_indices().next_back().map(|(place, _)| place));
        let mut cuts: Vec<_> = left.intersection(&right).copied().collect();
        cuts.retain(|cut| (1..text.len()).contains(cut));
        cuts.sort_unstable();
        cuts
    }
}

/// For each of `texts` the places of the others with which it begins.
fn beginnings(texts: &[Vec<u8>]) -> Vec<Vec<usize>> {
    let mut order: Vec<_> = (0..texts.len()).collect();
    order.sort_unstable_by_key(|index| &texts[*index]);
    let mut found = vec![Vec::new(); texts.len()];
    let mut open: Vec<usize> = Vec::new();
    for index in order {
        while open
            .last()
            .is_some_and(|last| !texts[index].starts_with(&texts[*last]))
        {
            open.pop();
        }
        found[index].clone_from(&open);
        open.push(index);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The merges found by trying every cut of every token.
    fn naive(pieces: &[Piece<'_>]) -> Vec<(usize, usize)> {
        let place: HashMap<_, _> = pieces.iter().map(|p| (p.text, p.id)).collect();
        let mut merges = Vec::new();
        for piece in pieces {
            for (cut, _) in piece.text.char_indices() {
                let (left, right) = piece.text.split_at(cut);
                if let (Some(left), Some(right)) = (place.get(left), place.get(right)) {
                    merges.push((piece.id, *left, *right));
                }
            }
        }
        merges.sort_by(|a, b| {
            let score = |merge: &(usize, _, _)| pieces[merge.0].score;
            score(b).total_cmp(&score(a)).then(a.cmp(b))
        });
        merges
            .into_iter()
            .map(|(_, left, right)| (left, right))
            .collect()
    }

    proptest! {
        #[test]
        fn merges_are_those_of_trying_every_cut_and_scores_lead_back_to_them(
            texts in prop::collection::hash_set("[ab▁é]{1,5}", 1..40),
            scores in prop::collection::vec(-5i8..0, 40),
        ) {
            let mut texts: Vec<_> = texts.iter().map(String::as_str).collect();
            // Otherwise single characters are neighbours without being tokens.
            texts.retain(|text| text.chars().count() > 1);
            texts.extend(["a", "b", "▁", "é"]);
            let pieces: Vec<_> = texts
                .iter()
                .enumerate()
                .map(|(id, text)| Piece { text, id, score: f32::from(scores[id % 40]) })
                .collect();
            let merges = from_scores(&pieces).unwrap();
            prop_assert_eq!(&merges, &naive(&pieces));

            let list: Vec<_> = merges.iter().map(|(left, right)| (texts[*left], texts[*right])).collect();
            let scores = to_scores(&texts, &list, |_| false, |_| false).unwrap();
            let again: Vec<_> = pieces.iter().map(|piece| Piece { score: scores[piece.id], ..*piece }).collect();
            prop_assert_eq!(from_scores(&again).unwrap(), merges);
        }
    }

    #[test]
    fn a_token_that_neighbours_make_needs_its_merge() {
        let none = |_| false;
        let check =
            |tokens: &[&str], merges: &[(&str, &str)]| to_scores(tokens, merges, none, none);
        assert_eq!(
            check(&["a", "b", "ab"], &[("a", "b")]),
            Ok(vec![0.0, 0.0, -1.0])
        );
        let missing = |left: &str, right: &str| {
            Err(Inexpressible::Missing(left.to_owned(), right.to_owned()))
        };
        assert_eq!(check(&["a", "b", "ab"], &[]), missing("a", "b"));
        // A character without a token of its own is a neighbour as well.
        assert_eq!(
            check(&["a", "é", "aé", "aéb"], &[("a", "é")]),
            missing("aé", "b")
        );
        // Nothing makes "bc", so that it is no neighbour of "a".
        assert_eq!(check(&["a", "bcd", "abcd"], &[]), Ok(vec![0.0; 3]));
        assert!(to_scores(&["a", "b", "ab"], &[], |id| id == 2, none).is_ok());
    }
}
