//! `llm`: make a language model of your own, from raw text to generation.

mod args;
mod cache_folder;
mod commands;
mod config;
mod continuation;
mod curves;
mod document_file;
mod failure;
mod gguf_tokenizer;
mod hub;
mod input;
mod interrupt;
mod live;
mod named_model;
mod names;
mod output;
mod palette;
mod printer;
mod progress;
mod quantity;
mod run_folder;
mod runs;
mod sampling;
mod screen;
mod search;
mod stop_matcher;
mod table;
mod text_source;
mod token_input;
mod training;

use std::io;
use std::process::ExitCode;

use args::Cli;
use printer::{Printer, Verbosity};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: llm_core::memory::HugePages = llm_core::memory::HugePages;

fn main() -> ExitCode {
    llm_core::memory::keep_large_buffers();
    let cli = match Cli::from_process() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let verbosity = if cli.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    install_log(verbosity);
    let result = llm_core::threads::start(cli.threads)
        .map_err(Into::into)
        .and_then(|()| interrupt::install())
        .and_then(|()| commands::run(cli.command, Printer::new(verbosity)));
    interrupt::settle();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            printer::error(failure::one_line(&error));
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

/// Help and version are results; anything else is a fault in the arguments.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        printer::error(failure::clap_line(error));
        return ExitCode::from(2);
    }
    // A closed stdout is no failure.
    let _ = error.print();
    ExitCode::SUCCESS
}

/// Sends the events of the libraries to stderr: warnings, or what `RUST_LOG` asks for; errors only when quiet.
fn install_log(verbosity: Verbosity) {
    let filter = match verbosity {
        Verbosity::Quiet => EnvFilter::new("error"),
        Verbosity::Normal => {
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"))
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .without_time()
        .with_target(false)
        .init();
}
