//! Colour, on a terminal whose user has not said `NO_COLOR` (<https://no-color.org>).

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};

/// Whether text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    is_on: bool,
}

impl Palette {
    /// For what goes to stdout.
    pub(crate) fn stdout() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// For what goes to stderr.
    pub(crate) fn stderr() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            is_on: is_terminal && !refused && !is_dumb,
        }
    }

    /// Whether there is colour.
    pub(crate) fn is_on(self) -> bool {
        self.is_on
    }

    /// What matters most.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What may be passed over.
    pub(crate) fn faint(self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What was chosen, or is the user's turn.
    pub(crate) fn chosen(self, text: impl Display) -> String {
        self.paint(
            Style::new().bold().fg_color(Some(AnsiColor::Green.into())),
            text,
        )
    }

    /// A name that the user may type.
    pub(crate) fn name(self, text: impl Display) -> String {
        self.paint(Style::new().fg_color(Some(AnsiColor::Cyan.into())), text)
    }

    /// What was taken away.
    pub(crate) fn lost(self, text: impl Display) -> String {
        self.paint(Style::new().fg_color(Some(AnsiColor::Red.into())), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.is_on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_the_text_is_bare() {
        assert_eq!(Palette { is_on: false }.chosen("a"), "a");
        assert_eq!(Palette { is_on: true }.strong("a"), "\u{1b}[1ma\u{1b}[0m");
    }
}
