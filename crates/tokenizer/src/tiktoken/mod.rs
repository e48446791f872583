//! Ranks of tiktoken: on each line a token, as bytes in base64, and its rank, which is its id and the order in which it is made by merges.
//!
//! Such a file leaves open how texts are cut into words and which special tokens there are. Both are known of the encodings published so,
//! which are recognised by the number of their ranks; a `tokenizer_config.json` beside the file may name another encoding under
//! `tiktoken_encoding`, and list special tokens of its own under `added_tokens_decoder`.
//!
//! Source: <https://github.com/openai/tiktoken/blob/main/tiktoken/load.py>, and `TikTokenConverter` of
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py>.

mod encodings;
mod ranks;

use std::path::Path;

use serde_json::{Map, Value, json};

use self::encodings::Encoding;
use crate::added_tokens;
use crate::definition;
use crate::error::TokenizerError;
use crate::gguf::merges::{self, Piece};
use crate::load::{CONFIG, wrong_key};

pub(crate) use ranks::looks_like;

/// Key of the encoding in a `tokenizer_config.json`.
const KEY: &str = "tiktoken_encoding";

/// Reads a file as the definition that a `tokenizer.json` would hold, and puts into `config` what the encoding says of special tokens and a
/// `tokenizer_config.json` beside it does not.
///
/// # Errors
/// One variant for each way in which the lines can be wrong, and [`TokenizerError::TiktokenEncoding`] for ranks of no known encoding.
pub(crate) fn read(
    bytes: &[u8],
    path: &Path,
    config: &mut Map<String, Value>,
) -> Result<Value, TokenizerError> {
    let ranks = ranks::read(bytes, path)?;
    let encoding = match config.get(KEY) {
        None => encodings::of_size(ranks.len()),
        Some(name) => {
            let known = name.as_str().and_then(encodings::named);
            let wrong = || wrong_key(&path.with_file_name(CONFIG), KEY, encodings::EXPECTED);
            Some(known.ok_or_else(wrong)?)
        }
    };
    let encoding = encoding.ok_or_else(|| TokenizerError::TiktokenEncoding {
        path: path.to_owned(),
        ranks: ranks.len(),
        known: encodings::names(),
    })?;
    let special = match added_tokens::of_config(config, path)? {
        Some(listed) => listed
            .into_iter()
            .map(|token| (token.id, token.text, token.special))
            .collect(),
        None if encoding.ranks == ranks.len() => encoding.special(),
        None => Vec::new(),
    };
    make(&ranks, encoding, special, path, config)
}

fn make(
    ranks: &ranks::Ranks,
    encoding: &Encoding,
    special: Vec<(u32, String, bool)>,
    path: &Path,
    config: &mut Map<String, Value>,
) -> Result<Value, TokenizerError> {
    let pieces: Vec<_> = ranks
        .iter()
        .map(|(text, id)| Piece {
            text,
            id: *id as usize,
            // Ranks are far below the numbers that single precision leaves out.
            score: -(*id as f32),
        })
        .collect();
    let merges = merges::from_scores(&pieces).ok_or_else(|| {
        wrong_key(
            path,
            "the file",
            "ranks of text; these are so long and alike that there is no end to the merges",
        )
    })?;
    let merges = merges.into_iter();
    let halves =
        |(left, right): (usize, usize)| [left, right].map(|half| pieces[half].text.to_owned());

    let mut vocab: Map<_, _> = ranks
        .iter()
        .map(|(text, id)| (text.clone(), json!(id)))
        .collect();
    let mut added = Vec::new();
    for (id, text, special) in &special {
        // In the vocabulary a token may have any id, beside it the next one alone.
        vocab.insert(text.clone(), json!(id));
        added.push(definition::added_token(*id, text, *special));
    }
    ranks::check_gaps(&vocab, ranks, path)?;
    let id_of = |token: Option<&'static str>| {
        let token = token?;
        Some((u32::try_from(vocab.get(token)?.as_u64()?).ok()?, token))
    };
    for (key, token) in [("bos_token", encoding.bos), ("eos_token", encoding.eos)] {
        let token = id_of(token).map(|(_, token)| token);
        config.entry(key).or_insert_with(|| json!(token));
    }
    let before = id_of(encoding.bos).filter(|_| encoding.begins_texts);
    let template = definition::template(before, None);
    let mut definition = definition::bpe(added, vocab, merges.map(halves).collect());
    definition["model"]["ignore_merges"] = json!(true);
    definition["pre_tokenizer"] = encoding.pre_tokenizer();
    definition["decoder"] = definition::byte_level(true);
    definition["post_processor"] = template;
    Ok(definition)
}

/// A token as a byte-level vocabulary spells it.
fn spell(bytes: &[u8]) -> String {
    bytes
        .iter()
        .copied()
        .map(crate::byte_level::symbol)
        .collect()
}
