//! `llm eval`: measure a model.

mod logits;
mod perplexity;

use clap::Subcommand;

use crate::printer::Printer;

/// The measurements.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How well a model predicts a text
    Perplexity(perplexity::Args),
    /// The scores of every token at every position of a text, for other programs to compare with
    Logits(logits::Args),
}

/// Runs the command.
///
/// # Errors
/// The model or the text can't be read, or the window does not fit.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Perplexity(args) => perplexity::run(args, printer),
        Command::Logits(args) => logits::run(args, printer),
    }
}
