//! `llm search`: settings found by many small training runs, and what a search has found.

mod best;
mod export;
mod importance;
mod plot;
mod run;
mod show;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::printer::Printer;
use crate::search::{Results, SearchSettings, StudyFolder};

/// Arguments of `llm search`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// What to look at in a search that was
    #[command(subcommand)]
    command: Option<Command>,
    /// The search
    #[command(flatten)]
    run: run::RunArgs,
}

/// What is looked at.
#[derive(Debug, Subcommand)]
enum Command {
    /// The trials of a search
    Show(FolderArgs),
    /// The best settings
    Best(FolderArgs),
    /// How much each parameter matters
    Importance(FolderArgs),
    /// Pictures: history, parallel coordinates, slices, Pareto front and others, or a page with all
    Plot(plot::Args),
    /// The trials for other programs
    Export(export::Args),
}

/// A search that was, or is.
#[derive(Debug, clap::Args)]
struct FolderArgs {
    /// Folder of the search
    folder: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl FolderArgs {
    /// What has been found so far.
    fn results(&self) -> anyhow::Result<Results> {
        Ok(opened(&self.folder)?.1)
    }
}

/// A search as it stands.
///
/// # Errors
/// The folder is no search's, or can't be read.
fn opened(folder: &Path) -> anyhow::Result<(SearchSettings, Results)> {
    let folder = StudyFolder::open(folder)?;
    let settings = SearchSettings::read(&folder.settings())?;
    let study = folder.look(&settings)?;
    let results = Results::new(&study, &settings);
    Ok((settings, results))
}

/// Runs the command.
///
/// # Errors
/// A fault in the arguments, the configuration or the text, a folder that is no search's, or all trials failed.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    match &args.command {
        None => run::run(&args.run, printer),
        Some(Command::Show(args)) => show::run(args, printer),
        Some(Command::Best(args)) => best::run(args, printer),
        Some(Command::Importance(args)) => importance::run(args, printer),
        Some(Command::Plot(args)) => plot::run(args, printer),
        Some(Command::Export(args)) => export::run(args, printer),
    }
}
