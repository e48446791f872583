//! `llm tokenizer extend`: more tokens for a tokenizer.

use std::path::PathBuf;

use super::TokenizerArg;
use crate::failure::as_usage;
use crate::output::{self, Overwrite};
use crate::printer::Printer;
use crate::{interrupt, named_model};

/// Arguments of `llm tokenizer extend`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tokenizer: TokenizerArg,
    /// A token to add, which then is never cut. May be repeated
    #[arg(
        long,
        value_name = "TOKEN",
        required = true,
        allow_hyphen_values = true
    )]
    add: Vec<String>,
    /// Make them special tokens: text never becomes one, and decoding leaves them out
    #[arg(long)]
    special: bool,
    /// Folder to write `tokenizer.json` and `tokenizer_config.json` to
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Write into a folder that has files in it
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// The tokenizer can't be read, a token is there already, or the folder can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    output::check_folder(&args.output_dir, Overwrite::from_force(args.force))?;
    let tokenizer = named_model::load_tokenizer(&args.tokenizer.tokenizer)?;
    let extended = tokenizer
        .extended(&args.add, args.special)
        .map_err(as_usage)?;
    // Its files belong together; they are written in no time.
    interrupt::defer();
    extended.save(&args.output_dir)?;
    printer.line(format_args!(
        "{}: {}",
        args.output_dir.display(),
        extended.describe()
    ))?;
    for token in &args.add {
        if let Some(id) = extended.id_of(token) {
            printer.line(format_args!("{id:>8}  {token}"))?;
        }
    }
    Ok(())
}
