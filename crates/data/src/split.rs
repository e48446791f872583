//! Which text is for training and which for validation.
//!
//! Knows only how many characters each document has; nothing of where they come from.

use std::ops::Range;

use crate::config::{DataConfig, SplitBy};
use crate::error::DataError;
use crate::random::{Random, mix};

/// From how many documents on the automatic split keeps them whole.
const ENOUGH_DOCUMENTS: usize = 20;

/// One of the two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Train,
    /// What is kept aside.
    Validation,
}

/// A piece of a document, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) part: Part,
    pub(crate) chars: Range<u64>,
}

/// How the documents of a corpus are dealt out.
#[derive(Debug)]
pub(crate) enum Split {
    /// All to one part: the other has sources of its own.
    All(Part),
    /// Whole documents; whether each is for validation.
    Documents(Vec<bool>),
    /// Cut at a character; the first character of each document, and the cut.
    Tail { starts: Vec<u64>, cut: u64 },
}

impl Split {
    /// The split that `data` asks for, over documents of so many characters.
    pub(crate) fn new(data: &DataConfig, chars: &[u64]) -> Result<Self, DataError> {
        let by_documents = match data.split {
            SplitBy::Auto => chars.len() >= ENOUGH_DOCUMENTS,
            SplitBy::Documents => true,
            SplitBy::Tail => false,
        };
        if by_documents {
            documents(chars.len(), data.validation)
        } else {
            tail(chars, data.validation)
        }
    }

    /// The pieces of document number `index`, which has so many characters; one or two.
    pub(crate) fn pieces(&self, index: usize, chars: u64) -> Vec<Piece> {
        let piece = |part, chars| Piece { part, chars };
        match self {
            Self::All(part) => vec![piece(*part, 0..chars)],
            Self::Documents(validation) => {
                let part = if validation[index] {
                    Part::Validation
                } else {
                    Part::Train
                };
                vec![piece(part, 0..chars)]
            }
            Self::Tail { starts, cut } => {
                let cut = cut.saturating_sub(starts[index]).min(chars);
                let both = [
                    piece(Part::Train, 0..cut),
                    piece(Part::Validation, cut..chars),
                ];
                both.into_iter()
                    .filter(|piece| !piece.chars.is_empty())
                    .collect()
            }
        }
    }
}

fn documents(n: usize, share: f64) -> Result<Split, DataError> {
    if n < 2 {
        return Err(DataError::TooFewDocuments { found: n });
    }
    // The key differs from those of the stories, so that the split is no function of their content.
    let mut draws: Vec<u64> = (0..n as u64)
        .map(|index| Random::keyed(mix(0x0073_706C_6974), index).next() >> 11)
        .collect();
    let bound = (share * (1_u64 << 53) as f64) as u64;
    // At least one document in each part: the one that was nearest to it.
    let (low, high) = (extreme(&draws, false), extreme(&draws, true));
    draws[low] = 0;
    draws[high] = u64::MAX;
    Ok(Split::Documents(
        draws.into_iter().map(|draw| draw < bound.max(1)).collect(),
    ))
}

fn extreme(draws: &[u64], largest: bool) -> usize {
    let key = |&index: &usize| {
        if largest {
            u64::MAX - draws[index]
        } else {
            draws[index]
        }
    };
    (0..draws.len()).min_by_key(key).unwrap_or(0)
}

fn tail(chars: &[u64], share: f64) -> Result<Split, DataError> {
    let starts: Vec<u64> = chars
        .iter()
        .scan(0, |next, &chars| {
            let start = *next;
            *next += chars;
            Some(start)
        })
        .collect();
    let total: u64 = chars.iter().sum();
    // The small term keeps 0.7 of 10 at 7, whatever the last bit of `1 - share`.
    let cut = (total as f64 * (1.0 - share) + 1e-6).floor() as u64;
    if cut == 0 || cut >= total {
        return Err(DataError::TooShort {
            chars: total,
            share,
        });
    }
    Ok(Split::Tail { starts, cut })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(split: SplitBy, validation: f64) -> DataConfig {
        DataConfig {
            split,
            validation,
            ..DataConfig::default()
        }
    }

    #[test]
    fn a_tail_is_what_the_floor_leaves() {
        for (total, share, train) in [
            (1_115_394, 0.1, 1_003_854),
            (10, 0.3, 7),
            (10, 0.9, 1),
            (10, 0.25, 7),
            (2, 0.5, 1),
        ] {
            let split = Split::new(&config(SplitBy::Auto, share), &[total]).expect("long enough");
            let pieces = split.pieces(0, total);
            assert_eq!(pieces[0].chars, 0..train, "{total} at {share}");
            assert_eq!(pieces[1].chars, train..total);
        }
        let error = Split::new(&config(SplitBy::Tail, 0.1), &[1]).expect_err("too short");
        assert!(error.to_string().contains("1 characters"), "{error}");
    }

    #[test]
    fn one_document_cannot_be_dealt_out() {
        let error = Split::new(&config(SplitBy::Documents, 0.1), &[500]).expect_err("one document");
        assert!(error.to_string().contains("split = \"tail\""), "{error}");
    }

    #[test]
    fn auto_keeps_documents_whole_from_twenty_on() {
        let split = |n| Split::new(&config(SplitBy::Auto, 0.1), &vec![100; n]).expect("enough");
        assert!(matches!(split(19), Split::Tail { .. }));
        assert!(matches!(split(20), Split::Documents(_)));
    }

    proptest! {
        #[test]
        fn a_cut_loses_and_doubles_nothing(chars in prop::collection::vec(5_u64..50, 2..40), share in 0.15..0.85) {
            let split = Split::new(&config(SplitBy::Tail, share), &chars).expect("long enough");
            let mut seen_validation = false;
            for (index, &n) in chars.iter().enumerate() {
                let pieces = split.pieces(index, n);
                prop_assert_eq!(pieces[0].chars.start, 0);
                prop_assert_eq!(pieces.last().map(|p| p.chars.end), Some(n));
                for piece in pieces {
                    prop_assert!(!(seen_validation && piece.part == Part::Train));
                    seen_validation |= piece.part == Part::Validation;
                }
            }
            prop_assert!(seen_validation);
        }

        #[test]
        fn both_parts_get_documents_by_their_share(n in 2_usize..3000, share in 0.001..0.999) {
            let Split::Documents(validation) = documents(n, share).expect("two or more") else {
                panic!("a split by documents");
            };
            let found = validation.iter().filter(|v| **v).count();
            prop_assert!(found > 0 && found < n);
            let sigma = (n as f64 * share * (1.0 - share)).sqrt();
            prop_assert!((found as f64 - n as f64 * share).abs() < 6.0 * sigma + 2.0, "{found} of {n} at {share}");
        }
    }
}
