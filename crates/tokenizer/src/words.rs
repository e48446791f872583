//! The fast way to encode: cut the text into words, and let the model encode each distinct word once.
//!
//! `tokenizers` keeps an alignment for every byte and builds a string for every word, which costs more than the encoding itself. The two
//! kinds of tokenizer that our model families use need none of that, and give the same ids this way:
//!
//! - byte-level BPE with the splitting rule of GPT-2;
//! - SentencePiece-style BPE, which takes the whole text for one word. There a cut before a `▁` that follows another character changes
//!   nothing so long as no token holds such a pair: no merge can reach over the cut.
//!
//! All others go through the library; a property test compares both ways.
//!
//! Source of the rule: `encoder.py` of GPT-2, <https://github.com/openai/gpt-2/blob/master/src/encoder.py>.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tokenizers::utils::SysRegex;
use tokenizers::{Model, ModelWrapper};

use crate::byte_level;
use crate::error::TokenizerError;
use crate::special::{self, SpecialTokens};

/// Stands for a space in SentencePiece-style vocabularies.
const SPACE: char = '▁';
const SPACE_TEXT: &str = "▁";

/// The expression of GPT-2 less its `\s+(?!\S)`, which [`Split`] does by hand: without a look-ahead it runs in linear time, and a long run of
/// spaces cannot exhaust the backtracking limit.
static RULE: LazyLock<SysRegex> = LazyLock::new(|| {
    SysRegex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+")
        .expect("the rule is a valid expression")
});

/// Encodes word by word.
pub(crate) struct Words {
    style: Style,
    // None where the library has to look for them.
    special: Option<SpecialTokens>,
}

enum Style {
    /// GPT-2 splitting; `missing` lists the bytes without a symbol in the vocabulary.
    ByteLevel { missing: Vec<u8> },
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
        let byte_level = parts["normalizer"].is_null()
            && pre_tokenizer["type"] == "ByteLevel"
            && pre_tokenizer["add_prefix_space"] == false
            && pre_tokenizer["use_regex"] != false;
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

        let style = if byte_level {
            let lacks = |byte: &u8| {
                let symbol = byte_level::symbol(*byte).to_string();
                model.unk_token.is_none() && model.token_to_id(&symbol).is_none()
            };
            Style::ByteLevel {
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
            Style::ByteLevel { missing } => {
                if let Some((place, character)) = unknown(text, missing) {
                    return Err(TokenizerError::UnknownCharacter {
                        character,
                        position: text[..place].chars().count(),
                    });
                }
                push_distinct(split(text), ids, |word, ids| {
                    push_tokens(model, &spell(word), &check, ids)
                })
            }
            Style::Prefixed if text.is_empty() => Ok(()),
            Style::Prefixed => {
                let spelled = format!("{SPACE}{}", text.replace(' ', SPACE_TEXT));
                push_distinct(cut_at_spaces(&spelled), ids, |word, ids| {
                    push_tokens(model, word, &check, ids)
                })
            }
        }
    }
}

/// Appends the ids of all words, asking `encode` for those of each distinct word once.
fn push_distinct<'w>(
    words: impl Iterator<Item = &'w str>,
    ids: &mut Vec<u32>,
    mut encode: impl FnMut(&str, &mut Vec<u32>) -> Result<(), TokenizerError>,
) -> Result<(), TokenizerError> {
    let mut known: HashMap<&str, Range<usize>> = HashMap::new();
    for word in words {
        if let Some(range) = known.get(word) {
            ids.extend_from_within(range.clone());
        } else {
            let start = ids.len();
            encode(word, ids)?;
            known.insert(word, start..ids.len());
        }
    }
    Ok(())
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
pub(crate) fn spell(word: &str) -> String {
    word.bytes().map(byte_level::symbol).collect()
}

/// Cuts `text` into the words of GPT-2; put together they give it back.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = first_word(rest)?;
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

/// Length in bytes of the first word of `text`; none at its end.
fn first_word(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    // Every character is in one of the classes, so there is a match and it is here.
    let end = RULE
        .find_iter(text)
        .next()
        .map_or(text.len(), |(_, end)| end);
    let word = &text[..end];
    // The words of the other alternatives hold white space as a first character only.
    let last = word.chars().next_back()?;
    if end == text.len() || !first.is_whitespace() || !last.is_whitespace() {
        return Some(end);
    }
    // `\s+(?!\S)`: a run before something else leaves its last character to that, unless it is the only one.
    let shorter = end - last.len_utf8();
    Some(if shorter == 0 { end } else { shorter })
}

/// Cuts before each [`SPACE`] that follows another character.
fn cut_at_spaces(text: &str) -> impl Iterator<Item = &str> {
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
fn next_cut(text: &str) -> Option<usize> {
    let run = text.len() - text.trim_start_matches(SPACE).len();
    Some(run + text[run..].find(SPACE)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    /// The words of the library, which uses the look-ahead, as it spells them.
    fn reference(text: &str) -> Vec<String> {
        let mut words = PreTokenizedString::from(text);
        ByteLevel::new(false, false, true)
            .pre_tokenize(&mut words)
            .unwrap();
        words
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter()
            .map(|(word, _, _)| word.to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn white_space_leaves_its_last_character_to_the_next_word() {
        check("", &[]);
        check("a  b", &["a", " ", " b"]);
        check("a \n\n b", &["a", " \n\n", " b"]);
        check("a \n\nb", &["a", " \n", "\n", "b"]);
        check("a   ", &["a", "   "]);
        check("\u{a0}a", &["\u{a0}", "a"]);
        check("it's 12 :)", &["it", "'s", " 12", " :)"]);
    }

    #[test]
    fn a_long_run_of_spaces_is_one_word() {
        let text = format!("{}x", " ".repeat(3_000_000));
        assert_eq!(split(&text).count(), 2);
    }

    #[test]
    fn spaces_are_cut_before_the_first_of_a_run() {
        let words: Vec<_> = cut_at_spaces("▁▁a▁b▁▁▁c▁").collect();
        assert_eq!(words, ["▁▁a", "▁b", "▁▁▁c", "▁"]);
        assert_eq!(next_cut("▁▁▁"), None);
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_library(
            text in "[a-z '\\s\\d\\p{L}\\p{N}\\p{M}\\p{P}\\p{So}]{0,40}|[ \n\t'stx1.\u{a0}\u{3000}\u{85}\u{1c}]{0,40}|(?s:.){0,30}"
        ) {
            let words: Vec<_> = split(&text).collect();
            prop_assert_eq!(words.concat(), text.as_str());
            let spelled: Vec<_> = words.into_iter().map(spell).collect();
            prop_assert_eq!(spelled, reference(&text));
        }
    }
}
