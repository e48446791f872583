//! The only door to stdout and stderr: stdout carries the result, stderr the talk.

use std::fmt::Display;
use std::io::{self, IsTerminal, StdoutLock, Write};

use serde::Serialize;

/// How much talk there is on stderr. The result on stdout does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What is being done, and warnings.
    Normal,
}

/// Writes results and talk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    verbosity: Verbosity,
}

impl Printer {
    /// A printer with so much talk.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }

    /// How much talk there is.
    pub(crate) fn verbosity(self) -> Verbosity {
        self.verbosity
    }

    /// Stdout, for results of many lines; its errors name it.
    pub(crate) fn out(self) -> impl Write {
        Stdout(io::stdout().lock())
    }

    /// Writes one line of the result.
    ///
    /// # Errors
    /// Stdout is closed or full.
    pub(crate) fn line(self, line: impl Display) -> io::Result<()> {
        writeln!(self.out(), "{line}")
    }

    /// Writes one line of JSON.
    ///
    /// # Errors
    /// Stdout is closed or full.
    pub(crate) fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(value)?;
        Ok(self.line(line)?)
    }

    /// Writes `text` as it is and shows it at once.
    ///
    /// # Errors
    /// Stdout is closed or full.
    pub(crate) fn text(self, text: &str) -> io::Result<()> {
        let mut stdout = self.out();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Writes the exact bytes of `text`; on a terminal a line end follows if there is none, so that the prompt does not stick to it.
    ///
    /// # Errors
    /// Stdout is closed or full.
    pub(crate) fn exact(self, text: &str) -> io::Result<()> {
        let add_line_end = io::stdout().is_terminal() && !text.ends_with('\n');
        self.text(text)?;
        if add_line_end {
            self.text("\n")
        } else {
            Ok(())
        }
    }

    /// Says on stderr what is being done; nothing when quiet. A closed stderr is no failure.
    pub(crate) fn note(self, line: impl Display) {
        if self.verbosity == Verbosity::Normal {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// Warns on stderr; nothing when quiet.
    pub(crate) fn warn(self, line: impl Display) {
        self.note(format_args!("warning: {line}"));
    }
}

/// Stdout, whose errors name it.
struct Stdout(StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(of_stdout)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(of_stdout)
    }
}

fn of_stdout(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("stdout: cannot write: {error}"))
}

/// Says on stderr why the program ends.
pub(crate) fn error(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "error: {line}");
}
