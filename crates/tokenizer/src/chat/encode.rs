//! From a conversation to token ids.

use std::collections::BTreeMap;

use serde_json::Value;
use tokenizers::{OffsetReferential, OffsetType};

use super::conversation::Conversation;
use super::guard::Guard;
use super::template::ChatTemplate;
use crate::error::TokenizerError;
use crate::tokenizer::{Encoder, Tokenizer};

/// A rendered conversation and its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedChat {
    /// The text that the template made.
    pub text: String,
    /// The ids, just what the text says: a token that begins a text is among them only if the template writes one.
    pub ids: Vec<u32>,
}

impl Tokenizer {
    /// Renders `conversation` and encodes it. Special tokens that the template writes become their ids, and those written inside the
    /// conversation (its messages, tools, documents and variables) never do: there they are text like any other.
    ///
    /// No token is added that the template does not write, as in `apply_chat_template` of transformers. So the caller must not put the token
    /// of [`Tokenizer::bos`] before the ids either: a template whose model wants one writes it.
    ///
    /// # Errors
    /// Those of [`ChatTemplate::render`] and [`Tokenizer::encode_with_special`], and [`TokenizerError::ChatSpecial`] where the conversation
    /// has the text of a special token that this tokenizer cannot be kept from taking for the token.
    pub fn encode_chat(
        &self,
        template: &ChatTemplate,
        conversation: &Conversation,
    ) -> Result<EncodedChat, TokenizerError> {
        let special_tokens = self.special_tokens();
        let guard = Guard::new(self, template, conversation, &special_tokens)?;
        let guarded = guard.apply(conversation)?;
        let marked = template.render(&guarded, &special_tokens)?;
        if !guard.has_marked() {
            let ids = self.encode_with_special(&marked)?;
            return Ok(EncodedChat { text: marked, ids });
        }
        let ids = self.encode_marked(&marked, guard.mark)?;
        let text = marked.replace(guard.mark, "");
        Ok(EncodedChat { text, ids })
    }

    /// The texts of the tokens that templates know by name: `bos_token`, `eos_token`, and what else `tokenizer_config.json` lists.
    pub fn special_tokens(&self) -> BTreeMap<String, String> {
        let config = &self.inner().config;
        let content = |token: &Value| {
            let text = token.as_str().or_else(|| token["content"].as_str());
            text.map(str::to_owned)
        };
        let named = config.iter().filter(|(key, _)| key.ends_with("_token"));
        // Tokens of one family only, such as `image_token`.
        let extra = config
            .get("extra_special_tokens")
            .and_then(Value::as_object);
        let mut tokens: BTreeMap<String, String> = named
            .chain(extra.into_iter().flatten())
            .filter_map(|(key, token)| Some((key.clone(), content(token)?)))
            .collect();
        for (key, id) in [("bos_token", self.bos()), ("eos_token", self.eos())] {
            if let Some(token) = id.and_then(|id| self.token(id)) {
                tokens.insert(key.to_owned(), token);
            }
        }
        tokens
    }

    /// Encodes `text` like [`Tokenizer::encode_with_special`], but takes `mark` out of it between looking for special tokens and encoding the
    /// rest.
    fn encode_marked(&self, text: &str, mark: char) -> Result<Vec<u32>, TokenizerError> {
        let inner = self.inner();
        let check = |id| self.check_is_text(id);
        match &inner.encoder {
            Encoder::Characters(characters) => characters.encode_marked(text, mark),
            Encoder::Words(words) => words
                .encode_marked(inner.engine.get_model(), text, mark, check)
                .unwrap_or_else(|| self.encode_marked_by_library(text, mark)),
            Encoder::Sentences(sentences) => sentences.encode_marked(text, mark),
            Encoder::Library(_) => self.encode_marked_by_library(text, mark),
        }
    }

    /// The steps of the library's own `encode`, with one between them.
    fn encode_marked_by_library(&self, text: &str, mark: char) -> Result<Vec<u32>, TokenizerError> {
        let engine = &self.inner().engine;
        let added = engine.get_added_vocabulary();
        let parts = added.extract_and_normalize(engine.get_normalizer(), text);
        for (_, (start, end), tokens) in
            parts.get_splits(OffsetReferential::Original, OffsetType::Byte)
        {
            let special = tokens.as_ref().and_then(|tokens| tokens.first());
            // A normalizer may have taken the marks out before the library looked for tokens.
            let marked = text[start..end].contains(mark);
            if let (Some(token), true) = (special, marked) {
                return Err(TokenizerError::ChatSpecial {
                    token: token.value.clone(),
                });
            }
        }
        self.encode_parts(parts, |part| {
            part.filter(|character| character != mark);
            Ok(())
        })
    }
}
