//! `cargo xtask bench`: speed and memory as JSON files and as a page, alone or side by side with the peers.
//!
//! - [`cases`]: what is measured, and the goals; [`programs`]: how it is done, each time in a process of its own
//! - [`report`]: `results/bench.json`; [`scaling`]: `results/scaling.json`; [`plans`]: `results/plan.json`;
//!   [`searches`]: `results/searches.json`; [`page`]: `docs/performance.md`

mod cases;
mod charts;
mod criterion;
mod executables;
mod host;
mod materials;
mod page;
mod plans;
mod process;
mod programs;
mod quantities;
mod report;
mod scaling;
mod searches;
mod speedrun;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde::Serialize;

use self::cases::Case;
use self::executables::{Executables, build_llm};
use self::host::Host;
use self::programs::{Programs, Python, Work};
use self::report::{CaseReport, ProgramReport, Report};
use crate::workspace::{Workspace, located};

/// Where the measurements are kept that the page shows.
const RESULTS: &str = "results/bench.json";

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only cases whose name matches, for example `char-small` or `decode`; the others stay as they are in the file.
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// The file to write, in place of that in results, and without the page.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A Python that has the packages of xtask/peers/requirements.txt: alternate ours with PyTorch, transformers and llama.cpp.
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// How often to alternate; medians over the rounds are reported.
    #[arg(long, value_name = "N", default_value_t = 7, requires = "peers", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure how our training and decoding scale instead.
    #[arg(long, conflicts_with = "peers")]
    scaling: bool,
    /// Compare what `llm plan` says of memory and time with what `llm train` takes instead.
    #[arg(long, conflicts_with_all = ["peers", "scaling"])]
    plans: bool,
    /// Search settings for tiny Shakespeare instead, with ASHA and without, and for twenty minutes.
    #[arg(long, conflicts_with_all = ["peers", "scaling", "plans", "filter"])]
    searches: bool,
    /// An `llm` that was built before, in place of a new release build.
    #[arg(long, value_name = "FILE", conflicts_with = "scaling")]
    llm: Option<PathBuf>,
    /// Measure nothing; write docs/performance.md and its charts from the files in results.
    #[arg(long, exclusive = true)]
    page: bool,
}

/// Measures, prints the report and writes it.
///
/// # Errors
/// Nothing matches the filter, the programs cannot be built, or a file cannot be written. Work that fails is reported as not measured.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    if args.page {
        return page::write(workspace);
    }
    if args.searches {
        let output = args.output.as_deref();
        let output = output.unwrap_or(Path::new(searches::RESULTS));
        return searches::run(workspace, args.llm.as_deref(), &workspace.root.join(output));
    }
    if args.plans {
        let output = args.output.as_deref().unwrap_or(Path::new(plans::RESULTS));
        plans::run(
            workspace,
            args.filter.as_ref(),
            args.llm.as_deref(),
            &workspace.root.join(output),
        )?;
    } else if args.scaling {
        let output = args
            .output
            .as_deref()
            .unwrap_or(Path::new(scaling::RESULTS));
        scaling::run(
            workspace,
            args.filter.as_ref(),
            &workspace.root.join(output),
        )?;
    } else {
        compare(workspace, args)?;
    }
    if args.output.is_none() && (args.scaling || args.plans || args.peers.is_some()) {
        page::write(workspace)?;
    }
    Ok(())
}

/// Runs ours and the peers in turn. The file is written after every round, so that a run that is cut short is not lost.
fn compare(workspace: &Workspace, args: &Args) -> Result<()> {
    let all = cases::all();
    let chosen = |case: &&Case| args.filter.as_ref().is_none_or(|f| f.is_match(case.name));
    let cases: Vec<&Case> = all.iter().filter(chosen).collect();
    if cases.is_empty() {
        let names: Vec<&str> = all.iter().map(|case| case.name).collect();
        bail!("no case matches the filter; there are {}", names.join(", "));
    }
    let path = workspace
        .root
        .join(args.output.as_deref().unwrap_or(Path::new(RESULTS)));
    // Read before hours of measuring, lest it turn out unreadable after them.
    Report::read(&path)?;
    let python = match &args.peers {
        Some(path) => Some(Python::ask(workspace, located(path)?)?),
        None => None,
    };
    let executables = Executables::build(
        workspace,
        &cases::targets(&cases, |work| match work {
            Work::Benchmark(id) => Some(id.target),
            _ => None,
        }),
        &cases::targets(&cases, |work| match work {
            Work::Example(example) => Some(example.name),
            _ => None,
        }),
    )?;
    let llm = match &args.llm {
        Some(llm) => std::path::absolute(llm)?,
        None if cases.iter().any(|case| case.ours.needs_llm()) => build_llm(workspace)?,
        None => PathBuf::new(),
    };
    let programs = Programs {
        workspace,
        executables: &executables,
        llm: &llm,
        python: python.as_ref(),
    };

    let mut reports: Vec<CaseReport> = cases
        .iter()
        .map(|case| empty_report(workspace, case, python.is_some()))
        .collect();
    let rounds = if python.is_some() { args.rounds } else { 1 };
    for round in 1..=rounds {
        for (case, report) in cases.iter().zip(&mut reports) {
            eprintln!("round {round} of {rounds}: {}", case.name);
            let works = std::iter::once(&case.ours).chain(case.peers.iter().map(|(_, work)| work));
            for (work, program) in works.zip(&mut report.programs) {
                measure(&programs, work, program);
            }
            report.compare(case);
        }
        let report = Report {
            host: Host::current(),
            device: "cpu".to_owned(),
            versions: python
                .as_ref()
                .map_or_else(BTreeMap::new, |python| python.versions.clone()),
            cases: reports.clone(),
        };
        write_json(&path, &report.over(Report::read(&path)?, &all))?;
    }
    let report = Report::read(&path)?.context("just written")?;
    println!("{}", page::goals_table(&report, &cases));
    Ok(())
}

fn empty_report(workspace: &Workspace, case: &Case, with_peers: bool) -> CaseReport {
    let peers = case.peers.iter().filter(|_| with_peers);
    let names = std::iter::once("llm").chain(peers.map(|(name, _)| *name));
    CaseReport {
        name: case.name.to_owned(),
        revision: host::revision(workspace),
        date: host::today(),
        programs: names.map(ProgramReport::new).collect(),
        comparisons: Vec::new(),
    }
}

/// One more round of `program`, unless it failed before.
fn measure(programs: &Programs<'_>, work: &Work, program: &mut ProgramReport) {
    if program.not_measured.is_some() {
        return;
    }
    match programs.measure(work) {
        Ok(values) => {
            for (quantity, value) in &values {
                eprintln!("  {}: {value:.1} {}", program.name, quantity.unit());
            }
            program.add(values);
        }
        Err(error) => {
            eprintln!("  {}: not measured: {error:#}", program.name);
            program.not_measured = Some(format!("{error:#}"));
        }
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
