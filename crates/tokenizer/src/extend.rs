//! More tokens for a tokenizer, behind those that it has.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::assemble::assemble;
use crate::definition;
use crate::error::TokenizerError;
use crate::load::DEFINITION;
use crate::tokenizer::{Encoder, Tokenizer};

impl Tokenizer {
    /// The same tokenizer with `tokens` at the end of its vocabulary, in their order, such as `<|user|>` and `<|assistant|>` before a model is
    /// trained on conversations. The ids of the old tokens stay as they are, and the first new one is [`Tokenizer::vocab_size`]. `add_tokens`
    /// of transformers gives the same ids.
    ///
    /// `special` tokens stand for themselves where special tokens are asked for ([`Tokenizer::encode_with_special`], chat templates), and
    /// decoding leaves them out. Others are found in every text before anything else, and decoding writes them.
    ///
    /// # Errors
    /// [`TokenizerError::ExtendToken`] for a token that is empty, listed twice or in the vocabulary already, for one that is not special where the
    /// tokenizer knows single characters, and for a vocabulary that leaves ids out where the library would put the new ones.
    pub fn extended(&self, tokens: &[String], special: bool) -> Result<Self, TokenizerError> {
        let refused = |token: &String, reason| {
            Err(TokenizerError::ExtendToken {
                token: token.clone(),
                reason,
            })
        };
        let mut seen = HashSet::new();
        for token in tokens {
            if token.is_empty() {
                return refused(token, "it is empty");
            }
            if !seen.insert(token) {
                return refused(token, "it is listed twice");
            }
            if self.id_of(token).is_some() {
                return refused(token, "it is in the vocabulary already");
            }
            if !special && matches!(self.inner().encoder, Encoder::Characters(_)) {
                return refused(token, "a character tokenizer takes special tokens only");
            }
        }
        let mut definition: Value =
            serde_json::from_str(self.definition()).expect("the canonical definition is JSON");
        let ids = u32::try_from(self.vocab_size()).unwrap_or(u32::MAX)..;
        let new = tokens.iter().zip(ids);
        let new = new.map(|(token, id)| definition::added_token(id, token, special));
        if let Some(added) = definition["added_tokens"].as_array_mut() {
            added.extend(new);
        }
        let config = self.inner().config.clone();
        let templates = self.templates().clone();
        assemble(definition, Path::new(DEFINITION), config, templates)
    }
}
