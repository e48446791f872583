//! The turns of a chat: what is entered is answered, or done if it is a command.

use std::fmt::Display;

use anyhow::Context;

use super::answer::Chat;
use super::entry::{Entry, Reader};
use super::saved;
use super::settings::Settings;
use super::slash::{self, COMMANDS, HINTS, Slash};
use crate::failure::{Interrupted, is_broken_pipe, one_line};
use crate::interrupt::{self, Signal};
use crate::palette::Palette;
use crate::printer::{self, Printer};

/// A chat with its settings.
pub(super) struct Session<'m> {
    chat: Chat<'m>,
    settings: Settings<'m>,
    /// Whether prompts are shown in place of answers.
    shows_prompt: bool,
    printer: Printer,
}

/// Whether the chat goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// After an answer.
    Turn,
    /// After a command.
    Entry,
    End,
}

impl<'m> Session<'m> {
    pub(super) fn new(
        chat: Chat<'m>,
        settings: Settings<'m>,
        shows_prompt: bool,
        printer: Printer,
    ) -> Self {
        Self {
            chat,
            settings,
            shows_prompt,
            printer,
        }
    }

    /// Says what is there and how to begin.
    pub(super) fn welcome(&self, model: &str) {
        let palette = Palette::stderr();
        let said = match self.chat.history.len() {
            0 => String::new(),
            n => format!(", {n} messages loaded"),
        };
        let context = self.chat.context();
        self.printer.note(format_args!(
            "{}, {context} tokens of context{said}",
            palette.strong(model)
        ));
        self.tell("/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends the chat");
    }

    /// Says something that may be passed over.
    fn tell(&self, what: impl Display) {
        self.printer.note(Palette::stderr().faint(what));
    }

    /// Answers a message.
    ///
    /// # Errors
    /// Those of [`Chat::answer`].
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        if self.shows_prompt {
            return self.chat.show(text);
        }
        let config = self.settings.of_answer(self.chat.history.n_answers());
        self.chat.answer(text, &config, self.settings.may_forget())
    }

    /// Takes entries until they end. On a terminal a failed one is said and the chat goes on.
    ///
    /// # Errors
    /// Not on a terminal, the first failed entry; a signal that ends the program.
    pub(super) fn converse(&mut self, reader: &mut Reader) -> anyhow::Result<()> {
        let is_terminal = reader.is_terminal();
        let mut was_interrupted = false;
        loop {
            let text = match reader.next()? {
                Entry::End => return Ok(()),
                Entry::Interrupted if was_interrupted => return Ok(()),
                Entry::Interrupted => {
                    was_interrupted = true;
                    self.tell("(Ctrl-D or /quit ends the chat; so does Ctrl-C once more)");
                    continue;
                }
                Entry::Text(text) => text,
            };
            was_interrupted = false;
            let done = self.take(&text);
            if is_terminal {
                self.after_signal()?;
            } else {
                interrupt::check()?;
            }
            match done {
                Ok(Next::End) => return Ok(()),
                Ok(Next::Turn) if is_terminal => self.printer.text("\n")?,
                Ok(Next::Turn | Next::Entry) => {}
                Err(error) if is_terminal && !is_broken_pipe(&error) => {
                    printer::error(one_line(&error));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ctrl-C has stopped an answer, and that is all; SIGTERM ends the program.
    fn after_signal(&self) -> anyhow::Result<()> {
        match interrupt::take() {
            Some(Signal::Interrupt) => {
                self.tell("(stopped)");
                Ok(())
            }
            Some(Signal::Terminate) => Err(Interrupted(Signal::Terminate).into()),
            None => Ok(()),
        }
    }

    fn take(&mut self, text: &str) -> anyhow::Result<Next> {
        let Some(command) = slash::parse(text.trim())? else {
            let text = match text.trim().strip_prefix("//") {
                Some(rest) => format!("/{rest}"),
                None => text.to_owned(),
            };
            self.say(&text)?;
            return Ok(Next::Turn);
        };
        match command {
            Slash::Help => self.help()?,
            Slash::Reset => {
                self.chat.history.reset();
                self.tell("the conversation is forgotten");
            }
            Slash::System(text) => {
                self.chat.history.set_system(&text);
                self.tell(if text.is_empty() {
                    "there is no system prompt now"
                } else {
                    "the model is told so from now on"
                });
            }
            Slash::Set(None) => self.printer.text(&self.settings.to_toml()?)?,
            Slash::Set(Some(assignment)) => {
                self.settings.set(&assignment)?;
                self.tell(format_args!("{assignment} from now on"));
            }
            Slash::Save(path, overwrite) => {
                saved::save(&self.chat.history, &path, overwrite)?;
                let n = self.chat.history.messages().len();
                let name = path.display();
                self.tell(format_args!("{n} messages written to {name}"));
            }
            Slash::Load(path) => {
                self.chat.history = saved::load(&path).context("nothing loaded")?;
                let n = self.chat.history.messages().len();
                self.tell(format_args!("{n} messages loaded"));
            }
            Slash::Stats => match &self.chat.stats {
                Some(stats) => self.printer.line(stats)?,
                None => self.printer.line("no answer yet")?,
            },
            Slash::Quit => return Ok(Next::End),
        }
        Ok(Next::Entry)
    }

    fn help(&self) -> anyhow::Result<()> {
        let palette = Palette::stdout();
        let row = |name: &str, what: &str| {
            let name = palette.name(format_args!("{name:<22}"));
            self.printer.line(format_args!("{name} {what}"))
        };
        for (name, arguments, what) in COMMANDS {
            row(&format!("/{name} {arguments}"), what)?;
        }
        for (mark, what) in HINTS {
            row(mark, what)?;
        }
        Ok(())
    }
}
