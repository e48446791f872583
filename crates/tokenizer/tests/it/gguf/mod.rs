//! Vocabularies for GGUF files, with llama.cpp and the gguf package of Python as oracles.
//!
//! `xtask/golden/gguf_vocabularies.py` writes the golden file: it hands the vocabularies that this crate makes to llama.cpp, and keeps a digest
//! of each so that a change here is seen to need it again.
mod damage;
mod llama_cpp;
mod round_trip;
mod unfit;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use llm_tokenizer::{GgufVocabulary, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{TEXT, bpe, data_dir};

#[derive(Deserialize)]
struct Golden {
    /// What the small tokenizers are trained on.
    text: String,
    /// What is encoded, where a case does not say otherwise.
    texts: Vec<String>,
    small: Vec<Small>,
    theirs: Vec<Theirs>,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Small {
    name: String,
    made: String,
    definition: Option<Value>,
    sha256: String,
    begins_with_bos: bool,
    texts: Option<Vec<String>>,
    ids: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Theirs {
    vocabulary: GgufVocabulary,
    ids: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Data {
    tokenizer: String,
    sha256: String,
    begins_with_bos: bool,
    ids: Vec<Vec<u32>>,
    files: HashMap<String, FileIds>,
}

#[derive(Deserialize)]
struct FileIds {
    n_ids: usize,
    sha256: String,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../golden/gguf_vocabularies.json")).unwrap()
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vocabulary(tokenizer: &Tokenizer) -> GgufVocabulary {
    tokenizer.to_gguf(tokenizer.vocab_size()).unwrap()
}

fn read(vocabulary: GgufVocabulary) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_gguf(vocabulary, Path::new("model.gguf"))
}

/// Loads a `tokenizer.json` with this content.
fn load(definition: &Value) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::write(&path, definition.to_string()).unwrap();
    Tokenizer::load(&path).unwrap()
}

impl Small {
    fn tokenizer(&self, golden: &Golden) -> Tokenizer {
        let lines = golden.text.split_inclusive('\n').map(str::to_owned);
        match self.made.as_str() {
            "bpe" => Tokenizer::train_bpe(lines, 340).unwrap(),
            "characters" => Tokenizer::train_characters([&golden.text]).unwrap(),
            _ => load(self.definition.as_ref().unwrap()),
        }
    }
}

/// The `tokenizer.json` that a tokenizer is saved as.
fn definition(tokenizer: &Tokenizer) -> Value {
    saved(tokenizer, "tokenizer.json")
}

fn saved(tokenizer: &Tokenizer, name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    serde_json::from_str(&fs::read_to_string(folder.path().join(name)).unwrap()).unwrap()
}

/// A vocabulary of the kind `llama` with all bytes and these pieces.
fn pieces(pieces: &[(&str, f32)]) -> GgufVocabulary {
    let mut vocabulary = GgufVocabulary {
        model: "llama".to_owned(),
        tokens: vec!["<unk>".to_owned(), "<s>".to_owned()],
        token_types: vec![2, 3],
        scores: vec![0.0; 2],
        bos: Some(1),
        unknown: Some(0),
        ..GgufVocabulary::default()
    };
    for byte in 0..256 {
        vocabulary.tokens.push(format!("<0x{byte:02X}>"));
        vocabulary.token_types.push(6);
        vocabulary.scores.push(0.0);
    }
    for (piece, score) in pieces {
        vocabulary.tokens.push((*piece).to_owned());
        vocabulary.token_types.push(1);
        vocabulary.scores.push(*score);
    }
    vocabulary
}
