//! `cargo xtask readme`: does README.md tell the truth?
//!
//! Its shell blocks run in order in one new folder, with the release build of `llm` first on the search path; its figures
//! are compared with the files they were measured into. See [`blocks`] and [`figures`] for how both are marked.

mod blocks;
mod downloads;
mod figures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::blocks::Step;
use crate::workspace::{Workspace, check};

/// Arguments of `cargo xtask readme`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only compare the figures; run nothing.
    #[arg(long)]
    figures_only: bool,
}

/// Compares the figures, then builds `llm` and runs the commands.
///
/// # Errors
/// Says which figure differs, or which command failed and what it printed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let path = workspace.root.join("README.md");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    check_figures(&workspace.root, &text)?;
    if args.figures_only {
        return Ok(());
    }

    let steps = blocks::steps(&text)?;
    check(&mut workspace.cargo("build --release --locked"))?;
    let work = workspace.target.join("xtask").join("readme");
    if work.exists() {
        std::fs::remove_dir_all(&work)
            .with_context(|| format!("cannot empty {}", work.display()))?;
    }
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    // The commands name settings as a person does who stands in the project's folder.
    let configs = work.join("configs");
    std::fs::create_dir(&configs)?;
    for entry in std::fs::read_dir(workspace.root.join("configs"))? {
        let entry = entry?;
        std::fs::copy(entry.path(), configs.join(entry.file_name()))?;
    }
    let downloaded = downloads::write(&work)?;
    for step in &steps {
        match step {
            Step::Run { line, command } if !downloaded && downloads::are_named_in(command) => {
                println!("README.md:{line}: SKIPPED, LLM_DATA_DIR is not set: {command}");
            }
            Step::Run { line, command } => run_line(workspace, &work, *line, command)?,
            Step::Skip { line, command } => println!("README.md:{line}: left out: {command}"),
        }
    }
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

fn check_figures(root: &Path, text: &str) -> Result<()> {
    let figures = figures::find(text)?;
    let wrong: Vec<String> = figures
        .iter()
        .filter_map(|figure| {
            figure
                .check(root)
                .err()
                .map(|error| format!("README.md:{}: {error:#}", figure.line))
        })
        .collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    println!(
        "{} figures of README.md are the measured ones",
        figures.len()
    );
    Ok(())
}

fn run_line(workspace: &Workspace, work: &Path, line: usize, command: &str) -> Result<()> {
    let start = Instant::now();
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(work)
        .env("PATH", search_path(&workspace.target.join("release"))?)
        .env("LLM_CACHE_DIR", work.join(".cache"))
        .stdin(std::process::Stdio::null())
        .output()
        .context("cannot start bash")?;
    println!(
        "README.md:{line}: {:6.1} s  {command}",
        start.elapsed().as_secs_f64()
    );
    if !output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!(
            "README.md:{line}: `{command}` failed ({}) in {}",
            output.status,
            work.display()
        );
    }
    Ok(())
}

fn search_path(first: &Path) -> Result<std::ffi::OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(first)).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).context("the target folder's name cannot stand in PATH")
}
