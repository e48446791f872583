//! Chat templates: from a conversation to the text, and the ids, that a chat model was trained on.
//!
//! A template is a program in Jinja that comes with a model. [`template`] runs it as transformers does, with `python`, `json`, `clock` and
//! `generation` for what Jinja in Python has and the engine has not; [`builtin`] holds the formats of well-known families for models that come
//! without one. [`sources`] finds, keeps and writes the templates of a tokenizer. [`encode`] turns a conversation into ids, and `guard` sees to
//! it that nothing written inside the conversation becomes a special token on the way.

mod builtin;
mod clock;
mod conversation;
mod encode;
mod generation;
mod guard;
mod json;
mod python;
mod sources;
mod template;

pub use conversation::{Conversation, Message};
pub use encode::EncodedChat;
pub use template::ChatTemplate;

pub(crate) use sources::Templates;
