//! The commands of a chat: lines that begin with a slash.

use std::path::PathBuf;

use crate::failure::usage;
use crate::names;
use crate::output::Overwrite;

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slash {
    /// List the commands.
    Help,
    /// Forget the conversation.
    Reset,
    /// Another system prompt; an empty one is none.
    System(String),
    /// Change a setting; nothing lists them.
    Set(Option<String>),
    /// Write the conversation.
    Save(PathBuf, Overwrite),
    /// Read a conversation.
    Load(PathBuf),
    /// Tell numbers.
    Stats,
    /// End the chat.
    Quit,
}

/// Names, arguments and what they do, in the order of `/help`.
pub(super) const COMMANDS: [(&str, &str, &str); 8] = [
    ("help", "", "list the commands"),
    (
        "reset",
        "",
        "forget the conversation, but not the system prompt",
    ),
    (
        "system",
        "[TEXT]",
        "what the model is told first; nothing without TEXT",
    ),
    (
        "set",
        "[KEY=VALUE]",
        "change a setting (KEY= is its default), or list all",
    ),
    (
        "save",
        "[--force] FILE",
        "write the conversation as JSON (.jsonl: JSON Lines)",
    ),
    ("load", "FILE", "go on with a conversation that was written"),
    ("stats", "", "speed, time to the first token, context used"),
    ("quit", "", "end the chat; Ctrl-D does too"),
];

/// How to write what is no command.
pub(super) const HINTS: [(&str, &str); 3] = [
    ("\\", "at the end of a line: it goes on in the next one"),
    ("\"\"\"", "before and after: a message of several lines"),
    ("//", "at the beginning: a message that begins with a slash"),
];

/// The command of a line, if it is one.
///
/// # Errors
/// There is no such command, or its argument is missing or too many; exit code 2.
pub(super) fn parse(line: &str) -> anyhow::Result<Option<Slash>> {
    let Some(rest) = line.strip_prefix('/').filter(|rest| !rest.starts_with('/')) else {
        return Ok(None);
    };
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let argument = argument.trim();
    let file = || match argument {
        "" => Err(usage(format_args!("/{name}: name a file"))),
        path => Ok(PathBuf::from(path)),
    };
    let command = match name {
        "system" => Slash::System(argument.to_owned()),
        "set" => Slash::Set((!argument.is_empty()).then(|| argument.to_owned())),
        "save" => match argument.strip_prefix("--force") {
            Some(path) if path.trim().is_empty() => {
                return Err(usage("/save --force: name a file"));
            }
            Some(path) if path.starts_with(char::is_whitespace) => {
                Slash::Save(path.trim().into(), Overwrite::Replace)
            }
            _ => Slash::Save(file()?, Overwrite::Refuse),
        },
        "load" => Slash::Load(file()?),
        "help" | "reset" | "stats" | "quit" if !argument.is_empty() => {
            return Err(usage(format_args!("/{name}: takes no argument")));
        }
        "help" => Slash::Help,
        "reset" => Slash::Reset,
        "stats" => Slash::Stats,
        "quit" => Slash::Quit,
        unknown => return Err(not_known(unknown)),
    };
    Ok(Some(command))
}

fn not_known(name: &str) -> anyhow::Error {
    let known = || COMMANDS.iter().map(|(name, ..)| *name);
    match names::nearest(name, known()) {
        Some(near) => usage(format_args!("/{name} is no command, did you mean /{near}?")),
        None => {
            let list: Vec<_> = known().map(|name| format!("/{name}")).collect();
            usage(format_args!(
                "/{name} is no command: use {}, or // for a message that begins with a slash",
                list.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands() {
        #[track_caller]
        fn check(line: &str, expected: Option<Slash>) {
            assert_eq!(parse(line).unwrap(), expected, "{line}");
        }
        check("hello /help", None);
        check("//help", None);
        check("/help", Some(Slash::Help));
        check(
            "/system Be  brief. ",
            Some(Slash::System("Be  brief.".into())),
        );
        check("/system", Some(Slash::System(String::new())));
        check("/set", Some(Slash::Set(None)));
        check("/set top_k=5", Some(Slash::Set(Some("top_k=5".into()))));
        let save = |path: &str, overwrite| Some(Slash::Save(path.into(), overwrite));
        check(
            "/save my file.json",
            save("my file.json", Overwrite::Refuse),
        );
        check("/save --force a.json", save("a.json", Overwrite::Replace));
        check("/load a", Some(Slash::Load("a".into())));
        check("/quit ", Some(Slash::Quit));
    }

    #[test]
    fn every_listed_command_is_one() {
        for (name, arguments, _) in COMMANDS {
            let argument = if arguments.contains("FILE") { " a" } else { "" };
            assert!(parse(&format!("/{name}{argument}")).unwrap().is_some());
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (line, part) in [
            ("/hepl", "did you mean /help?"),
            ("/colour", "use /help, /reset"),
            ("/", "use /help"),
            ("/save", "name a file"),
            ("/save --force", "name a file"),
            ("/load ", "name a file"),
            ("/quit now", "takes no argument"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
