//! `llm data synth`: stories made by a grammar, and how much of a text it can make.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::usage;
use crate::input;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;

/// Arguments of `llm data synth`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seed of the stories
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How much text to make, such as 500KB or 10MB; the last story is completed
    #[arg(long, default_value = "10MB")]
    size: String,
    /// File to write to; without it the stories go to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long)]
    force: bool,
    /// Check this text instead: print the share of its sentences and stories that the grammar can make; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "size", "output", "force"])]
    check: Option<PathBuf>,
    /// Print the shares as one JSON object
    #[arg(long, requires = "check")]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// The output can't be written or the text can't be read.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    match &args.check {
        Some(path) => check(path, args.json, printer),
        None => write(args, printer),
    }
}

fn write(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let size =
        llm_data::parse_size(&args.size).map_err(|error| usage(format_args!("--size: {error}")))?;
    if size == 0 {
        return Err(usage("--size: must be at least 1 byte"));
    }
    let summary = match &args.output {
        Some(path) => {
            let mut out =
                BufWriter::new(OutputFile::create(path, Overwrite::from_force(args.force))?);
            let summary = llm_data::write_corpus(args.seed, size, &mut out)?;
            out.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .finish()?;
            summary
        }
        None => {
            let mut out = BufWriter::new(printer.out());
            let summary = llm_data::write_corpus(args.seed, size, &mut out)?;
            out.flush()?;
            summary
        }
    };
    printer.note(format_args!(
        "{} stories, {} bytes",
        summary.stories, summary.bytes
    ));
    Ok(())
}

fn check(path: &Path, json: bool, printer: Printer) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Shares {
        sentences: usize,
        sentences_parsed: usize,
        sentence_share: f64,
        stories: usize,
        stories_parsed: usize,
        story_share: f64,
    }

    let found = llm_data::check(&input::read_text(path)?);
    let shares = Shares {
        sentences: found.sentences,
        sentences_parsed: found.sentences_parsed,
        sentence_share: found.sentence_share(),
        stories: found.stories,
        stories_parsed: found.stories_parsed,
        story_share: found.story_share(),
    };
    if json {
        return printer.json(&shares);
    }
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    printer.line(format_args!(
        "sentences  {:>9}  {} of {}",
        percent(shares.sentence_share),
        shares.sentences_parsed,
        shares.sentences
    ))?;
    printer.line(format_args!(
        "stories    {:>9}  {} of {}",
        percent(shares.story_share),
        shares.stories_parsed,
        shares.stories
    ))?;
    Ok(())
}
