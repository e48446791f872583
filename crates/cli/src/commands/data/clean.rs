//! `llm data clean`: text in, clean text out, and a report of what was removed.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use llm_data::CleanConfig;
use serde::Serialize;

use crate::document_file::{DocumentFile, write_json_line};
use crate::failure::usage;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;
use crate::text_source::{Reading, TextArgs};

/// Arguments of `llm data clean`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text; data.clean says how it is cleaned, by default as --recommended prints
    #[command(flatten)]
    text: TextArgs,
    /// File to write: .jsonl, or .txt with a line between documents; without it JSON lines go to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over --output and --report
    #[arg(long)]
    force: bool,
    /// File for the report as JSON, with examples of what was removed
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the settings that are recommended, for a configuration file, and clean nothing
    #[arg(long, conflicts_with_all = ["output", "report", "force", "data", "config", "set"])]
    recommended: bool,
}

/// Runs the command.
///
/// # Errors
/// The text can't be read, a setting is wrong, or the output can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let recommended = recommended()?;
    if args.recommended {
        printer.text(&recommended)?;
        return Ok(());
    }
    let config = args.text.configuration(&recommended)?;
    if config.data.clean.is_off() {
        return Err(usage(
            "data.clean: nothing is switched on; `llm data clean --recommended` prints a table to begin with",
        ));
    }
    if args.output.is_some() && args.output == args.report {
        return Err(usage("--report: names the file of --output; give another"));
    }
    let overwrite = Overwrite::from_force(args.force);
    let report = args.report.as_deref();
    let report = report
        .map(|path| OutputFile::create(path, overwrite))
        .transpose()?;
    let mut documents = Reading::open(&config.data)?;
    let separator = config.data.document_separator;
    match &args.output {
        Some(path) => {
            let mut file = DocumentFile::create(path, &separator, overwrite)?;
            for document in documents.by_ref() {
                let document = document?;
                file.write(&document.text, &document.origin)?;
            }
            file.finish()?;
        }
        None => {
            let mut out = BufWriter::new(printer.out());
            for document in documents.by_ref() {
                write_json_line(&mut out, &document?.text)?;
            }
            out.flush()?;
        }
    }
    if let Some(mut file) = report {
        serde_json::to_writer_pretty(&mut file, &documents.report())?;
        file.write_all(b"\n")?;
        file.finish()?;
    }
    documents.finish(printer);
    Ok(())
}

/// The recommended cleaning as a configuration file.
fn recommended() -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct File {
        data: Data,
    }
    #[derive(Serialize)]
    struct Data {
        clean: CleanConfig,
    }
    let clean = CleanConfig::recommended();
    Ok(toml::to_string(&File {
        data: Data { clean },
    })?)
}
