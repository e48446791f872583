//! `llm inspect`: what a model is made of, what its numbers are like, and what happens in it while it reads.

mod attention;
mod difference;
mod logit_lens;
mod model;
mod seen;
mod selection;
mod tensors;
mod tree;
mod view;

use clap::Subcommand;

use crate::printer::Printer;

/// What is looked at.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The tree of a model's parameters: shapes, sizes, and shares of the whole
    Model(model::Args),
    /// The numbers of each tensor, or how two models differ: ranges, norms, values that are not finite
    Tensors(tensors::Args),
    /// Where each head looks while the model reads a text
    Attention(attention::Args),
    /// What the model would predict after each block (logit lens)
    LogitLens(logit_lens::Args),
}

/// Runs the command.
///
/// # Errors
/// The model can't be read, or there is nothing of the kind that was asked for.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Model(args) => model::run(args, printer),
        Command::Tensors(args) => tensors::run(args, printer),
        Command::Attention(args) => attention::run(args, printer),
        Command::LogitLens(args) => logit_lens::run(args, printer),
    }
}
