//! `llm tokenizer`: make a tokenizer, look at what it does, and turn text into token ids and back.

mod decode;
mod encode;
mod eval;
mod extend;
mod inspect;
mod train;

use std::path::PathBuf;

use clap::Subcommand;
use llm_tokenizer::TokenizerError;

use crate::failure::as_usage;
use crate::input;
use crate::printer::Printer;

/// The commands on tokenizers.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a tokenizer from text
    Train(train::Args),
    /// Turn text into token ids
    Encode(encode::Args),
    /// Turn token ids into text
    Decode(decode::Args),
    /// Show the tokens of a text, told apart by colours
    Inspect(inspect::Args),
    /// Measure how well tokenizers fit texts: bytes per token, by text and by script
    Eval(eval::Args),
    /// Add tokens to a tokenizer
    Extend(extend::Args),
}

/// Runs the command.
///
/// # Errors
/// The text or the tokenizer can't be read, or they do not fit together.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(args, printer),
        Command::Encode(args) => encode::run(args, printer),
        Command::Decode(args) => decode::run(args, printer),
        Command::Inspect(args) => inspect::run(args, printer),
        Command::Eval(args) => eval::run(args, printer),
        Command::Extend(args) => extend::run(args, printer),
    }
}

/// Which tokenizer is meant.
#[derive(Debug, clap::Args)]
struct TokenizerArg {
    /// Tokenizer: a tokenizer.json or a folder with one, a .model file of SentencePiece or tiktoken, a .gguf file, or a tokenizer.bin of llama2.c
    #[arg(long, value_name = "PATH")]
    tokenizer: PathBuf,
}

/// A text that is given or named.
#[derive(Debug, clap::Args)]
struct OneText {
    /// The text; without --text and --file it is read from stdin, to the last byte
    #[arg(long, conflicts_with = "file", allow_hyphen_values = true)]
    text: Option<String>,
    /// File with the text
    #[arg(long)]
    file: Option<PathBuf>,
}

impl OneText {
    /// The error for a text, by its name, that the tokenizer has no tokens for; arguments are to blame where it stands among them.
    fn unfit(&self, name: String, error: TokenizerError) -> anyhow::Error {
        let error = anyhow::Error::new(error).context(name);
        match self.text {
            Some(_) => as_usage(error),
            None => error,
        }
    }

    /// What it is called in messages, and the text.
    ///
    /// # Errors
    /// The file or stdin can't be read.
    fn read(&self) -> anyhow::Result<(String, String)> {
        Ok(match (&self.text, &self.file) {
            (Some(text), _) => ("--text".to_owned(), text.clone()),
            (None, Some(path)) => (path.display().to_string(), input::read_text(path)?),
            (None, None) => ("stdin".to_owned(), input::read_stdin("--text or --file")?),
        })
    }
}
