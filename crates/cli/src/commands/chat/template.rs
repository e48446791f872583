//! Which chat template a conversation is rendered by.

use std::fs;
use std::path::Path;

use anyhow::Context;
use llm_tokenizer::{ChatTemplate, Tokenizer};

use crate::failure::usage;
use crate::printer::Printer;

/// The template for models that came without one.
const DEFAULT: &str = "plain";

/// The template called `name` (built in, of the model, or a .jinja file); without a name the model's own, or the plain one.
///
/// # Errors
/// There is no such template, or it can't be read or parsed.
pub(super) fn choose(
    name: Option<&str>,
    tokenizer: &Tokenizer,
    printer: Printer,
) -> anyhow::Result<ChatTemplate> {
    let Some(name) = name else {
        if let Some(own) = tokenizer.chat_template()? {
            return Ok(own);
        }
        printer.note(format_args!(
            "the model has no chat template: taking {DEFAULT}; choose another with --template"
        ));
        return Ok(ChatTemplate::builtin(DEFAULT)?);
    };
    if ChatTemplate::BUILTIN.contains(&name) {
        return Ok(ChatTemplate::builtin(name)?);
    }
    if let Some(own) = tokenizer.chat_template_named(name)? {
        return Ok(own);
    }
    let path = Path::new(name);
    if path
        .extension()
        .is_some_and(|extension| extension == "jinja")
    {
        let source = fs::read_to_string(path).with_context(|| format!("{name}: cannot read"))?;
        return ChatTemplate::parse(&source).with_context(|| name.to_owned());
    }
    let mut known = tokenizer.chat_template_names()?;
    known.extend(ChatTemplate::BUILTIN.map(str::to_owned));
    Err(usage(format_args!(
        "--template {name}: expected one of {}, or a .jinja file",
        known.join(", ")
    )))
}
