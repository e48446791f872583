//! The fast way to encode: cut the text into words, and let the model encode each distinct word once.
//!
//! `tokenizers` keeps an alignment for every byte and builds a string for every word, which costs more than the encoding itself. The two
//! kinds of tokenizer that our model families use need none of that, and give the same ids this way:
//!
//! - byte-level BPE with the splitting rule of GPT-2, that of GPT-4 and Llama 3, or none;
//! - SentencePiece-style BPE, which takes the whole text for one word. There a cut before a `▁` that follows another character changes
//!   nothing so long as no token holds such a pair: no merge can reach over the cut.
//!
//! All others go through the library; a property test compares both ways.

use std::ops::Range;

use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use tokenizers::{Model, ModelWrapper};

use crate::byte_level;
use crate::error::TokenizerError;
use crate::special::{self, SpecialTokens};
use crate::split::Splitter;

/// Stands for a space in SentencePiece-style vocabularies.
const SPACE: char = '▁';
const SPACE_TEXT: &str = "▁";

/// Encodes word by word.
pub(crate) struct Words {
    style: Style,
    // None where the library has to look for them.
    special: Option<SpecialTokens>,
}

enum Style {
    /// Bytes as symbols; `missing` lists the bytes without one in the vocabulary.
    ByteLevel {
        splitter: Splitter,
        missing: Vec<u8>,
    },
    /// `▁` for a space, and one before the text.
    Prefixed,
}

impl Words {
    /// Recognises a model, and the other parts of its definition, for which this way gives the ids of the library.
    pub(crate) fn recognise(parts: &Value, model: &ModelWrapper) -> Option<Self> {
        let none_but_special = parts["added_tokens"]
            .as_array()
            .is_none_or(|added| added.iter().all(|token| token["special"] == true));
        let ModelWrapper::BPE(model) = model else {
            return None;
        };
        if model.dropout.is_some() || !none_but_special {
            return None;
        }

        let pre_tokenizer = &parts["pre_tokenizer"];
        let splitter = parts["normalizer"].is_null().then_some(pre_tokenizer);
        let splitter = splitter.and_then(Splitter::recognise);
        let prefixed = pre_tokenizer.is_null()
            && parts["normalizer"]
                == json!({"type": "Sequence", "normalizers": [
                    {"type": "Prepend", "prepend": SPACE},
                    {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
                ]})
            && model.continuing_subword_prefix.is_none()
            && model.end_of_word_suffix.is_none()
            && !model.ignore_merges
            && model.token_to_id(SPACE_TEXT).is_some()
            && !model
                .get_vocab()
                .keys()
                .any(|token| next_cut(token).is_some());

        let style = if let Some(splitter) = splitter {
            let lacks = |byte: &u8| {
                let symbol = byte_level::symbol(*byte).to_string();
                model.unk_token.is_none() && model.token_to_id(&symbol).is_none()
            };
            Style::ByteLevel {
                splitter,
                missing: (0..=u8::MAX).filter(lacks).collect(),
            }
        } else if prefixed {
            Style::Prefixed
        } else {
            return None;
        };
        Some(Self {
            style,
            special: SpecialTokens::recognise(parts),
        })
    }

    /// Encodes `text` with `model`; `check` sees the ids of each distinct word.
    pub(crate) fn encode(
        &self,
        model: &ModelWrapper,
        text: &str,
        check: impl Fn(u32) -> Result<(), TokenizerError>,
    ) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.push(model, text, check, &mut ids)?;
        Ok(ids)
    }

    /// Encodes `text`, in which special tokens stand for their ids; none where the library has to do it.
    pub(crate) fn encode_with_special(
        &self,
        model: &ModelWrapper,
        text: &str,
    ) -> Option<Result<Vec<u32>, TokenizerError>> {
        let segments = self.special.as_ref()?.cut(text);
        Some(special::encode_segments(&segments, |text, ids| {
            self.push(model, text, |_| Ok(()), ids)
        }))
    }

    /// The same, with `mark` taken out of the text between the special tokens; `check` sees the ids of each distinct word there.
    pub(crate) fn encode_marked(
        &self,
        model: &ModelWrapper,
        text: &str,
        mark: char,
        check: impl Fn(u32) -> Result<(), TokenizerError>,
    ) -> Option<Result<Vec<u32>, TokenizerError>> {
        let segments = self.special.as_ref()?.cut_marked(text, mark);
        Some(special::encode_segments(&segments, |text, ids| {
            self.push(model, text, &check, ids)
        }))
    }

    /// Appends the ids of `text`, encoded on its own.
    fn push(
        &self,
        model: &ModelWrapper,
        text: &str,
        check: impl Fn(u32) -> Result<(), TokenizerError>,
        ids: &mut Vec<u32>,
    ) -> Result<(), TokenizerError> {
        match &self.style {
            Style::ByteLevel { splitter, missing } => {
                if let Some((place, character)) = unknown(text, missing) {
                    return Err(TokenizerError::UnknownCharacter {
                        character,
                        position: text[..place].chars().count(),
                    });
                }
                let mut words = Distinct::default();
                let mut failed = None;
                splitter.each(text, |word| {
                    if failed.is_none() {
                        let pushed = words.push(word, ids, |word, ids| {
                            push_tokens(model, &spell(word), &check, ids)
                        });
                        failed = pushed.err();
                    }
                })?;
                failed.map_or(Ok(()), Err)
            }
            Style::Prefixed if text.is_empty() => Ok(()),
            Style::Prefixed => {
                let spelled = format!("{SPACE}{}", text.replace(' ', SPACE_TEXT));
                let mut words = Distinct::default();
                cut_at_spaces(&spelled).try_for_each(|word| {
                    words.push(word, ids, |word, ids| push_tokens(model, word, &check, ids))
                })
            }
        }
    }
}

/// The words of a text so far, with the places of their ids among those of the text.
#[derive(Default)]
struct Distinct<'w> {
    known: FxHashMap<&'w str, Range<usize>>,
}

impl<'w> Distinct<'w> {
    /// Appends the ids of `word`, asking `encode` for them the first time.
    fn push(
        &mut self,
        word: &'w str,
        ids: &mut Vec<u32>,
        encode: impl FnOnce(&str, &mut Vec<u32>) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError> {
        if let Some(range) = self.known.get(word) {
            ids.extend_from_within(range.clone());
        } else {
            let start = ids.len();
            encode(word, ids)?;
            self.known.insert(word, start..ids.len());
        }
        Ok(())
    }
}

/// Appends what the model makes of one word.
fn push_tokens(
    model: &ModelWrapper,
    word: &str,
    check: impl Fn(u32) -> Result<(), TokenizerError>,
    ids: &mut Vec<u32>,
) -> Result<(), TokenizerError> {
    let tokens = model.tokenize(word);
    for token in tokens.map_err(|source| TokenizerError::Encode { source })? {
        check(token.id)?;
        ids.push(token.id);
    }
    Ok(())
}

/// First character of `text` that has a byte among `missing`, and its offset.
fn unknown(text: &str, missing: &[u8]) -> Option<(usize, char)> {
    if missing.is_empty() {
        return None;
    }
    let has_missing = |c: char| {
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer)
            .bytes()
            .any(|byte| missing.contains(&byte))
    };
    text.char_indices().find(|(_, c)| has_missing(*c))
}

/// Writes a word in the byte-level symbols.
fn spell(word: &str) -> String {
    word.bytes().map(byte_level::symbol).collect()
}

/// Cuts before each [`SPACE`] that follows another character.
pub(crate) fn cut_at_spaces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (word, after) = rest.split_at(next_cut(rest).unwrap_or(rest.len()));
        rest = after;
        Some(word)
    })
}

/// First place in `text` where [`SPACE`] follows another character.
pub(crate) fn next_cut(text: &str) -> Option<usize> {
    let run = text.len() - text.trim_start_matches(SPACE).len();
    Some(run + text[run..].find(SPACE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_cut_before_the_first_of_a_run() {
        let words: Vec<_> = cut_at_spaces("▁▁a▁b▁▁▁c▁").collect();
        assert_eq!(words, ["▁▁a", "▁b", "▁▁▁c", "▁"]);
        assert_eq!(next_cut("▁▁▁"), None);
    }
}
