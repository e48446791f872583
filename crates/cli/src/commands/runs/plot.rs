//! `llm runs plot`: curves of one run or several.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use llm_plot::Figure;
use serde::Serialize;

use super::{format_of, print_curves, write_file};
use crate::output::{Overwrite, check_file};
use crate::printer::Printer;
use crate::runs::curves::{Against, Metric, RunCurve, Smoothing, chart, curves};
use crate::runs::{StoredRun, names};

/// Arguments of `llm runs plot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs: their folders, or their names in `runs`
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// What to draw; several are drawn beside each other
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "loss"
    )]
    metric: Vec<Metric>,
    /// What to draw it against
    #[arg(long, value_name = "NAME", default_value = "step")]
    against: Against,
    /// Make heights proportional to the logarithm
    #[arg(long)]
    log: bool,
    /// Records of training that are averaged. Default: an eightieth of all
    #[arg(long, value_name = "N")]
    smooth: Option<NonZeroUsize>,
    /// Write the curves to this file: .svg, .png or .html
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Write over the file
    #[arg(long, requires = "output")]
    force: bool,
    /// Print one JSON array of metrics with the points of their curves
    #[arg(long, conflicts_with = "log")]
    json: bool,
}

#[derive(Serialize)]
struct Drawn {
    metric: Metric,
    against: Against,
    curves: Vec<RunCurve>,
}

/// Runs the command.
///
/// # Errors
/// A run can't be found or read, has no such records, or the file can't be written.
pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let overwrite = Overwrite::from_force(args.force);
    let output = match &args.output {
        Some(path) => {
            let format = format_of(path)?;
            check_file(path, overwrite)?;
            Some((path, format))
        }
        None => None,
    };
    let runs = args
        .runs
        .iter()
        .map(|name| StoredRun::find(name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let names = names(&runs);
    let smoothing = Smoothing(args.smooth.map(NonZeroUsize::get));
    let mut drawn = Vec::new();
    for &metric in &args.metric {
        let curves = curves(&runs, &names, metric, args.against, smoothing);
        if curves.is_empty() {
            anyhow::bail!(
                "{}: has no records of {} yet",
                names.join(", "),
                metric.label()
            );
        }
        drawn.push(Drawn {
            metric,
            against: args.against,
            curves,
        });
    }
    if args.json {
        return printer.json(&drawn);
    }
    let Some((path, format)) = output else {
        for (place, each) in drawn.iter().enumerate() {
            if place > 0 {
                printer.line("")?;
            }
            print_curves(&each.curves, each.metric, args.against, args.log, printer)?;
        }
        return Ok(());
    };
    let title = match names.as_slice() {
        [name] => name.as_str(),
        _ => "",
    };
    let charts = drawn
        .iter()
        .map(|each| chart(title, &each.curves, each.metric, args.against, args.log));
    let figure = Figure::new(charts);
    let figure = match drawn.len() {
        1 => figure.panel_size(800, 440),
        _ => figure.panel_size(560, 340),
    };
    write_file(path, args.force, &figure.encode(format)?)?;
    printer.line(path.display())?;
    Ok(())
}
