//! The project's own chores: `cargo xtask ci | readme | tidy | golden | bench`.
//!
//! `ci` is the one command that checks everything; the others are its stages or make files that are kept in the
//! repository. Nothing here is needed to build or use `llm`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore's report is its output: results on stdout, the talk on stderr"
)]

mod bench;
mod ci;
mod golden;
mod postgres;
mod readme;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check everything: format, lints, docs, backends, README, tests.
    Ci(ci::Args),
    /// Run the commands of README.md, and compare its figures with the measured ones.
    Readme(readme::Args),
    /// Check what a reviewer forgets: module docs, crate directions, links, file sizes.
    Tidy,
    /// Make the golden files again with the reference frameworks.
    Golden(golden::Args),
    /// Measure training and decoding, alone or side by side with PyTorch and transformers.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = Workspace::find().and_then(|workspace| match cli.command {
        Command::Ci(args) => ci::run(&workspace, &args),
        Command::Readme(args) => readme::run(&workspace, &args).map(|()| ExitCode::SUCCESS),
        Command::Tidy => tidy::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Golden(args) => golden::run(&workspace, &args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&workspace, &args).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
