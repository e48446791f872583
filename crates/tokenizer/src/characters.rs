//! Character-level encoding: one id for each character.
//!
//! On disk such a tokenizer is a BPE without merges and with the decoder `Fuse`, which `tokenizers` and transformers load as they are
//! and give the same ids for. They drop a character outside the vocabulary without a word; here it is an error, so encoding does not
//! go through them.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::error::TokenizerError;
use crate::special::{Segment, SpecialTokens};
use crate::tokenizer::Tokenizer;

/// Ids of the characters and of the special tokens.
pub(crate) struct Characters {
    ids: HashMap<char, u32>,
    special: SpecialTokens,
}

impl Characters {
    /// Recognises a character tokenizer by its definition.
    pub(crate) fn recognise(definition: &Value) -> Option<Self> {
        let model = &definition["model"];
        let plain = ["normalizer", "pre_tokenizer"]
            .iter()
            .all(|part| definition[*part].is_null())
            && [
                "unk_token",
                "continuing_subword_prefix",
                "end_of_word_suffix",
                "dropout",
            ]
            .iter()
            .all(|part| model[*part].is_null())
            && model["byte_fallback"] != true
            && model["type"] == "BPE"
            && definition["decoder"]["type"] == "Fuse"
            && model["merges"].as_array().is_some_and(Vec::is_empty);
        if !plain {
            return None;
        }

        let special = SpecialTokens::recognise(definition)?;
        let mut ids = HashMap::new();
        for (token, id) in model["vocab"].as_object()? {
            if special.contains(token) {
                continue;
            }
            let mut characters = token.chars();
            let (Some(character), None) = (characters.next(), characters.next()) else {
                return None;
            };
            ids.insert(character, u32::try_from(id.as_u64()?).ok()?);
        }
        Some(Self { ids, special })
    }

    /// Encodes every character of `text`, the ones of a special token too.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len());
        self.push(text, 0, &mut ids)?;
        Ok(ids)
    }

    /// Encodes `text`, in which special tokens stand for their ids.
    pub(crate) fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len());
        let mut position = 0;
        for segment in self.special.cut(text) {
            let written = match segment {
                Segment::Text(text) => {
                    self.push(text, position, &mut ids)?;
                    text
                }
                Segment::Special(token, id) => {
                    ids.push(id);
                    token
                }
            };
            position += written.chars().count();
        }
        Ok(ids)
    }

    fn push(&self, text: &str, before: usize, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        for (index, character) in text.chars().enumerate() {
            match self.ids.get(&character) {
                Some(id) => ids.push(*id),
                None => {
                    return Err(TokenizerError::UnknownCharacter {
                        character,
                        position: before + index,
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
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": 0,
            "content": Tokenizer::END_OF_TEXT,
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": [],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abc() -> Characters {
        Characters::recognise(&definition(&"abc<|>".chars().collect())).unwrap()
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
        assert!(Characters::recognise(&good).is_some());
        for (pointer, value) in [
            ("/decoder", json!(null)),
            ("/model/unk_token", json!("a")),
            ("/model/byte_fallback", json!(true)),
            ("/model/vocab/ab", json!(9)),
            ("/model/merges", json!([["a", "b"]])),
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
            assert!(Characters::recognise(&changed).is_none(), "{pointer}");
        }
    }
}
