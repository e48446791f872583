//! `llm tokenizer eval`: how well tokenizers fit texts.

use std::path::{Path, PathBuf};

use llm_tokenizer::TokenizerReport;
use serde::Serialize;

use crate::named_model;
use crate::printer::Printer;
use crate::text_source::{Reading, TextArgs};

/// Arguments of `llm tokenizer eval`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Tokenizers, as for `llm tokenizer encode`
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    tokenizer: Vec<PathBuf>,
    /// The texts, a row for each file
    #[command(flatten)]
    text: TextArgs,
    /// Print a JSON object in a line for each tokenizer
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Named<'a> {
    /// Where the tokenizer is.
    path: &'a Path,
    #[serde(flatten)]
    report: &'a TokenizerReport,
}

/// Runs the command.
///
/// # Errors
/// The texts or a tokenizer can't be read.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let config = args.text.configuration("")?;
    let mut documents = Reading::open(&config.data)?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for document in documents.by_ref() {
        let document = document?;
        let file = document.file().to_owned();
        match texts.last_mut() {
            Some((name, text)) if *name == file => {
                text.push('\n');
                text.push_str(&document.text);
            }
            _ => texts.push((file, document.text)),
        }
    }
    documents.finish(printer);
    for path in &args.tokenizer {
        let tokenizer = named_model::load_tokenizer(path)?;
        let texts = texts.iter().map(|(name, text)| (name.as_str(), text));
        let report = TokenizerReport::new(&tokenizer, texts)
            .map_err(|error| anyhow::Error::new(error).context(path.display().to_string()))?;
        if args.json {
            printer.json(&Named {
                path,
                report: &report,
            })?;
        } else {
            printer.line(format_args!("{}", path.display()))?;
            printer.line(report.to_string().trim_end())?;
        }
    }
    Ok(())
}
