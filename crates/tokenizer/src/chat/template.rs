//! Parsing and rendering a template as transformers does.
//!
//! Source: `_compile_jinja_template` and `render_jinja_template` of transformers,
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py>.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use super::conversation::{Conversation, Message};
use super::{clock, generation, json, python};
use crate::error::TokenizerError;

/// A template that makes the text of a conversation. Cloning is cheap.
///
/// ```
/// use llm_tokenizer::{ChatTemplate, Conversation, Message};
///
/// # fn main() -> Result<(), llm_tokenizer::TokenizerError> {
/// let plain = ChatTemplate::builtin("plain")?;
/// let conversation = Conversation::to_answer(vec![Message::new("user", "Who are you?")]);
/// let text = plain.render(&conversation, &Default::default())?;
/// assert_eq!(text, "User: Who are you?\nAssistant:");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    source: Arc<str>,
    origin: Arc<str>,
}

impl ChatTemplate {
    /// Parses the source of a template, in Jinja.
    ///
    /// # Errors
    /// [`TokenizerError::ChatSyntax`] with the line that cannot be read.
    pub fn parse(source: &str) -> Result<Self, TokenizerError> {
        Self::parse_from("chat template".to_owned(), source)
    }

    /// Parses a template that comes from `origin`.
    pub(super) fn parse_from(origin: String, source: &str) -> Result<Self, TokenizerError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.expect("the marks of Jinja are valid"));
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Only then errors name the value that is undefined.
        environment.set_debug(true);
        python::install(&mut environment);
        environment.add_filter("tojson", json::tojson);
        environment.add_function("raise_exception", raise_exception);

        // Jinja reads every end of line as one.
        let lines = source.replace("\r\n", "\n").replace('\r', "\n");
        let parsed = generation::replace_blocks(&lines);
        environment
            .add_template_owned(origin.clone(), parsed)
            .map_err(|source| TokenizerError::ChatSyntax {
                origin: origin.clone(),
                line: source.line().unwrap_or(1),
                source: Box::new(source),
            })?;
        Ok(Self {
            environment: Arc::new(environment),
            source: source.into(),
            origin: origin.into(),
        })
    }

    /// The source that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Makes the text of `conversation`. `special_tokens` are variables by name, such as `bos_token`; see
    /// [`Tokenizer::special_tokens`](crate::Tokenizer::special_tokens).
    ///
    /// # Errors
    /// [`TokenizerError::ChatRefused`] where the template raises an exception, [`TokenizerError::ChatRender`] where it fails.
    pub fn render(
        &self,
        conversation: &Conversation,
        special_tokens: &BTreeMap<String, String>,
    ) -> Result<String, TokenizerError> {
        let now = conversation.now.unwrap_or_else(SystemTime::now);
        let messages: Vec<_> = conversation
            .messages
            .iter()
            .map(Message::normalized)
            .collect();
        let mut context = BTreeMap::from([
            ("messages", Value::from(Serde(&messages))),
            ("tools", Value::from(Serde(&conversation.tools))),
            ("documents", Value::from(Serde(&conversation.documents))),
            (
                "add_generation_prompt",
                conversation.add_generation_prompt.into(),
            ),
            (
                "strftime_now",
                Value::from_function(move |format: &str| clock::strftime(now, format)),
            ),
        ]);
        for (name, token) in special_tokens {
            context.insert(name, token.into());
        }
        for (name, value) in &conversation.variables {
            context.insert(name, Value::from(Serde(value)));
        }
        let template = self.environment.get_template(&self.origin);
        let rendered = template.and_then(|template| template.render(Value::from_pairs(context)));
        rendered.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: Error) -> TokenizerError {
        let mut cause = error.source();
        while let Some(found) = cause {
            if let Some(raised) = found.downcast_ref::<Raised>() {
                return TokenizerError::ChatRefused {
                    message: raised.0.clone(),
                };
            }
            cause = found.source();
        }
        TokenizerError::ChatRender {
            origin: self.origin.to_string(),
            line: error.line().unwrap_or(1),
            source: Box::new(error),
        }
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChatTemplate({})", self.origin)
    }
}

/// What a template said when it raised an exception.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let raised = Raised(message.to_string());
    Err(Error::new(
        ErrorKind::InvalidOperation,
        "the template raised an exception",
    )
    .with_source(raised))
}
