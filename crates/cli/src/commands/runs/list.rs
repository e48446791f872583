//! `llm runs list`: the runs in a folder, a line each.

use std::path::PathBuf;

use crate::printer::Printer;
use crate::quantity::{count, duration, with_commas};
use crate::run_folder::RUNS;
use crate::runs::{StoredRun, Summary};
use crate::screen;
use crate::table::{Align, Table};

/// Arguments of `llm runs list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the run folders
    #[arg(value_name = "DIR", default_value = RUNS)]
    folder: PathBuf,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// The folder can't be read.
pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let (runs, faults) = StoredRun::all(&args.folder)?;
    for fault in faults {
        printer.warn(crate::failure::one_line(&fault));
    }
    let summaries: Vec<Summary> = runs.iter().map(Summary::of).collect();
    if args.json {
        return printer.json(&summaries);
    }
    if summaries.is_empty() {
        printer.note(format_args!("{}: holds no runs", args.folder.display()));
        return Ok(());
    }
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("state", Align::Left),
        ("family", Align::Left),
        ("params", Align::Right),
        ("steps", Align::Right),
        ("validation", Align::Right),
        ("best", Align::Right),
        ("tokens/s", Align::Right),
        ("time", Align::Right),
    ])
    .in_pairs();
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let loss = |loss: Option<f64>| or_nothing(loss.map(|loss| format!("{loss:.4}")));
    for summary in &summaries {
        table.push(vec![
            summary.name.clone(),
            summary.state.name().to_owned(),
            summary.family.to_owned(),
            or_nothing(summary.parameters.map(|n| count(n as f64))),
            format!("{}/{}", summary.step, summary.max_steps),
            loss(summary.validation_loss),
            loss(summary.best_validation_loss),
            or_nothing(
                summary
                    .tokens_per_s
                    .map(|speed| with_commas(speed.round() as u64)),
            ),
            duration(summary.seconds),
        ]);
    }
    for line in table.lines(screen::width()) {
        printer.line(line)?;
    }
    Ok(())
}
