//! `llm tokenizer encode`: from text to token ids.

use serde::Serialize;

use super::{OneText, TokenizerArg};
use crate::named_model;
use crate::printer::Printer;

/// Arguments of `llm tokenizer encode`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tokenizer: TokenizerArg,
    #[command(flatten)]
    text: OneText,
    /// Print one JSON object with the ids and the tokens
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// The text or the tokenizer can't be read, or they do not fit together.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Encoded {
        ids: Vec<u32>,
        tokens: Vec<String>,
    }

    let tokenizer = named_model::load_tokenizer(&args.tokenizer.tokenizer)?;
    let (name, text) = args.text.read()?;
    let ids = tokenizer
        .encode(&text)
        .map_err(|error| args.text.unfit(name, error))?;
    if args.json {
        let tokens = ids
            .iter()
            .map(|&id| tokenizer.token(id).unwrap_or_default())
            .collect();
        return printer.json(&Encoded { ids, tokens });
    }
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    printer.line(ids.join(" "))?;
    Ok(())
}
