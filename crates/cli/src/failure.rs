//! How a command ends badly: the one line it prints and the exit code it leaves.
//!
//! 2 for usage (arguments, flags, `--set`), 1 for data (existence or content of a file, numbers that are not finite), 130 and 143 after
//! Ctrl-C and SIGTERM. A closed stdout (`llm … | head`) is no failure.

use std::fmt::Display;
use std::io;

use crate::interrupt::Signal;

/// A fault in the arguments, flags or `--set`; ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

/// The user asked to stop; ends with the exit code of the signal.
#[derive(Debug, thiserror::Error)]
#[error("stopped by {}", .0.name())]
pub(crate) struct Interrupted(pub(crate) Signal);

/// An error that ends with exit code 2 and says `message`.
pub(crate) fn usage(message: impl Display) -> anyhow::Error {
    UsageError(message.to_string()).into()
}

/// Turns an error caused by an argument into one that ends with exit code 2; its chain becomes the message.
pub(crate) fn as_usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    usage(one_line(&error.into()))
}

/// The exit code for `error`.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(Interrupted(signal)) = error.downcast_ref() {
        signal.exit_code()
    } else if error.is::<UsageError>() {
        2
    } else {
        1
    }
}

/// Whether the reader of stdout has gone away, after which there is nobody to talk to.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error.chain().filter_map(|e| e.downcast_ref::<io::Error>());
    io_errors
        .into_iter()
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// The chain of causes as one line. A cause that its consequence already quotes is left out.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = flatten(&cause.to_string());
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// Text of several lines on one: white space around line ends becomes one space.
pub(crate) fn flatten(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// What clap has to say, on one line: the complaint and its tips, without the summary of usage.
pub(crate) fn clap_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let complaint = text.split("\n\nUsage:").next().unwrap_or_default();
    let complaint = complaint
        .split("\n\nFor more information")
        .next()
        .unwrap_or_default();
    let paragraphs = complaint
        .split("\n\n")
        .map(flatten)
        .filter(|p| !p.is_empty());
    let line = paragraphs.collect::<Vec<_>>().join("; ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn codes_follow_the_kind_of_the_error_through_any_context() {
        assert_eq!(exit_code(&anyhow!("data")), 1);
        assert_eq!(exit_code(&usage("flag")), 2);
        assert_eq!(
            exit_code(&Err::<(), _>(usage("flag")).context("while").unwrap_err()),
            2
        );
        assert_eq!(exit_code(&Interrupted(Signal::Interrupt).into()), 130);
        assert_eq!(exit_code(&Interrupted(Signal::Terminate).into()), 143);
    }

    #[test]
    fn a_chain_is_one_line_without_repeats() {
        let error = anyhow!("no\n  such file")
            .context("cannot read a.txt")
            .context("outer: cannot read a.txt");
        assert_eq!(one_line(&error), "outer: cannot read a.txt: no such file");
    }

    #[test]
    fn a_broken_pipe_is_found_behind_contexts() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&anyhow::Error::new(pipe).context("writing")));
        assert!(!is_broken_pipe(&anyhow!("else")));
    }
}
