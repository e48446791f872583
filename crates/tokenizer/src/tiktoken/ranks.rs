//! The lines of a file of ranks.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::TokenizerError;

/// Tokens as a byte-level vocabulary spells them, and their ids; each has its own.
pub(super) type Ranks = Vec<(String, u32)>;

/// Most that a rank may be: more than any vocabulary has, and little enough to be exact in single precision.
const MOST: u32 = 1 << 23;

/// Whether bytes begin with a line of a file of ranks.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = std::str::from_utf8(first).ok();
    first.is_some_and(|line| token(line.trim_end()).is_ok())
}

/// Reads all lines.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Ranks, TokenizerError> {
    let text = std::str::from_utf8(bytes).map_err(|source| TokenizerError::NotUtf8 {
        path: path.to_owned(),
        position: source.valid_up_to(),
        source,
    })?;
    let wrong = |index: usize, expected| TokenizerError::TiktokenLine {
        path: path.to_owned(),
        line: index + 1,
        expected,
    };
    let mut ranks = Ranks::new();
    let mut lines: HashMap<u32, usize> = HashMap::new();
    let mut texts = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (bytes, rank) = token(line.trim_end()).map_err(|expected| wrong(index, expected))?;
        if lines.insert(rank, index).is_some() {
            return Err(wrong(index, "a rank that no line before has"));
        }
        let text = super::spell(&bytes);
        if !texts.insert(text.clone()) {
            return Err(wrong(index, "a token that no line before has"));
        }
        ranks.push((text, rank));
    }
    for byte in 0..=u8::MAX {
        if !texts.contains(&super::spell(&[byte])) {
            return Err(TokenizerError::TiktokenByte {
                path: path.to_owned(),
                byte,
            });
        }
    }
    ranks.sort_by_key(|(_, rank)| *rank);
    Ok(ranks)
}

/// Checks that every id below the highest rank has a token, and that no token has two ids.
pub(super) fn check_gaps(
    vocab: &Map<String, Value>,
    ranks: &Ranks,
    path: &Path,
) -> Result<(), TokenizerError> {
    let ids: HashSet<u64> = vocab.values().filter_map(Value::as_u64).collect();
    let highest = ranks.last().map_or(0, |(_, rank)| *rank);
    let changed = ranks.iter().find(|(text, rank)| vocab[text] != *rank);
    if let Some((text, _)) = changed {
        return Err(TokenizerError::ExtendToken {
            token: text.clone(),
            reason: "it is in the vocabulary",
        });
    }
    match (0..highest).find(|rank| !ids.contains(&u64::from(*rank))) {
        None => Ok(()),
        Some(rank) => Err(TokenizerError::TiktokenGap {
            path: path.to_owned(),
            rank,
        }),
    }
}

/// The token and the rank of a line, or what belongs there.
fn token(line: &str) -> Result<(Vec<u8>, u32), &'static str> {
    let (token, rank) = line
        .split_once(' ')
        .ok_or("a token in base64, a space and a rank")?;
    let bytes = STANDARD
        .decode(token)
        .map_err(|_| "a token in base64 before the space")?;
    let rank = rank.parse().ok().filter(|rank| *rank < MOST);
    let rank = rank.ok_or("a rank below 8388608 after the space")?;
    if bytes.is_empty() {
        return Err("a token that is not empty");
    }
    Ok((bytes, rank))
}
