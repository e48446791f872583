//! `llm data`: look at text, clean it, split it, make it ready for training, or make some.

mod clean;
mod prepare;
mod split;
mod stats;
mod synth;

use clap::Subcommand;

use crate::printer::Printer;

/// The commands on text.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count what is in a text: documents, words, scripts, lengths, duplicates
    Stats(stats::Args),
    /// Clean text and tell what was removed and why
    Clean(clean::Args),
    /// Write text as a training and a validation part
    Split(split::Args),
    /// Make the tokens that `llm train` would make, before it needs them
    Prepare(prepare::Args),
    /// Write small stories made by a grammar, or check how much of a text the grammar can make
    Synth(synth::Args),
}

/// Runs the command.
///
/// # Errors
/// The text can't be read, or the output can't be written.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Stats(args) => stats::run(args, printer),
        Command::Clean(args) => clean::run(args, printer),
        Command::Split(args) => split::run(args, printer),
        Command::Prepare(args) => prepare::run(args, printer),
        Command::Synth(args) => synth::run(args, printer),
    }
}
