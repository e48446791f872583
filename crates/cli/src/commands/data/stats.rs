//! `llm data stats`: what is in a text.

use llm_data::TextStats;

use crate::printer::Printer;
use crate::text_source::{Reading, TextArgs};

/// Arguments of `llm data stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text
    #[command(flatten)]
    text: TextArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// The text can't be read.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let config = args.text.configuration("")?;
    let mut documents = Reading::open(&config.data)?;
    let mut stats = TextStats::default();
    for document in documents.by_ref() {
        stats.add(&document?.text);
    }
    documents.finish(printer);
    let summary = stats.summary();
    if args.json {
        return printer.json(&summary);
    }
    printer.text(&summary.to_string())?;
    Ok(())
}
