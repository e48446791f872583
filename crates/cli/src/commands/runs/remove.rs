//! `llm runs rm`: removes what runs have written.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::failure::usage;
use crate::printer::Printer;
use crate::quantity::bytes;
use crate::runs::find_folder;
use crate::training::resume;
use crate::{failure, run_folder};

/// Arguments of `llm runs rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs: their folders, or their names in `runs`
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON array of the folders and their sizes in bytes
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Removed {
    folder: PathBuf,
    bytes: u64,
}

/// Runs the command.
///
/// # Errors
/// A folder is no run, is in use, or can't be removed; nobody agreed. Nothing is removed unless every folder may be.
pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let mut found: Vec<Removed> = Vec::new();
    for name in &args.runs {
        let folder = find_folder(name)?;
        let is_run = resume::stored(&folder);
        // A run whose configuration is damaged is one too.
        if matches!(is_run, Ok(None)) {
            bail!("{}: is not a run folder", folder.display());
        }
        run_folder::check_free(&folder)?;
        if found.iter().all(|removed| removed.folder != folder) {
            let bytes = run_folder::size(&folder);
            found.push(Removed { folder, bytes });
        }
    }
    if !args.yes && !agreed(&found)? {
        bail!("nothing is removed");
    }
    for removed in &found {
        run_folder::remove(&removed.folder)?;
        if !args.json {
            let (folder, size) = (removed.folder.display(), bytes(removed.bytes));
            printer.line(format_args!("removed {folder}, {size}"))?;
            tell_left(&removed.folder, printer);
        }
    }
    if args.json {
        printer.json(&found)?;
    }
    Ok(())
}

/// Asks on the terminal.
fn agreed(found: &[Removed]) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage("give --yes: there is no terminal to ask on"));
    }
    let total = bytes(found.iter().map(|removed| removed.bytes).sum());
    let names = found
        .iter()
        .map(|removed| removed.folder.display().to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    let mut stderr = io::stderr();
    write!(stderr, "remove {names} ({total})? [y/N] ").context("cannot ask")?;
    stderr.flush().context("cannot ask")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Says which files stay, because no run wrote them.
fn tell_left(folder: &Path, printer: Printer) {
    let left = fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = left
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if !names.is_empty() {
        let names = failure::flatten(&names.join(", "));
        printer.note(format_args!(
            "{}: keeps what no run wrote: {names}",
            folder.display()
        ));
    }
}
