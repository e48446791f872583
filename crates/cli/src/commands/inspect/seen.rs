//! What views of a text in a model share: its tokens with names that can be seen.

use llm_tokenizer::Tokenizer;
use serde::Serialize;

/// A token of the text.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Token {
    /// Its id.
    pub(super) id: u32,
    /// What it adds to a text, made visible.
    pub(super) label: String,
}

impl Token {
    /// A token of `tokenizer`.
    pub(super) fn new(id: u32, tokenizer: &Tokenizer) -> Self {
        let label = tokenizer.label(id);
        Self { id, label }
    }
}
