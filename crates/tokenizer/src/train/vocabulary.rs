//! The vocabulary that a BPE starts from, and the definition that it ends as.

use serde_json::{Map, Value};

use super::merge::Learned;
use super::options::TieBreak;
use crate::byte_level;
use crate::definition;
use crate::split::Splitter;

/// Special tokens and bytes with their ids.
pub(super) struct Alphabet {
    pub(super) special: Vec<String>,
    /// The bytes in the order of their ids.
    bytes: [u8; 256],
    /// Id of each byte.
    ids: [u32; 256],
}

impl Alphabet {
    pub(super) fn new(special: &[String], ties: TieBreak) -> Self {
        let mut bytes = std::array::from_fn(|byte| byte as u8);
        if ties != TieBreak::FirstInText {
            bytes.sort_by_key(|byte| byte_level::symbol(*byte));
        }
        let mut ids = [0; 256];
        for (id, byte) in (0..).zip(bytes) {
            ids[usize::from(byte)] = id + special.len() as u32;
        }
        Self {
            special: special.to_vec(),
            bytes,
            ids,
        }
    }

    /// Number of special tokens; the bytes follow them.
    pub(super) fn n_special(&self) -> usize {
        self.special.len()
    }

    pub(super) fn id(&self, byte: u8) -> u32 {
        self.ids[usize::from(byte)]
    }

    /// The bytes in the order of their ids.
    pub(super) fn bytes(&self) -> [u8; 256] {
        self.bytes
    }

    /// Bytes that a vocabulary would write like a special token.
    pub(super) fn reserved(&self) -> impl Iterator<Item = Vec<u8>> {
        let bytes = |token: &String| token.chars().map(byte_level::byte).collect();
        self.special.iter().filter_map(bytes)
    }
}

/// The definition of a tokenizer.
pub(super) fn definition(alphabet: &Alphabet, learned: &Learned, splitter: &Splitter) -> Value {
    let spell =
        |bytes: &[u8]| -> String { bytes.iter().copied().map(byte_level::symbol).collect() };
    let n_special = alphabet.n_special();
    let tokens: Vec<String> = learned
        .tokens
        .iter()
        .enumerate()
        .map(|(id, bytes)| match alphabet.special.get(id) {
            Some(token) => token.clone(),
            None => spell(bytes),
        })
        .collect();
    let mut vocab = Map::new();
    for (id, token) in tokens.iter().enumerate() {
        vocab.insert(token.clone(), Value::from(id));
    }
    let token = |id: u32| tokens[id as usize].clone();
    let merges = learned.merges.iter();
    let merges = merges.map(|(left, right)| [token(*left), token(*right)]);
    let added = (0..).zip(&tokens[..n_special]);
    let added = added.map(|(id, token)| definition::added_token(id, token, true));
    let mut definition = definition::bpe(added.collect(), vocab, merges.collect());
    definition["pre_tokenizer"] = splitter.pre_tokenizer();
    definition["decoder"] = definition::byte_level(true);
    definition
}
