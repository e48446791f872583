//! Reading tokenizers that were made elsewhere, or here and saved.
//!
//! Here are the files; what becomes of their content stands in `assemble`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::added_tokens;
use crate::assemble::{assemble, sizes};
use crate::chat::Templates;
use crate::content::{self, Content};
use crate::error::TokenizerError;
use crate::openai_files;
use crate::sentencepiece;
use crate::tiktoken;
use crate::tokenizer::Tokenizer;

/// Name of the file that defines a tokenizer.
pub(crate) const DEFINITION: &str = "tokenizer.json";
/// Name of a file of SentencePiece, or of tiktoken ranks.
const MODEL: &str = "tokenizer.model";
/// Name of the file that transformers keeps beside it.
pub(crate) const CONFIG: &str = "tokenizer_config.json";

impl Tokenizer {
    /// Loads a `tokenizer.json`; one of the pairs `encoder.json` and `vocab.bpe`, `vocab.json` and `merges.txt`, or `encoder_bpe_40000.json` and
    /// `vocab_40000.bpe`, of which either file may be named; or whatever of these, and then a `tokenizer.model`, a folder holds, in this
    /// order. Files of other names are told apart by their content: a `tokenizer.json`, a `.model` of SentencePiece (BPE or unigram), or
    /// ranks of tiktoken, which may be called `.model` too. A file whose name ends with `.bin` is a tokenizer of llama2.c.
    ///
    /// What a `.model` or a file of ranks leaves open stands in a `tokenizer_config.json` beside it: special tokens, `add_bos_token`,
    /// `add_eos_token`, chat templates. Without it a BPE of SentencePiece begins texts with its token for that, and a unigram does not.
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
            let model = path.join(MODEL);
            return match openai_files::find(path) {
                None if model.exists() => load_by_content(&model),
                Some((vocab, merges)) => load_pair(&vocab, &merges),
                None => Err(TokenizerError::NoTokenizer {
                    folder: path.to_owned(),
                    looked_for: "tokenizer.json, encoder.json with vocab.bpe, vocab.json with merges.txt, encoder_bpe_40000.json with vocab_40000.bpe, tokenizer.model",
                }),
            };
        }
        if path.extension().is_some_and(|extension| extension == "bin") {
            return Self::from_llama2c(path);
        }
        match openai_files::pair_of(path) {
            Some((vocab, merges)) => load_pair(&vocab, &merges),
            None => load_by_content(path),
        }
    }

    /// A tokenizer from a definition that this crate has written itself.
    pub(crate) fn made_here(definition: Value) -> Result<Self, tokenizers::Error> {
        let (path, templates) = (Path::new(DEFINITION), Templates::default());
        Ok(assemble(definition, path, Map::new(), templates)?)
    }
}

/// Loads a file that its name tells nothing of.
fn load_by_content(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let bytes = read_bytes(path)?;
    match content::recognise(&bytes, path)? {
        Content::Json => assemble_with_neighbours(json_of(bytes, path)?, path),
        Content::SentencePiece => {
            let mut config = read_config(path)?;
            let templates = Templates::read(path, &mut config)?;
            let mut definition = sentencepiece::read(&bytes, path, &mut config)?;
            let (pieces, _) = sizes(&definition["model"]["vocab"]);
            added_tokens::append(&mut definition, &config, pieces, path)?;
            assemble(definition, path, config, templates)
        }
        Content::Ranks => {
            let mut config = read_config(path)?;
            let templates = Templates::read(path, &mut config)?;
            let definition = tiktoken::read(&bytes, path, &mut config)?;
            assemble(definition, path, config, templates)
        }
    }
}

fn load_definition(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let definition = read_json(path)?;
    assemble_with_neighbours(definition, path)
}

fn load_pair(vocab: &Path, merges: &Path) -> Result<Tokenizer, TokenizerError> {
    let definition = openai_files::read(vocab, merges)?;
    assemble_with_neighbours(definition, vocab)
}

/// Makes the tokenizer of a definition read from `path`, with what the files beside it say.
fn assemble_with_neighbours(definition: Value, path: &Path) -> Result<Tokenizer, TokenizerError> {
    let mut config = read_config(path)?;
    let templates = Templates::read(path, &mut config)?;
    assemble(definition, path, config, templates)
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
    text_of(read_bytes(path)?, path)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    fs::read(path).map_err(|source| TokenizerError::Read {
        path: path.to_owned(),
        source,
    })
}

fn text_of(bytes: Vec<u8>, path: &Path) -> Result<String, TokenizerError> {
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
    json_of(read_bytes(path)?, path)
}

fn json_of(bytes: Vec<u8>, path: &Path) -> Result<Value, TokenizerError> {
    let text = text_of(bytes, path)?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    serde_json::from_str(text).map_err(|source| TokenizerError::Json {
        path: path.to_owned(),
        line: source.line(),
        column: source.column(),
        source,
    })
}

pub(crate) fn wrong_key(path: &Path, key: &str, expected: &'static str) -> TokenizerError {
    TokenizerError::Key {
        path: path.to_owned(),
        key: key.to_owned(),
        expected,
    }
}
