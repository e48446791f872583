//! The `[tokenizer]` table of the configuration: which tokenizer a run makes or loads.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::TokenizerError;
use crate::train::SMALLEST_BPE;

/// How a run comes by its tokenizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// One token per distinct character of the training text.
    #[default]
    Character,
    /// Byte-level byte-pair encoding, trained on the training text.
    Bpe,
    /// A tokenizer made elsewhere, read from [`TokenizerConfig::path`].
    File,
}

/// The `[tokenizer]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizerConfig {
    /// How the tokenizer is made.
    pub kind: TokenizerKind,
    /// Tokens a trained BPE has, special tokens and the 256 bytes included. Read for kind `bpe` only.
    pub vocab_size: usize,
    /// File or folder to load, for kind `file` only; see [`Tokenizer::load`](crate::Tokenizer::load).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self {
            kind: TokenizerKind::Character,
            vocab_size: 1024,
            path: None,
        }
    }
}

impl TokenizerConfig {
    /// Checks the rules between the keys.
    ///
    /// # Errors
    /// Kind `bpe` with fewer than 257 tokens, kind `file` without a path, a path with another kind.
    pub fn validate(&self) -> Result<(), TokenizerError> {
        match (self.kind, &self.path) {
            (TokenizerKind::File, None) => Err(TokenizerError::PathMissing),
            (TokenizerKind::Character | TokenizerKind::Bpe, Some(path)) => {
                Err(TokenizerError::PathUnused { path: path.clone() })
            }
            (TokenizerKind::Bpe, None) if self.vocab_size < SMALLEST_BPE => {
                Err(TokenizerError::VocabSize {
                    found: self.vocab_size,
                    least: SMALLEST_BPE,
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<TokenizerConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_empty_table_is_the_default() {
        assert_eq!(parse("{}").unwrap(), TokenizerConfig::default());
        assert_eq!(TokenizerConfig::default().vocab_size, 1024);
    }

    #[test]
    fn kinds_are_written_in_snake_case_and_unknown_keys_are_refused() {
        for (name, kind) in [
            ("character", TokenizerKind::Character),
            ("bpe", TokenizerKind::Bpe),
            ("file", TokenizerKind::File),
        ] {
            let config = parse(&format!(r#"{{"kind": "{name}"}}"#)).unwrap();
            assert_eq!(config.kind, kind);
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(parse(&text).unwrap(), config);
        }
        assert!(parse(r#"{"kinds": "bpe"}"#).is_err());
    }

    #[test]
    fn rules_between_keys_are_checked() {
        #[track_caller]
        fn check(json: &str, error: Option<&str>) {
            let found = parse(json).unwrap().validate().err();
            assert_eq!(found.map(|error| error.to_string()).as_deref(), error);
        }
        check("{}", None);
        check(r#"{"vocab_size": 1}"#, None);
        check(r#"{"kind": "bpe", "vocab_size": 257}"#, None);
        check(r#"{"kind": "file", "path": "gpt2"}"#, None);
        check(
            r#"{"kind": "bpe", "vocab_size": 256}"#,
            Some(
                "tokenizer.vocab_size is 256, but byte-level BPE needs at least 257: one token for each byte and each special token",
            ),
        );
        check(
            r#"{"kind": "file"}"#,
            Some(
                "tokenizer.kind is \"file\" but tokenizer.path is not set; name a tokenizer.json or a folder that holds one",
            ),
        );
        check(
            r#"{"kind": "bpe", "path": "gpt2"}"#,
            Some(
                "tokenizer.path is \"gpt2\", which only tokenizer.kind = \"file\" reads; set that kind or remove the path",
            ),
        );
    }
}
