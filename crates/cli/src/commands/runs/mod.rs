//! `llm runs`: what earlier runs did.

mod compare;
mod list;
mod plot;
mod remove;
mod show;

use std::path::{Path, PathBuf};

use llm_plot::Format;

use crate::curves::{Curve, Ink, Plot};
use crate::failure::as_usage;
use crate::output::{OutputFile, Overwrite, check_file};
use crate::palette::Palette;
use crate::printer::Printer;
use crate::runs::curves::{Against, Metric, RunCurve, legend};
use crate::{failure, screen};

/// What to do with runs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the runs in a folder
    List(list::Args),
    /// Show one run: numbers, curves, settings, its last sample
    Show(show::Args),
    /// Compare runs: numbers, the settings that differ, curves
    Compare(compare::Args),
    /// Draw curves of runs: on the terminal, or as .svg, .png or .html
    Plot(plot::Args),
    /// Remove runs
    Rm(remove::Args),
}

/// Runs the command.
///
/// # Errors
/// A run can't be found or read, or the output not written.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::List(args) => list::run(args, printer),
        Command::Show(args) => show::run(args, printer),
        Command::Compare(args) => compare::run(args, printer),
        Command::Plot(args) => plot::run(args, printer),
        Command::Rm(args) => remove::run(args, printer),
    }
}

/// A page that can be written beside what is printed.
#[derive(Debug, clap::Args)]
struct ReportArgs {
    /// Write a page of HTML that stands alone: curves, numbers, settings, samples over time
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Write over the page
    #[arg(long, requires = "html")]
    force: bool,
}

impl ReportArgs {
    /// Checks the name of the page.
    ///
    /// # Errors
    /// It is none of a page; ends with exit code 2. Or it can't be written.
    fn check(&self) -> anyhow::Result<()> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        if Format::of(path).ok() != Some(Format::Html) {
            let name = path.display();
            return Err(failure::usage(format_args!(
                "--html {name}: expected a name that ends in .html"
            )));
        }
        check_file(path, Overwrite::from_force(self.force))
    }

    /// Writes the page, if it is wanted.
    ///
    /// # Errors
    /// It can't be made or written.
    fn write(&self, runs: &[crate::runs::StoredRun], printer: Printer) -> anyhow::Result<()> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        let page = crate::runs::report::page(runs)?;
        write_file(path, self.force, page.as_bytes())?;
        printer.note(format_args!("page {}", path.display()));
        Ok(())
    }
}

fn write_file(path: &Path, force: bool, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file = OutputFile::create(path, Overwrite::from_force(force))?;
    file.write_all(bytes)?;
    file.finish()
}

/// The format that the name of an output asks for.
fn format_of(path: &Path) -> anyhow::Result<Format> {
    Format::of(path).map_err(|error| as_usage(anyhow::Error::new(error).context("--output")))
}

/// Prints curves with characters.
fn print_curves(
    curves: &[RunCurve],
    metric: Metric,
    against: Against,
    log: bool,
    printer: Printer,
) -> anyhow::Result<()> {
    let width = screen::width().unwrap_or(screen::DEFAULT_WIDTH);
    let width = width.clamp(20, 160);
    let ink = Ink::of(Palette::stdout());
    let named = curves.iter().zip(legend(curves));
    let plot = Plot {
        x_label: against.label(),
        y_label: metric.label(),
        curves: named
            .map(|(curve, name)| Curve {
                name,
                points: curve.points.clone(),
            })
            .collect(),
        log,
    };
    let height = if width < 100 { 16 } else { 22 };
    for line in plot.lines(width as u16, height, ink) {
        printer.line(line)?;
    }
    Ok(())
}
