//! Conversations as files: `{"messages": [{"role": …, "content": …}, …]}`, which fine-tuning and chat programs read, or one message on each
//! line where the name ends in `.jsonl`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use llm_files::WriteError;
use llm_tokenizer::Message;
use serde_json::{Value, json};

use super::history::History;
use crate::input;
use crate::output::{OutputFile, Overwrite};

/// Writes the conversation.
///
/// # Errors
/// The file exists and may not be replaced, or can't be written.
pub(super) fn save(history: &History, path: &Path, overwrite: Overwrite) -> anyhow::Result<()> {
    let messages = history.messages();
    let mut file = OutputFile::create(path, overwrite)?;
    let failed = WriteError::of(path);
    if has_lines(path) {
        for message in messages {
            let line = serde_json::to_string(&message)?;
            writeln!(file, "{line}").map_err(&failed)?;
        }
    } else {
        let text = serde_json::to_string_pretty(&json!({ "messages": messages }))?;
        writeln!(file, "{text}").map_err(&failed)?;
    }
    file.finish()
}

/// Reads a conversation: an object with `messages`, a list of messages, or a message on each line.
///
/// # Errors
/// Names the file, and the line or the message that is none.
pub(super) fn load(path: &Path) -> anyhow::Result<History> {
    let name = path.display();
    let text = input::read_text(path)?;
    let values = if has_lines(path) {
        let mut values = Vec::new();
        for (i, line) in text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim().is_empty())
        {
            let value: Value =
                serde_json::from_str(line).with_context(|| format!("{name}:{}", i + 1))?;
            match value.get("messages") {
                Some(Value::Array(inner)) => values.extend(inner.iter().cloned()),
                _ => values.push(value),
            }
        }
        values
    } else {
        let value: Value =
            serde_json::from_str(&text).with_context(|| format!("{name}: no JSON"))?;
        match value {
            Value::Array(values) => values,
            Value::Object(mut object) => match object.remove("messages") {
                Some(Value::Array(values)) => values,
                _ => bail!("{name}: has no list `messages`"),
            },
            _ => bail!("{name}: expected a list of messages, or an object with `messages`"),
        }
    };
    let messages = values.into_iter().enumerate().map(|(i, value)| {
        message(value).map_err(|what| anyhow!("{name}: message {}: {what}", i + 1))
    });
    Ok(History::new(messages.collect::<anyhow::Result<_>>()?))
}

/// A message, or what is wrong with it.
fn message(value: Value) -> Result<Message, &'static str> {
    let Value::Object(fields) = value else {
        return Err("expected an object with `role` and `content`");
    };
    match fields.get("role") {
        Some(Value::String(role)) if !role.is_empty() => {}
        _ => return Err("`role` must be a text, such as \"user\" or \"assistant\""),
    }
    match fields.get("content") {
        Some(Value::String(_)) => Ok(fields.into()),
        // What a model says when it calls tools.
        None | Some(Value::Null) if fields.contains_key("tool_calls") => Ok(fields.into()),
        Some(Value::Array(_)) => Ok(fields.into()),
        _ => Err("`content` must be a text"),
    }
}

/// Whether the file has one message on each line.
fn has_lines(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::default();
        history.set_system("be brief");
        history.ask("who?\n\"you\"");
        history.answer("me");
        for name in ["a.json", "a.jsonl"] {
            let path = folder.path().join(name);
            save(&history, &path, Overwrite::Refuse).unwrap();
            assert_eq!(load(&path).unwrap(), history, "{name}");
            let error = save(&history, &path, Overwrite::Refuse).unwrap_err();
            assert!(error.to_string().contains("exists"), "{error}");
            save(&history, &path, Overwrite::Replace).unwrap();
        }
    }

    #[test]
    fn files_of_others_are_read() {
        let messages = r#"{"role": "user", "content": "a"}"#;
        for (name, text) in [
            ("list.json", format!("[{messages}]")),
            ("object.json", format!("{{\"messages\": [{messages}]}}")),
            ("lines.jsonl", format!("{messages}\n\n")),
            ("tuning.jsonl", format!("{{\"messages\": [{messages}]}}")),
        ] {
            let (_folder, path) = write(name, &text);
            assert_eq!(load(&path).unwrap().len(), 1, "{name}");
        }
    }

    #[test]
    fn what_is_no_conversation_is_named() {
        for (name, text, part) in [
            ("a.json", "", "no JSON"),
            ("a.json", "{}", "`messages`"),
            ("a.json", "3", "list of messages"),
            ("a.json", "[3]", "message 1: expected an object"),
            ("a.json", r#"[{"content": "a"}]"#, "message 1: `role`"),
            ("a.json", r#"[{"role": "user", "content": 3}]"#, "`content`"),
            ("a.jsonl", "{}\n{", "a.jsonl:2"),
        ] {
            let (_folder, path) = write(name, text);
            let error = format!("{:#}", load(&path).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
