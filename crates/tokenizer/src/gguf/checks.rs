//! What a vocabulary must be before it is read: lists of one length, tokens that are distinct, types and names that are known.

use std::collections::HashMap;
use std::path::Path;

use super::pre_tokenizers::{self, PreTokenizer};
use super::{GgufVocabulary, SENTENCE_PIECE, TokenType, byte_token};
use crate::error::TokenizerError;
use crate::load::wrong_key;

/// The key of a value in the file.
pub(super) fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}

/// The rule that the file names.
pub(super) fn rule(
    name: Option<&str>,
    path: &Path,
) -> Result<&'static PreTokenizer, TokenizerError> {
    name.and_then(pre_tokenizers::named)
        .ok_or_else(|| TokenizerError::GgufPre {
            path: path.to_owned(),
            found: name.unwrap_or("missing").to_owned(),
            known: pre_tokenizers::names(),
        })
}

/// Checks that there are tokens, and that the lists beside them fit them.
pub(super) fn check_lengths(
    vocabulary: &GgufVocabulary,
    path: &Path,
) -> Result<(), TokenizerError> {
    let GgufVocabulary {
        tokens,
        scores,
        token_types,
        ..
    } = vocabulary;
    if tokens.is_empty() {
        return Err(wrong_key(
            path,
            &key("tokens"),
            "a list of tokens, not empty",
        ));
    }
    for (name, length) in [("scores", scores.len()), ("token_type", token_types.len())] {
        if length != 0 && length != tokens.len() {
            let expected = "a list with a number for each token";
            return Err(wrong_key(path, &key(name), expected));
        }
    }
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(id) => {
            let key = format!("{}[{id}]", key("scores"));
            Err(wrong_key(path, &key, "a finite number"))
        }
    }
}

/// Gives tokens without text the names that llama.cpp gives them.
pub(super) fn name_empty_tokens(tokens: &mut [String]) {
    for (id, token) in tokens.iter_mut().enumerate() {
        if token.is_empty() {
            *token = format!("[EMPTY_{id}]");
        }
    }
}

/// Checks that no token has two ids.
pub(super) fn check_distinct(tokens: &[String], path: &Path) -> Result<(), TokenizerError> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if let Some(first) = ids.insert(token, id) {
            return Err(TokenizerError::GgufDuplicate {
                path: path.to_owned(),
                token: token.clone(),
                first,
                second: id,
            });
        }
    }
    Ok(())
}

/// The types of the tokens; where the file has none, what their texts and the special ids say.
pub(super) fn types(
    vocabulary: &GgufVocabulary,
    path: &Path,
) -> Result<Vec<TokenType>, TokenizerError> {
    if vocabulary.token_types.is_empty() {
        let control = [vocabulary.bos, vocabulary.eos, vocabulary.padding];
        let named = |wanted: &[Option<u32>], id: usize| {
            wanted.iter().flatten().any(|wanted| *wanted as usize == id)
        };
        let kind = |(id, token): (usize, &String)| {
            if named(&[vocabulary.unknown], id) {
                TokenType::Unknown
            } else if named(&control, id) {
                TokenType::Control
            } else if vocabulary.model == SENTENCE_PIECE && is_byte_token(token) {
                TokenType::Byte
            } else {
                TokenType::Normal
            }
        };
        return Ok(vocabulary.tokens.iter().enumerate().map(kind).collect());
    }
    let types = vocabulary.token_types.iter().enumerate();
    types
        .map(|(id, number)| {
            TokenType::from_number(*number).ok_or_else(|| {
                let key = format!("{}[{id}]", key("token_type"));
                wrong_key(path, &key, "1 (normal), 2 (unknown), 3 (control), 4 (user defined), 5 (unused) or 6 (byte)")
            })
        })
        .collect()
}

/// Whether a token is written as bytes are.
pub(super) fn is_byte_token(token: &str) -> bool {
    let byte = token
        .get(3..5)
        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.is_some_and(|byte| byte_token(byte) == token)
}
