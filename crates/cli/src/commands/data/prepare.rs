//! `llm data prepare`: the tokens of a training run, ahead of it.

use std::time::Instant;

use llm_data::TokenShard;
use serde::Serialize;

use crate::cache_folder;
use crate::config::DEFAULT_TOML;
use crate::printer::Printer;
use crate::text_source::{TextArgs, tell_skipped};

/// Arguments of `llm data prepare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text; the tables data and tokenizer say what is made of it, as for `llm train`
    #[command(flatten)]
    text: TextArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report {
    /// Where the tokens lie.
    folder: std::path::PathBuf,
    /// Whether they were there already.
    from_cache: bool,
    tokenizer: String,
    train: PartReport,
    validation: PartReport,
    /// Records passed over.
    skipped: llm_data::Skipped,
    seconds: f64,
}

/// A part of the text.
#[derive(Serialize)]
struct PartReport {
    documents: usize,
    tokens: usize,
    bytes: u64,
    characters: u64,
}

impl PartReport {
    fn of(shard: &TokenShard) -> Self {
        Self {
            documents: shard.documents(),
            tokens: shard.len(),
            bytes: shard.bytes(),
            characters: shard.chars(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The text or the tokenizer can't be read, or the tokens can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let config = args.text.configuration(DEFAULT_TOML)?;
    let start = Instant::now();
    let prepared = llm_data::prepare(&config.data, &config.tokenizer, &cache_folder::find()?)?;
    tell_skipped(&prepared.skipped, printer);
    let report = Report {
        from_cache: prepared.from_cache,
        tokenizer: prepared.tokenizer.describe(),
        train: PartReport::of(&prepared.train),
        validation: PartReport::of(&prepared.validation),
        skipped: prepared.skipped,
        folder: prepared.folder,
        seconds: start.elapsed().as_secs_f64(),
    };
    if args.json {
        return printer.json(&report);
    }
    printer.line(format_args!("tokenizer   {}", report.tokenizer))?;
    for (name, part) in [("train", &report.train), ("validation", &report.validation)] {
        printer.line(format_args!(
            "{name:10}  {} tokens of {} documents, {} bytes",
            part.tokens, part.documents, part.bytes
        ))?;
    }
    let made = if report.from_cache {
        "were there"
    } else {
        "made"
    };
    printer.line(format_args!(
        "tokens      {}, {made} in {:.1} s",
        report.folder.display(),
        report.seconds
    ))?;
    Ok(())
}
