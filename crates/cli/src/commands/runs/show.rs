//! `llm runs show`: one run.

use std::path::PathBuf;

use serde::Serialize;

use super::{ReportArgs, print_curves};
use crate::config::{Config, differences};
use crate::printer::Printer;
use crate::runs::curves::{Against, Metric, Smoothing, curves};
use crate::runs::report::value;
use crate::runs::{StoredRun, Summary};
use crate::training::samples::{self, Sample};

/// Arguments of `llm runs show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run: its folder, or its name in `runs`
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The page
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    settings: &'a Config,
    samples: &'a [Sample],
}

/// Runs the command.
///
/// # Errors
/// The run can't be found or read, or the page not written.
pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    args.report.check()?;
    let runs = [StoredRun::find(&args.run)?];
    let [run] = &runs;
    let summary = Summary::of(run);
    let samples = samples::read(&run.folder)?;
    args.report.write(&runs, printer)?;
    if args.json {
        return printer.json(&Shown {
            summary: &summary,
            settings: &run.config,
            samples: &samples,
        });
    }
    printer.line(&summary.folder)?;
    for (name, words) in summary.rows() {
        printer.line(format_args!("  {name:<16} {words}"))?;
    }
    let settings = run.config.flat()?;
    let changed = differences(&[&Config::default().flat()?, &settings]);
    printer.line("")?;
    printer.line("settings that are not the defaults of the program")?;
    for key in changed.iter().filter(|key| settings.contains_key(*key)) {
        printer.line(format_args!("  {key:<28} {}", value(&settings, key)))?;
    }
    let names = [summary.name.clone()];
    let loss = curves(&runs, &names, Metric::Loss, Against::Step, Smoothing(None));
    if !loss.is_empty() {
        printer.line("")?;
        print_curves(&loss, Metric::Loss, Against::Step, false, printer)?;
    }
    if let Some(sample) = samples.last() {
        printer.line("")?;
        printer.line(format_args!("sample at step {}", sample.step))?;
        printer.line(sample.text.trim())?;
    }
    Ok(())
}
