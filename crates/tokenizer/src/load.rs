//! Reading tokenizers that were made elsewhere, or here and saved.
//!
//! A `tokenizer.json` is checked before the `tokenizers` crate sees it: that crate takes malformed parts for reasons to panic, numbers added
//! tokens as it likes, and cuts texts short when the file says so. What a `tokenizer_config.json` beside the file says of the first and last
//! token of a text goes before the well-known names.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{AddedToken, Model, ModelWrapper};

use crate::characters::Characters;
use crate::error::TokenizerError;
use crate::gpt2_files;
use crate::pieces::Pieces;
use crate::tokenizer::{Encoder, Engine, Inner, Tokenizer};
use crate::words::Words;

/// Name of the file that defines a tokenizer.
pub(crate) const DEFINITION: &str = "tokenizer.json";
/// Name of the file that transformers keeps beside it.
pub(crate) const CONFIG: &str = "tokenizer_config.json";

/// Names of the token that begins a text, the first one found counts.
const KNOWN_BOS: [&str; 3] = ["<s>", "<|begin_of_text|>", Tokenizer::END_OF_TEXT];
/// Names of the token that ends a text.
const KNOWN_EOS: [&str; 3] = ["</s>", "<|end_of_text|>", Tokenizer::END_OF_TEXT];

impl Tokenizer {
    /// Loads a `tokenizer.json`; one of the pairs `encoder.json` and `vocab.bpe`, or `vocab.json` and `merges.txt`, of which either file may be
    /// named; or whatever of these a folder holds, in this order.
    ///
    /// # Errors
    /// One variant for each way in which the files can be missing, unreadable, malformed or at odds with each other.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let metadata = fs::metadata(path).map_err(|source| TokenizerError::Read {
            path: path.to_owned(),
            source,
        })?;
        if metadata.is_dir() {
            let file = path.join(DEFINITION);
            if file.exists() {
                return load_definition(&file);
            }
            return match gpt2_files::find(path) {
                Some((vocab, merges)) => load_pair(&vocab, &merges),
                None => Err(TokenizerError::NoTokenizer {
                    folder: path.to_owned(),
                    looked_for: "tokenizer.json, encoder.json with vocab.bpe, vocab.json with merges.txt",
                }),
            };
        }
        match gpt2_files::pair_of(path) {
            Some((vocab, merges)) => load_pair(&vocab, &merges),
            None => load_definition(path),
        }
    }

    /// A tokenizer from a definition that this crate has written itself.
    pub(crate) fn made_here(definition: Value) -> Result<Self, tokenizers::Error> {
        Ok(assemble(definition, Path::new(DEFINITION), Map::new())?)
    }
}

fn load_definition(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let definition = read_json(path)?;
    assemble(definition, path, read_config(path)?)
}

fn load_pair(vocab: &Path, merges: &Path) -> Result<Tokenizer, TokenizerError> {
    let definition = gpt2_files::read(vocab, merges)?;
    assemble(definition, vocab, read_config(vocab)?)
}

/// Reads the `tokenizer_config.json` beside `path`; empty where there is none.
fn read_config(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    let path = path.with_file_name(CONFIG);
    if !path.exists() {
        return Ok(Map::new());
    }
    match read_json(&path)? {
        Value::Object(config) => Ok(config),
        _ => Err(wrong_key(&path, "the file", "a JSON object")),
    }
}

/// Reads a file as text.
pub(crate) fn read_text(path: &Path) -> Result<String, TokenizerError> {
    let bytes = fs::read(path).map_err(|source| TokenizerError::Read {
        path: path.to_owned(),
        source,
    })?;
    if bytes.trim_ascii().is_empty() {
        return Err(TokenizerError::Empty {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| TokenizerError::NotUtf8 {
        path: path.to_owned(),
        position: error.utf8_error().valid_up_to(),
        source: error.utf8_error(),
    })
}

/// Reads a file as JSON.
pub(crate) fn read_json(path: &Path) -> Result<Value, TokenizerError> {
    let text = read_text(path)?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    serde_json::from_str(text).map_err(|source| TokenizerError::Json {
        path: path.to_owned(),
        line: source.line(),
        column: source.column(),
        source,
    })
}

/// Makes the tokenizer of a definition read from `path`.
fn assemble(
    mut definition: Value,
    path: &Path,
    config: Map<String, Value>,
) -> Result<Tokenizer, TokenizerError> {
    let Some(parts) = definition.as_object_mut() else {
        return Err(wrong_key(path, "the file", "a JSON object"));
    };
    // A tokenizer that cuts or fills its texts would do so without a word.
    parts.insert("truncation".to_owned(), Value::Null);
    parts.insert("padding".to_owned(), Value::Null);
    check_model(&definition, path)?;

    let mut engine =
        Engine::deserialize(&definition).map_err(|error| TokenizerError::Definition {
            path: path.to_owned(),
            source: error.into(),
        })?;
    check_added_tokens(&definition, &engine, path)?;
    let pieces = Pieces::new(engine.get_decoder()).map_err(|decoder| TokenizerError::Decoder {
        path: path.to_owned(),
        decoder: decoder.to_owned(),
    })?;

    let bos = boundary(&config, "bos_token", &KNOWN_BOS, &mut engine, path)?;
    let eos = boundary(&config, "eos_token", &KNOWN_EOS, &mut engine, path)?;
    let vocab = engine.get_vocab(true);
    let vocab_size = vocab.values().max().map_or(0, |id| *id as usize + 1);
    let special = special_ids(&engine);

    // The library writes the canonical text, but complains on stdout about a vocabulary with holes.
    let whole = engine.get_model().get_vocab();
    let whole = whole
        .values()
        .max()
        .is_none_or(|id| *id as usize + 1 == whole.len());
    let failed = |source| TokenizerError::Definition {
        path: path.to_owned(),
        source,
    };
    let text = if whole {
        let text = engine.to_string(false).map_err(failed)?;
        definition = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        text
    } else {
        definition.to_string()
    };

    let encoder = if let Some(characters) = Characters::recognise(&definition) {
        Encoder::Characters(characters)
    } else if let Some(words) = Words::recognise(&definition) {
        Encoder::Words(words)
    } else {
        let mut plain = engine.clone();
        plain.set_encode_special_tokens(true);
        Encoder::Engine(Box::new(plain))
    };
    let unknown = match engine.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.clone(),
        ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
        ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
        ModelWrapper::Unigram(_) => definition["model"]["unk_id"]
            .as_u64()
            .and_then(|id| engine.id_to_token(u32::try_from(id).ok()?)),
    };
    Ok(Tokenizer::new(Inner {
        unknown: unknown.and_then(|token| engine.token_to_id(&token)),
        engine,
        encoder,
        pieces,
        special,
        vocab_size,
        bos,
        eos,
        config,
        definition: text,
        hash: OnceLock::new(),
    }))
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
    let mut tokens: HashMap<u32, &String> = HashMap::with_capacity(vocab.len());
    for (token, id) in vocab {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let Some(id) = id else {
            let key = format!("{key}[{token:?}]");
            return Err(wrong_key(path, &key, "a token id, a whole number from 0"));
        };
        if let Some(first) = tokens.insert(id, token) {
            return Err(TokenizerError::DuplicateId {
                path: path.to_owned(),
                id,
                first: first.clone(),
                second: token.clone(),
            });
        }
    }
    Ok(())
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

fn wrong_key(path: &Path, key: &str, expected: &'static str) -> TokenizerError {
    TokenizerError::Key {
        path: path.to_owned(),
        key: key.to_owned(),
        expected,
    }
}
