//! `llm search export`: the trials of a search for other programs.

use std::io::Write;
use std::path::PathBuf;

use super::opened;
use crate::failure::usage;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;
use crate::search::Figures;

/// Arguments of `llm search export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the search
    folder: PathBuf,
    /// File to write: .csv, a row for each trial; .json, all results; or .jsonl, the journal as Optuna reads it
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write over a file that exists
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let extension = args
        .output
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if !["csv", "json", "jsonl"].contains(&&*extension) {
        return Err(usage(format_args!(
            "{}: expected a name that ends in .csv, .json or .jsonl",
            args.output.display()
        )));
    }
    let (settings, results) = opened(&args.folder)?;
    let text = match &*extension {
        "csv" => {
            let (head, rows) = Figures::new(&results, &settings)?.table();
            let lines = std::iter::once(&head).chain(&rows);
            lines
                .map(|row| {
                    row.iter()
                        .map(|cell| quoted(cell))
                        .collect::<Vec<_>>()
                        .join(",")
                        + "\n"
                })
                .collect()
        }
        "json" => serde_json::to_string_pretty(&results)? + "\n",
        _ => crate::input::read_text(&args.folder.join("study.jsonl"))?,
    };
    let mut file = OutputFile::create(&args.output, Overwrite::from_force(args.force))?;
    file.write_all(text.as_bytes())?;
    file.finish()?;
    printer.line(args.output.display())?;
    Ok(())
}

/// A cell of a CSV file (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
