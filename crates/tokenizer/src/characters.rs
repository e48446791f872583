//! Character-level encoding: one id for each character.
//!
//! On disk such a tokenizer is a BPE without merges and with the decoder `Fuse`, which `tokenizers` and transformers load as they are
//! and give the same ids for. They drop a character outside the vocabulary without a word; here it is an error, so encoding does not
//! go through them.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use tokenizers::ModelWrapper;

use crate::definition;
use crate::error::TokenizerError;
use crate::special::{self, Segment, SpecialTokens};
use crate::tokenizer::Tokenizer;

/// Ids of the characters and of the special tokens.
pub(crate) struct Characters {
    ids: HashMap<char, u32>,
    special: SpecialTokens,
}

impl Characters {
    /// Recognises a character tokenizer by its model, which has no merges, and the other parts of its definition.
    pub(crate) fn recognise(parts: &Value, model: &ModelWrapper) -> Option<Self> {
        let ModelWrapper::BPE(model) = model else {
            return None;
        };
        let plain = ["normalizer", "pre_tokenizer"]
            .iter()
            .all(|part| parts[*part].is_null())
            && model.unk_token.is_none()
            && model.continuing_subword_prefix.is_none()
            && model.end_of_word_suffix.is_none()
            && model.dropout.is_none()
            && !model.byte_fallback
            && parts["decoder"]["type"] == "Fuse";
        if !plain {
            return None;
        }

        let special = SpecialTokens::recognise(parts)?;
        let mut ids = HashMap::new();
        for (token, id) in model.get_vocab() {
            if special.contains(&token) {
                continue;
            }
            let mut characters = token.chars();
            let (Some(character), None) = (characters.next(), characters.next()) else {
                return None;
            };
            ids.insert(character, id);
        }
        Some(Self { ids, special })
    }

    /// Encodes every character of `text`, the ones of a special token too.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len());
        self.push(text, &mut ids)?;
        Ok(ids)
    }

    /// Encodes `text`, in which special tokens stand for their ids.
    pub(crate) fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_segments(&self.special.cut(text))
    }

    /// The same, with `mark` taken out of the text between the special tokens.
    pub(crate) fn encode_marked(&self, text: &str, mark: char) -> Result<Vec<u32>, TokenizerError> {
        self.encode_segments(&self.special.cut_marked(text, mark))
    }

    fn encode_segments(&self, segments: &[Segment<'_>]) -> Result<Vec<u32>, TokenizerError> {
        special::encode_segments(segments, |text, ids| self.push(text, ids))
    }

    fn push(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        for (position, character) in text.chars().enumerate() {
            match self.ids.get(&character) {
                Some(id) => ids.push(*id),
                None => {
                    return Err(TokenizerError::UnknownCharacter {
                        character,
                        position,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Definition of a tokenizer of these characters: [`Tokenizer::END_OF_TEXT`] is 0, the others follow by code point.
pub(crate) fn definition(characters: &BTreeSet<char>) -> Value {
    let mut vocab = Map::new();
    vocab.insert(Tokenizer::END_OF_TEXT.to_owned(), json!(0));
    for (index, character) in characters.iter().enumerate() {
        vocab.insert(character.to_string(), json!(index + 1));
    }
    of_vocabulary(
        vocab,
        vec![definition::added_token(0, Tokenizer::END_OF_TEXT, true)],
    )
}

/// Definition of a tokenizer of these tokens: single characters, and the special tokens that `added_tokens` lists.
pub(crate) fn of_vocabulary(vocab: Map<String, Value>, added_tokens: Vec<Value>) -> Value {
    let mut definition = definition::bpe(added_tokens, vocab, Vec::new());
    definition["decoder"] = json!({"type": "Fuse"});
    definition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;

    fn recognise(definition: &Value) -> Option<Characters> {
        let engine = engine::read(&mut definition.clone()).unwrap();
        let parts = engine::parts(&engine).unwrap();
        Characters::recognise(&parts, engine.get_model())
    }

    fn abc() -> Characters {
        recognise(&definition(&"abc<|>".chars().collect())).unwrap()
    }

    #[test]
    fn ids_follow_the_code_points() {
        assert_eq!(abc().encode("<>abc|").unwrap(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn special_tokens_are_parsed_on_request_only() {
        let text = "b<|endoftext|><";
        assert_eq!(abc().encode_with_special(text).unwrap(), [4, 0, 1]);
        assert!(abc().encode(text).is_err());
    }

    #[test]
    fn an_unknown_character_is_named_with_its_place() {
        let text = "b<|endoftext|>é";
        let error = abc().encode_with_special(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the character 'é' (U+00E9) at position 14 is not in the vocabulary; remove it or make the tokenizer from a text that has it"
        );
    }

    #[test]
    fn other_definitions_are_not_taken_for_characters() {
        let good = definition(&"abc".chars().collect());
        assert!(recognise(&good).is_some());
        for (pointer, value) in [
            ("/decoder", json!(null)),
            ("/model/unk_token", json!("a")),
            ("/model/byte_fallback", json!(true)),
            ("/model/vocab/ab", json!(9)),
            ("/normalizer", json!({"type": "Lowercase"})),
            ("/added_tokens/0/special", json!(false)),
        ] {
            let mut changed = good.clone();
            match changed.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => {
                    changed["model"]["vocab"]["ab"] = value;
                }
            }
            assert!(recognise(&changed).is_none(), "{pointer}");
        }
    }
}
