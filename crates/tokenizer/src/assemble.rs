//! From a definition to a tokenizer.
//!
//! A definition is checked before the `tokenizers` crate sees it: that crate takes malformed parts for reasons to panic, numbers added
//! tokens as it likes, and cuts texts short when the file says so. What a `tokenizer_config.json` beside the file says of the first and last
//! token of a text goes before the well-known names.

use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value};
use tokenizers::{AddedToken, ModelWrapper};

use crate::characters::Characters;
use crate::chat::Templates;
use crate::engine;
use crate::error::TokenizerError;
use crate::load::{CONFIG, wrong_key};
use crate::pieces::Pieces;
use crate::sentencepiece::{Sentences, Settings};
use crate::tokenizer::{Encoder, Engine, Inner, Tokenizer};
use crate::words::Words;

/// Names of the token that begins a text, the first one found counts.
const KNOWN_BOS: [&str; 3] = ["<s>", "<|begin_of_text|>", Tokenizer::END_OF_TEXT];
/// Names of the token that ends a text.
const KNOWN_EOS: [&str; 3] = ["</s>", "<|end_of_text|>", Tokenizer::END_OF_TEXT];

/// Makes the tokenizer of a definition read from `path`.
pub(crate) fn assemble(
    mut definition: Value,
    path: &Path,
    config: Map<String, Value>,
    templates: Templates,
) -> Result<Tokenizer, TokenizerError> {
    let Some(parts) = definition.as_object_mut() else {
        return Err(wrong_key(path, "the file", "a JSON object"));
    };
    // A tokenizer that cuts or fills its texts would do so without a word.
    parts.insert("truncation".to_owned(), Value::Null);
    parts.insert("padding".to_owned(), Value::Null);
    check_model(&definition, path)?;
    let model = &definition["model"];
    let no_merges = model["merges"].as_array().is_some_and(Vec::is_empty);
    let (tokens, rows) = sizes(&model["vocab"]);
    // Mostly it is the library that writes the canonical text, but it complains on stdout about a vocabulary with holes.
    let settings = Settings::of(&definition, path)?;
    // And it does not know the settings.
    let as_read = (tokens < rows || settings.is_some()).then(|| definition.to_string());
    let sentences = settings.as_ref();
    let sentences = sentences.map(|settings| Sentences::new(&definition, settings, path));
    let sentences = sentences.transpose()?;

    let failed = |source| TokenizerError::Definition {
        path: path.to_owned(),
        source,
    };
    let mut engine = engine::read(&mut definition).map_err(failed)?;
    check_added_tokens(&definition, &engine, path)?;
    let pieces = match &settings {
        Some(settings) => {
            let byte_fallback = definition["model"]["byte_fallback"] == true;
            Ok(Pieces::of_sentences(settings, byte_fallback))
        }
        None => Pieces::new(engine.get_decoder()),
    };
    let pieces = pieces.map_err(|decoder| TokenizerError::Decoder {
        path: path.to_owned(),
        decoder: decoder.to_owned(),
    })?;

    let bos = boundary(&config, "bos_token", &KNOWN_BOS, &mut engine, path)?;
    let eos = boundary(&config, "eos_token", &KNOWN_EOS, &mut engine, path)?;
    let added = engine.get_added_tokens_decoder().into_keys().max();
    let vocab_size = added.map_or(0, |id| id as usize + 1).max(rows);
    let special = special_ids(&engine);
    let parts = engine::parts(&engine).map_err(|error| failed(error.into()))?;
    let characters = || Characters::recognise(&parts, engine.get_model());
    let encoder = if let Some(sentences) = sentences {
        Encoder::Sentences(Box::new(sentences.with_added(&engine)))
    } else if let Some(characters) = no_merges.then(characters).flatten() {
        Encoder::Characters(characters)
    } else if let Some(words) = Words::recognise(&parts, engine.get_model()) {
        Encoder::Words(words)
    } else {
        let mut plain = engine.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        Encoder::Library(Box::new(plain))
    };
    let unknown = match engine.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.clone(),
        ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
        ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
        ModelWrapper::Unigram(_) => definition["model"]["unk_id"]
            .as_u64()
            .and_then(|id| engine.id_to_token(u32::try_from(id).ok()?)),
    };
    let inner = Inner {
        unknown: unknown.and_then(|token| engine.token_to_id(&token)),
        engine,
        encoder,
        pieces,
        special,
        vocab_size,
        bos,
        eos,
        config,
        definition: as_read.map_or_else(OnceLock::new, OnceLock::from),
        hash: OnceLock::new(),
    };
    Ok(Tokenizer::new(inner, templates))
}

/// Number of the tokens of a vocabulary, and its highest id plus one.
pub(crate) fn sizes(vocab: &Value) -> (usize, usize) {
    match vocab {
        Value::Object(tokens) => {
            // `check_vocab` has seen that ids are such numbers.
            let ids = tokens.values().filter_map(Value::as_u64);
            let highest = ids.max().and_then(|id| usize::try_from(id).ok());
            (tokens.len(), highest.map_or(0, |id| id + 1))
        }
        // Tokens with their scores, in which a token listed twice has the last of its ids.
        Value::Array(tokens) => {
            let distinct: HashSet<_> = tokens.iter().map(|token| token[0].as_str()).collect();
            (distinct.len(), tokens.len())
        }
        _ => (0, 0),
    }
}

/// Ids of the tokens that text must not become and decoding leaves out.
fn special_ids(engine: &Engine) -> HashSet<u32> {
    let added = engine.get_added_tokens_decoder();
    let special = added.into_iter().filter(|(_, token)| token.special);
    special.map(|(id, _)| id).collect()
}

/// Checks what the library would panic on, or take without a word.
fn check_model(definition: &Value, path: &Path) -> Result<(), TokenizerError> {
    let model = &definition["model"];
    if !model.is_object() {
        return Err(wrong_key(path, "model", "a JSON object"));
    }
    if let Some(vocab) = model["vocab"].as_object() {
        check_vocab(vocab, "model.vocab", path)?;
    }
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("");
    let merges = model["merges"].as_array().map_or(&[][..], Vec::as_slice);
    if model["type"] != "WordPiece" && !prefix.is_empty() {
        // The library cuts as many bytes as the prefix has off the second half of each merge.
        let fits = |merge: &Value| {
            let second = match merge {
                Value::String(pair) => pair.split_once(' ').map(|(_, second)| second),
                other => other[1].as_str(),
            };
            second.is_none_or(|second| second.starts_with(prefix))
        };
        if !merges.iter().all(fits) {
            let expected = "pairs whose second half begins with continuing_subword_prefix";
            return Err(wrong_key(path, "model.merges", expected));
        }
    }
    Ok(())
}

/// Checks that each token has an id, and one of its own.
pub(crate) fn check_vocab(
    vocab: &Map<String, Value>,
    key: &str,
    path: &Path,
) -> Result<(), TokenizerError> {
    let mut tokens = Vec::with_capacity(vocab.len());
    for (token, id) in vocab {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let Some(id) = id else {
            let key = format!("{key}[{token:?}]");
            return Err(wrong_key(path, &key, "a token id, a whole number from 0"));
        };
        tokens.push((id, token));
    }
    tokens.sort_by_key(|(id, _)| *id);
    match tokens.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(()),
        Some(pair) => Err(TokenizerError::DuplicateId {
            path: path.to_owned(),
            id: pair[0].0,
            first: pair[0].1.clone(),
            second: pair[1].1.clone(),
        }),
    }
}

/// Checks that the added tokens have the ids that the file lists.
fn check_added_tokens(
    definition: &Value,
    engine: &Engine,
    path: &Path,
) -> Result<(), TokenizerError> {
    let added = definition["added_tokens"].as_array();
    for token in added.map_or(&[][..], Vec::as_slice) {
        let (Some(content), Some(listed)) = (token["content"].as_str(), token["id"].as_u64())
        else {
            continue;
        };
        // The library passes over a token without text.
        let Some(actual) = engine.token_to_id(content) else {
            continue;
        };
        let listed = u32::try_from(listed).unwrap_or(u32::MAX);
        if listed != actual {
            return Err(TokenizerError::AddedTokenId {
                path: path.to_owned(),
                token: content.to_owned(),
                listed,
                actual,
            });
        }
    }
    Ok(())
}

/// Id of the token that begins or ends a text: the one that the configuration names, else the first of the well-known that is special.
fn boundary(
    config: &Map<String, Value>,
    key: &'static str,
    known: &[&str],
    engine: &mut Engine,
    path: &Path,
) -> Result<Option<u32>, TokenizerError> {
    let path = path.with_file_name(CONFIG);
    let name = match config.get(key) {
        None => {
            let special = special_ids(engine);
            let ids = known.iter().filter_map(|name| engine.token_to_id(name));
            return Ok(ids.into_iter().find(|id| special.contains(id)));
        }
        Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => name,
        Some(other) => other["content"]
            .as_str()
            .ok_or_else(|| wrong_key(&path, key, "a token, null, or an object with content"))?,
    };
    let Some(id) = engine.token_to_id(name) else {
        return Err(TokenizerError::NamedToken {
            path,
            key,
            token: name.to_owned(),
        });
    };
    if !special_ids(engine).contains(&id) {
        // transformers takes the tokens named there for special ones as well.
        engine.add_special_tokens(&[AddedToken::from(name, true)]);
    }
    Ok(Some(id))
}
