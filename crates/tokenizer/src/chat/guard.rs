//! Keeping the text of special tokens that is written inside a conversation from becoming those tokens.
//!
//! Before a template sees the conversation, a mark is put after every character of such a text: a noncharacter that neither the conversation
//! nor the template has. The rendered text is cut at the special tokens, which the marked ones no longer are, and the marks are taken out
//! again from what is left. Upper and lower case make no difference to what is marked, in case the template changes them; and so that two
//! messages cannot be put together to a token, the beginning of one at the end of a text is marked too; not where the token begins with a
//! letter, because then it could be the end of any word, such as the role `user`.
//!
//! What this cannot see is a token that a template puts together itself from a part of its own and a part of the conversation, such as
//! `'<|' + role + '|>'`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value};
use tokenizers::{OffsetReferential, OffsetType};

use super::conversation::{Conversation, Message};
use super::template::ChatTemplate;
use crate::error::TokenizerError;
use crate::tokenizer::Tokenizer;

/// Marks special tokens in one conversation.
pub(super) struct Guard<'t> {
    tokenizer: &'t Tokenizer,
    /// The special tokens in lower case.
    tokens: Vec<String>,
    /// What is put inside them.
    pub(super) mark: char,
    marked: Cell<bool>,
}

impl<'t> Guard<'t> {
    /// A guard whose mark is in none of the texts.
    pub(super) fn new(
        tokenizer: &'t Tokenizer,
        template: &ChatTemplate,
        conversation: &Conversation,
        special_tokens: &BTreeMap<String, String>,
    ) -> Result<Self, TokenizerError> {
        let added = tokenizer.inner().engine.get_added_tokens_decoder();
        let special = added.into_values().filter(|token| token.special);
        let tokens: Vec<String> = special
            .map(|token| token.content.to_ascii_lowercase())
            .filter(|token| !token.is_empty())
            .collect();

        let used = Cell::new(BTreeSet::new());
        let note = |text: &str| {
            let mut set = used.take();
            set.extend(
                text.chars()
                    .filter(|c| ('\u{FDD0}'..='\u{FDEF}').contains(c)),
            );
            used.set(set);
            Ok(text.to_owned())
        };
        map_conversation(conversation, &note)?;
        let others = tokens.iter().chain(special_tokens.values());
        for text in others.map(String::as_str).chain([template.source()]) {
            note(text)?;
        }
        let used = used.take();
        let mark = ('\u{FDD0}'..='\u{FDEF}').find(|mark| !used.contains(mark));
        Ok(Self {
            tokenizer,
            tokens,
            mark: mark.ok_or(TokenizerError::ChatNoncharacters)?,
            marked: Cell::new(false),
        })
    }

    /// The conversation with its special tokens marked.
    pub(super) fn apply(
        &self,
        conversation: &Conversation,
    ) -> Result<Conversation, TokenizerError> {
        map_conversation(conversation, &|text| self.mark_text(text))
    }

    /// Whether there was anything to mark.
    pub(super) fn has_marked(&self) -> bool {
        self.marked.get()
    }

    fn mark_text(&self, text: &str) -> Result<String, TokenizerError> {
        let mut ranges: Vec<Range<usize>> = self.written(text);
        let found = self.found(text);
        ranges.extend(found.iter().map(|(range, _)| range.clone()));
        if ranges.is_empty() {
            return Ok(text.to_owned());
        }
        self.marked.set(true);
        let mut inside = vec![false; text.len()];
        for range in ranges {
            inside[range].fill(true);
        }
        let mut result = String::with_capacity(text.len() * 2);
        for (place, character) in text.char_indices() {
            result.push(character);
            if inside[place] {
                result.push(self.mark);
            }
        }
        // A token of one character, or a tokenizer that takes the marks out first.
        match self.found(&result).pop() {
            Some((_, token)) => Err(TokenizerError::ChatSpecial { token }),
            None => Ok(result),
        }
    }

    /// Places where a special token is written, and where the text ends with the beginning of one.
    fn written(&self, text: &str) -> Vec<Range<usize>> {
        let lower = text.to_ascii_lowercase();
        let trimmed = lower.trim_end();
        let mut ranges = Vec::new();
        for token in &self.tokens {
            let places = lower.match_indices(token.as_str());
            ranges.extend(places.map(|(place, _)| place..place + token.len()));
            if token.starts_with(char::is_alphanumeric) {
                continue;
            }
            let beginnings = token
                .char_indices()
                .skip(1)
                .map(|(length, _)| &token[..length]);
            let beginnings = beginnings.filter(|beginning| trimmed.ends_with(beginning));
            ranges.extend(beginnings.map(|b| trimmed.len() - b.len()..trimmed.len()));
        }
        ranges
    }

    /// What the tokenizer itself takes for special tokens in `text`.
    fn found(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let inner = self.tokenizer.inner();
        let added = inner.engine.get_added_vocabulary();
        let parts = added.extract_and_normalize(inner.engine.get_normalizer(), text);
        let splits = parts.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let tokens = splits.into_iter().filter_map(|(_, (start, end), tokens)| {
            let token = tokens.as_ref()?.first()?;
            let special = inner.special.contains(&token.id);
            special.then(|| (start..end, token.value.clone()))
        });
        tokens.collect()
    }
}

type Change<'c> = dyn Fn(&str) -> Result<String, TokenizerError> + 'c;

/// The conversation with every text in it changed.
fn map_conversation(
    conversation: &Conversation,
    change: &Change<'_>,
) -> Result<Conversation, TokenizerError> {
    let lists = |list: &Option<Vec<Value>>| {
        let list = list.as_ref();
        list.map(|items| items.iter().map(|item| map_value(item, change)).collect())
            .transpose()
    };
    let messages = conversation.messages.iter();
    Ok(Conversation {
        messages: messages
            .map(|message| Ok(Message::from(map_object(message.fields(), change)?)))
            .collect::<Result<_, TokenizerError>>()?,
        tools: lists(&conversation.tools)?,
        documents: lists(&conversation.documents)?,
        add_generation_prompt: conversation.add_generation_prompt,
        variables: map_object(&conversation.variables, change)?,
        now: conversation.now,
    })
}

fn map_value(value: &Value, change: &Change<'_>) -> Result<Value, TokenizerError> {
    Ok(match value {
        Value::String(text) => Value::String(change(text)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| map_value(item, change));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(object) => Value::Object(map_object(object, change)?),
        other => other.clone(),
    })
}

fn map_object(
    object: &Map<String, Value>,
    change: &Change<'_>,
) -> Result<Map<String, Value>, TokenizerError> {
    let pairs = object.iter();
    pairs
        .map(|(key, value)| Ok((change(key)?, map_value(value, change)?)))
        .collect()
}
