//! One module for each command: its arguments, and what it does.

pub(crate) mod chat;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod data;
pub(crate) mod eval;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod models;
pub(crate) mod plan;
pub(crate) mod runs;
pub(crate) mod search;
pub(crate) mod selftest;
pub(crate) mod tokenizer;
pub(crate) mod train;

use crate::args::Command;
use crate::printer::Printer;

/// Runs a command.
///
/// # Errors
/// Whatever makes the command end without its result.
pub(crate) fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(&args, printer),
        Command::Plan(args) => plan::run(&args, printer),
        Command::Generate(args) => generate::run(&args, printer),
        Command::Chat(args) => chat::run(&args, printer),
        Command::Convert(args) => convert::run(&args, printer),
        Command::Inspect(command) => inspect::run(&command, printer),
        Command::Search(args) => search::run(&args, printer),
        Command::Selftest(args) => selftest::run(&args, printer),
        Command::Eval(command) => eval::run(&command, printer),
        Command::Compare(args) => compare::run(&args, printer),
        Command::Tokenizer(command) => tokenizer::run(&command, printer),
        Command::Data(command) => data::run(&command, printer),
        Command::Runs(command) => runs::run(&command, printer),
        Command::Models(args) => models::run(&args, printer),
    }
}
