//! Tokenizers of llama2.c: for each token its score and its bytes, one after the other.
//!
//! They are vocabularies of SentencePiece in which a space is written as such, and the tokens that begin and end a text stand between line
//! ends, for printing. The first three ids are unknown, begin and end.
//!
//! Source: Karpathy, llama2.c, `tokenizer.py` (`export`).

use std::fs;
use std::path::Path;

use crate::error::TokenizerError;
use crate::gguf::GgufVocabulary;
use crate::tokenizer::Tokenizer;

/// Texts of the first three tokens.
const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];

impl Tokenizer {
    /// Reads a `tokenizer.bin` of llama2.c.
    ///
    /// # Errors
    /// Names the file that can't be read or does not hold whole tokens.
    pub(crate) fn from_llama2c(path: &Path) -> Result<Self, TokenizerError> {
        let bytes = fs::read(path).map_err(|source| TokenizerError::Read {
            path: path.to_owned(),
            source,
        })?;
        let (tokens, scores) = tokens(&bytes).ok_or_else(|| TokenizerError::Llama2c {
            path: path.to_owned(),
        })?;
        let kind = |(id, token): (usize, &String)| match id {
            0 => 2,
            1 | 2 => 3,
            _ if token.starts_with("<0x") && token.len() == 6 => 6,
            _ => 1,
        };
        let token_types = tokens.iter().enumerate().map(kind).collect();
        let vocabulary = GgufVocabulary {
            model: "llama".to_owned(),
            tokens,
            scores,
            token_types,
            bos: Some(1),
            eos: Some(2),
            unknown: Some(0),
            add_bos: Some(true),
            add_space_prefix: Some(true),
            ..GgufVocabulary::default()
        };
        Self::from_gguf(vocabulary, path)
    }
}

/// Tokens as SentencePiece spells them, and their scores; `None` where a token is cut short.
fn tokens(bytes: &[u8]) -> Option<(Vec<String>, Vec<f32>)> {
    // First the length of the longest token, which only a reader in C needs.
    let mut rest = bytes.get(4..)?;
    let (mut tokens, mut scores) = (Vec::new(), Vec::new());
    while let Some((score, after)) = rest.split_first_chunk::<4>() {
        let (len, after) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(i32::from_le_bytes(*len)).ok()?;
        let (token, after) = after.split_at_checked(len)?;
        let token = std::str::from_utf8(token).ok()?;
        tokens.push(match SPECIAL.get(tokens.len()) {
            Some(special) => (*special).to_owned(),
            None => token.replace(' ', "▁"),
        });
        scores.push(f32::from_le_bytes(*score));
        rest = after;
    }
    (rest.is_empty() && tokens.len() > SPECIAL.len()).then_some((tokens, scores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_whole_tokens_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.bin");
        let mut bytes = 5i32.to_le_bytes().to_vec();
        for token in ["<unk>", "\n<s>\n", "\n</s>\n", "a", " b"] {
            bytes.extend((-(bytes.len() as f32)).to_le_bytes());
            bytes.extend((token.len() as i32).to_le_bytes());
            bytes.extend(token.as_bytes());
        }
        fs::write(&path, &bytes).unwrap();
        let tokenizer = Tokenizer::from_llama2c(&path).unwrap();
        assert_eq!(tokenizer.token(4).as_deref(), Some("▁b"));
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
        for len in [0, 3, 4, 12, bytes.len() - 1] {
            fs::write(&path, &bytes[..len]).unwrap();
            let error = Tokenizer::from_llama2c(&path).unwrap_err().to_string();
            assert!(error.contains("tokenizer.bin"), "{len}: {error}");
        }
        bytes[4 + 4..4 + 8].copy_from_slice(&(-1i32).to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        assert!(Tokenizer::from_llama2c(&path).is_err());
    }
}
