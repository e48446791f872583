//! The command line as a whole: global flags, the list of commands, and the spellings that are accepted.

use std::num::NonZeroUsize;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use llm_core::device::{DeviceChoice, DeviceError};

use crate::commands::{
    chat, compare, convert, data, eval, generate, inspect, models, plan, runs, search, selftest,
    tokenizer, train,
};
use crate::failure;

/// Make a language model of your own, from raw text to generation.
#[derive(Debug, Parser)]
#[command(name = "llm", version)]
pub(crate) struct Cli {
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Threads that compute; at most 1024. Default: RAYON_NUM_THREADS, else one for each processor
    #[arg(long, value_name = "N", global = true, value_parser = n_threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model on text
    Train(train::Args),
    /// Say what a training run needs and how long it takes, before it begins
    Plan(plan::Args),
    /// Find settings by many small training runs
    Search(search::Args),
    /// Continue prompts with a trained model
    Generate(generate::Args),
    /// Talk with a trained model
    Chat(chat::Args),
    /// Measure a model
    #[command(subcommand)]
    Eval(eval::Command),
    /// Compare the predictions of two models for the same text
    Compare(compare::Args),
    /// Look inside a model
    #[command(subcommand)]
    Inspect(inspect::Command),
    /// Write a model in another format or precision, and read it back
    Convert(convert::Args),
    /// Check that a model computes the same in every way it can
    Selftest(selftest::Args),
    /// Make and use tokenizers
    #[command(subcommand)]
    Tokenizer(tokenizer::Command),
    /// Make and check text
    #[command(subcommand)]
    Data(data::Command),
    /// List, show, compare, draw and remove runs
    #[command(subcommand)]
    Runs(runs::Command),
    /// List the model presets
    Models(models::Args),
}

/// A number of threads that a machine could have.
fn n_threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(NonZeroUsize::new(n).expect("at least 1")),
        _ => Err("give a whole number from 1 to 1024".into()),
    }
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Device: auto, cpu, ndarray, wgpu, wgpu:INDEX, cuda or cuda:INDEX
    #[arg(long, value_name = "NAME", default_value = "auto")]
    device: DeviceChoice,
}

impl std::fmt::Display for DeviceArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.device.fmt(f)
    }
}

impl DeviceArgs {
    /// Opens the device.
    ///
    /// # Errors
    /// It is not compiled in or not there; ends with exit code 2.
    pub(crate) fn open(self) -> anyhow::Result<burn::prelude::Device> {
        self.device
            .open()
            .map_err(|error: DeviceError| failure::usage(format_args!("--device: {error}")))
    }
}

impl Cli {
    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// What clap reports, help and version included.
    pub(crate) fn from_process() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&command().try_get_matches()?)
    }
}

/// The command line as it is parsed.
fn command() -> clap::Command {
    adjusted(Cli::command())
}

/// Adds the second spelling to every flag of several words, `--output_dir` to `--output-dir`. Makes a negative number a bad value, not an
/// unknown flag, and a missing command an error of one line like any other, not a page of help.
fn adjusted(command: clap::Command) -> clap::Command {
    let command = command.arg_required_else_help(false).mut_args(|arg| {
        let takes_values = arg.get_action().takes_values();
        let arg = arg.allow_negative_numbers(takes_values);
        match arg.get_long() {
            Some(long) if long.contains('-') => {
                let alias = long.replace('-', "_");
                arg.alias(alias)
            }
            _ => arg,
        }
    });
    command.mut_subcommands(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        command().debug_assert();
    }

    #[test]
    fn flags_of_several_words_have_two_spellings() {
        #[track_caller]
        fn check(arguments: &[&str]) {
            let cli = command()
                .try_get_matches_from(arguments)
                .and_then(|matches| Cli::from_arg_matches(&matches));
            let Ok(Cli {
                command: Command::Train(train),
                ..
            }) = cli
            else {
                panic!("{arguments:?}")
            };
            assert_eq!(train.output_dir.as_deref(), Some(std::path::Path::new("x")));
        }
        check(&["llm", "train", "--output-dir", "x"]);
        check(&["llm", "train", "--output_dir", "x"]);
        check(&["llm", "train", "--output_dir=x"]);
    }
}
