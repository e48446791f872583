//! What a template is given: messages, tools, documents and the settings of one rendering.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys under which the reasoning of a message is passed, the one that templates read first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One message: a JSON object with `role`, mostly `content`, and whatever else its template reads, such as `tool_calls`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message {
    fields: Map<String, Value>,
}

impl Message {
    /// A message of a text.
    pub fn new(role: &str, content: &str) -> Self {
        Self::default()
            .with("role", role.into())
            .with("content", content.into())
    }

    /// The message with one more field, or another value for it.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.fields.insert(key.to_owned(), value);
        self
    }

    /// A field; none where the message has no such key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The message as templates are to see it: without keys that are null, on which many of them stumble, and with reasoning under the keys
    /// that they read.
    ///
    /// Source: `apply_chat_template` of transformers 5.
    pub(super) fn normalized(&self) -> Value {
        let given = self.fields.iter().filter(|(_, value)| !value.is_null());
        let mut fields: Map<String, Value> = given.map(|(k, v)| (k.clone(), v.clone())).collect();
        let reasoning = REASONING.iter().find_map(|key| fields.get(*key)).cloned();
        if let Some(reasoning) = reasoning {
            fields.entry("thinking").or_insert(reasoning.clone());
            fields.insert("reasoning_content".to_owned(), reasoning);
        }
        Value::Object(fields)
    }
}

impl From<Map<String, Value>> for Message {
    fn from(fields: Map<String, Value>) -> Self {
        Self { fields }
    }
}

/// A conversation, and how it is to be rendered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Descriptions of the tools that the model may call, as JSON schemas.
    pub tools: Option<Vec<Value>>,
    /// Documents that the answer may lean on.
    pub documents: Option<Vec<Value>>,
    /// Whether the text ends with what begins an answer of the model.
    pub add_generation_prompt: bool,
    /// Further variables of the template, such as `enable_thinking`. They go before special tokens of the same name.
    pub variables: Map<String, Value>,
    /// The time that `strftime_now` tells, in UTC; that of the rendering where there is none.
    pub now: Option<SystemTime>,
}

impl Conversation {
    /// A conversation to be answered: the text ends with what begins an answer.
    pub fn to_answer(messages: Vec<Message>) -> Self {
        Self {
            messages,
            add_generation_prompt: true,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(message: Value, expected: Value) {
        let message: Message = serde_json::from_value(message).unwrap();
        let (found, expected) = (message.normalized().to_string(), expected.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn null_fields_are_left_out_and_the_order_is_kept() {
        check(
            json!({"role": "assistant", "content": null, "a": [null]}),
            json!({"role": "assistant", "a": [null]}),
        );
    }

    #[test]
    fn reasoning_is_found_under_every_name() {
        check(
            json!({"reasoning": "r"}),
            json!({"reasoning": "r", "thinking": "r", "reasoning_content": "r"}),
        );
        check(
            json!({"thinking": "t", "reasoning_content": "r"}),
            json!({"thinking": "t", "reasoning_content": "r"}),
        );
    }
}
