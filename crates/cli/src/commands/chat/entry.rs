//! What the user enters: with an editor on a terminal, else plain lines of stdin.
//!
//! A line that ends with a backslash goes on in the next one, and so does what stands between two `"""`.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::Context;
use rustyline::completion::Completer;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Editor, Helper};

use super::slash::COMMANDS;
use crate::palette::Palette;
use crate::printer::Printer;
use crate::{cache_folder, config, interrupt};

/// The file in the cache folder that keeps what was entered.
const HISTORY: &str = "chat_history";
/// Entries that it keeps.
const REMEMBERED: usize = 1000;
/// Around a message of several lines.
const FENCE: &str = "\"\"\"";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A message or a command, not blank.
    Text(String),
    /// Ctrl-C at the prompt.
    Interrupted,
    /// Ctrl-D, or the end of stdin.
    End,
}

/// Where entries come from.
pub(super) enum Reader {
    Terminal(Box<Terminal>),
    Plain,
}

/// A line editor, and the file that keeps its history.
pub(super) struct Terminal {
    editor: Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

impl Reader {
    /// An editor if stdin and stdout are a terminal.
    pub(super) fn new(printer: Printer) -> Self {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        match is_terminal.then(|| Terminal::new(printer)) {
            Some(Ok(terminal)) => Self::Terminal(Box::new(terminal)),
            Some(Err(error)) => {
                printer.warn(format_args!("no line editing: {error}"));
                Self::Plain
            }
            None => Self::Plain,
        }
    }

    /// Whether somebody sits there.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next entry that is not blank.
    ///
    /// # Errors
    /// The terminal or stdin can't be read.
    pub(super) fn next(&mut self) -> anyhow::Result<Entry> {
        loop {
            let entry = match self {
                Self::Terminal(terminal) => terminal.next()?,
                Self::Plain => plain()?,
            };
            match entry {
                Entry::Text(text) if text.trim().is_empty() => {}
                entry => return Ok(entry),
            }
        }
    }
}

impl Terminal {
    fn new(printer: Printer) -> rustyline::Result<Self> {
        let mut editor = Editor::new()?;
        editor.set_helper(Some(Assistant));
        editor.set_completion_type(CompletionType::List);
        editor.set_max_history_size(REMEMBERED)?;
        let history = cache_folder::find().and_then(|folder| {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("{}: cannot make", folder.display()))?;
            Ok(folder.join(HISTORY))
        });
        let history = match history {
            Ok(path) => Some(path),
            Err(error) => {
                printer.warn(format_args!("what you enter is not kept: {error:#}"));
                None
            }
        };
        if let Some(path) = history.as_deref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            printer.warn(format_args!("{}: {error}", path.display()));
        }
        Ok(Self { editor, history })
    }

    fn next(&mut self) -> anyhow::Result<Entry> {
        // The editor takes Ctrl-C as a key; a SIGTERM has nothing to wait for.
        interrupt::at_once();
        let prompt = "> ";
        let painted = Palette::stdout().chosen(prompt);
        let line = self.editor.readline(&(prompt, painted.as_str()));
        interrupt::defer();
        // A Ctrl-C that came too late for the last answer is none for the next.
        interrupt::take();
        match line {
            Ok(line) => {
                self.remember(&line);
                Ok(Entry::Text(joined(&line)))
            }
            Err(ReadlineError::Eof) => Ok(Entry::End),
            Err(ReadlineError::Interrupted) => Ok(Entry::Interrupted),
            Err(error) => Err(error).context("cannot read the terminal"),
        }
    }

    /// Keeps a line, as well as that goes.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line).unwrap_or(false);
        if let Some(path) = self.history.as_ref().filter(|_| is_new)
            && self.editor.append_history(path).is_err()
        {
            self.history = None;
        }
    }
}

/// The next entry of plain lines.
fn plain() -> anyhow::Result<Entry> {
    let mut text = String::new();
    for line in io::stdin().lock().lines() {
        text += &line.context("stdin: cannot read")?;
        if !goes_on(&text) {
            return Ok(Entry::Text(joined(&text)));
        }
        text.push('\n');
    }
    Ok(match text.is_empty() {
        true => Entry::End,
        false => Entry::Text(joined(&text)),
    })
}

/// Whether an entry wants another line.
fn goes_on(text: &str) -> bool {
    if text.trim_start().starts_with(FENCE) {
        return text.matches(FENCE).count() < 2;
    }
    text.ends_with('\\')
}

/// An entry without the marks that made one of several lines.
fn joined(text: &str) -> String {
    match text.trim().strip_prefix(FENCE) {
        Some(rest) => rest
            .strip_suffix(FENCE)
            .unwrap_or(rest)
            .trim_matches('\n')
            .to_owned(),
        None => text.replace("\\\n", "\n"),
    }
}

/// Completes commands and keys, and knows when an entry goes on.
struct Assistant;

impl Helper for Assistant {}
impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(&line[..position]))
    }
}

/// Where the last word of a line begins, and what it can become.
fn completions(line: &str) -> (usize, Vec<String>) {
    let begins = |start: usize, names: Vec<String>| {
        let typed = &line[start..];
        let fitting = names.into_iter().filter(|name| name.starts_with(typed));
        (start, fitting.collect())
    };
    if let Some(rest) = line.strip_prefix("/set ") {
        let start = line.len() - rest.len();
        let keys = config::keys_of("generate");
        return begins(start, keys.iter().map(|key| format!("{key}=")).collect());
    }
    if line.starts_with('/') && !line.contains(' ') {
        let names = COMMANDS.iter().map(|(name, ..)| format!("/{name}"));
        return begins(0, names.collect());
    }
    (line.len(), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_after_a_backslash_and_inside_a_fence() {
        #[track_caller]
        fn check(lines: &[&str], expected: &str) {
            let mut text = String::new();
            for (i, line) in lines.iter().enumerate() {
                text += line;
                let is_last = i + 1 == lines.len();
                assert_eq!(goes_on(&text), !is_last, "{text:?}");
                text.push('\n');
            }
            text.pop();
            assert_eq!(joined(&text), expected);
        }
        check(&["one"], "one");
        check(&["one\\", "two"], "one\ntwo");
        check(&["\"\"\"", "one", "", "two\\", "\"\"\""], "one\n\ntwo\\");
        check(&["\"\"\"one", "two\"\"\""], "one\ntwo");
        check(&["say \"\"\" please"], "say \"\"\" please");
    }

    #[test]
    fn commands_and_keys_are_completed() {
        assert_eq!(completions("/sy"), (0, vec!["/system".to_owned()]));
        assert_eq!(
            completions("/set top_"),
            (5, vec!["top_k=".to_owned(), "top_p=".to_owned()])
        );
        assert_eq!(completions("/set top_k=1").1.len(), 0);
        assert_eq!(completions("hello /s").1.len(), 0);
    }
}
