//! `llm runs compare`: runs side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{ReportArgs, print_curves};
use crate::config::{Flat, differences};
use crate::printer::Printer;
use crate::runs::curves::{Against, Metric, Smoothing, curves};
use crate::runs::report::value;
use crate::runs::{StoredRun, Summary, names};
use crate::screen;
use crate::table::{Align, Table};

/// Arguments of `llm runs compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs, at least two: their folders, or their names in `runs`
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    runs: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The page
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Serialize)]
struct Compared<'a> {
    runs: &'a [Summary],
    /// Each setting that differs, with its value in every run; null where it has none.
    settings: BTreeMap<&'a str, Vec<Option<&'a toml::Value>>>,
}

/// Runs the command.
///
/// # Errors
/// A run can't be found or read, or the page not written.
pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    args.report.check()?;
    let runs = args
        .runs
        .iter()
        .map(|name| StoredRun::find(name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    args.report.write(&runs, printer)?;
    let summaries: Vec<Summary> = runs.iter().map(Summary::of).collect();
    let configs = runs
        .iter()
        .map(|run| run.config.flat())
        .collect::<Result<Vec<Flat>, _>>()?;
    let keys = differences(&configs.iter().collect::<Vec<_>>());
    if args.json {
        let values = |key: &String| configs.iter().map(|config| config.get(key)).collect();
        return printer.json(&Compared {
            runs: &summaries,
            settings: keys.iter().map(|key| (key.as_str(), values(key))).collect(),
        });
    }
    let names = names(&runs);
    let rows: Vec<_> = summaries.iter().map(Summary::rows).collect();
    let numbers = (0..rows[0].len()).map(|place| {
        let values = rows.iter().map(|rows| rows[place].1.clone()).collect();
        (rows[0][place].0.to_owned(), values)
    });
    print_table("", &names, numbers, printer)?;
    printer.line("")?;
    if keys.is_empty() {
        printer.line("all settings are the same")?;
    } else {
        let rows = keys.iter().map(|key| {
            let values = configs.iter().map(|config| value(config, key)).collect();
            (key.clone(), values)
        });
        print_table("settings that differ", &names, rows, printer)?;
    }
    let loss = curves(&runs, &names, Metric::Loss, Against::Step, Smoothing(None));
    if loss.is_empty() {
        return Ok(());
    }
    printer.line("")?;
    print_curves(&loss, Metric::Loss, Against::Step, false, printer)
}

/// Prints rows of a name and a value for each run.
fn print_table(
    title: &str,
    names: &[String],
    rows: impl Iterator<Item = (String, Vec<String>)>,
    printer: Printer,
) -> anyhow::Result<()> {
    let columns = names.iter().map(|name| (name.as_str(), Align::Left));
    let headings: Vec<_> = std::iter::once((title, Align::Left))
        .chain(columns)
        .collect();
    let mut table = Table::new(&headings).in_pairs();
    for (name, values) in rows {
        table.push(std::iter::once(name).chain(values).collect());
    }
    for line in table.lines(screen::width()) {
        printer.line(line)?;
    }
    Ok(())
}
