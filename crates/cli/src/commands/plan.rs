//! `llm plan`: what a run needs and how long it takes, before it begins.

mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;
use llm_data::Prepared;
use llm_models::Architecture;
use llm_train::Settings;
use llm_train::plan::{Pace, Plan, Split, probe};
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::config::DEFAULT_TOML;
use crate::printer::Printer;
use crate::text_source::{TextArgs, tell_skipped};
use crate::training::memory::{fitting, of_process};
use crate::training::{Blame, MemoryArgs, disk, new_model, settings, settle};

/// Arguments of `llm plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The settings of the run, as for `llm train`. Its tokens are made, or found in the cache, where the run finds them
    #[command(flatten)]
    text: TextArgs,
    /// Folder of the run, whose disk is looked at; nothing is left in it
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Measure nothing: leave out the three steps, the evaluation, the sample and the checkpoint that the time is told from
    #[arg(long)]
    no_probe: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How much memory the run may take
    #[command(flatten)]
    memory: MemoryArgs,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    family: &'static str,
    #[serde(flatten)]
    plan: Plan,
    text: TextReport,
    room: RoomReport,
    pace: Option<Pace>,
    #[serde(skip)]
    settings: Settings,
}

/// The text of the run.
#[derive(Serialize)]
struct TextReport {
    training_tokens: usize,
    validation_tokens: usize,
    /// Where the tokens lie,
    cache: PathBuf,
    /// and their bytes.
    cache_bytes: u64,
}

/// What there is, and whether it is enough.
#[derive(Serialize)]
struct RoomReport {
    /// The most memory of the process: that of the run, of the program, and the tokens, which the system can let go.
    peak_resident: u64,
    /// Memory that it may take; none where there is no limit.
    memory: Option<u64>,
    fits_memory: bool,
    /// Micro-batches that fit, where those of the configuration do not.
    proposal: Option<Split>,
    /// Bytes free on the disk of the run.
    disk: Option<u64>,
    fits_disk: bool,
}

/// Runs the command.
///
/// # Errors
/// A fault in the configuration or the text, or the probe breaks off.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let mut config = args.text.configuration(DEFAULT_TOML)?;
    let device = args.device.open()?.autodiff();
    let blame = Blame {
        set: &args.text.set,
        config: args.text.config.as_deref(),
    };
    let (prepared, model) = new_model(&config, blame, &device)?;
    tell_skipped(&prepared.skipped, printer);
    let architecture = model.architecture().clone();
    settle(&mut config, &prepared, &architecture)?;
    let settings = settings(&config, &prepared.tokenizer);
    let plan = |pace: Option<&Pace>| {
        Plan::new(
            &architecture,
            &settings,
            &prepared.train,
            &prepared.validation,
            pace,
        )
    };
    let room = args.memory.room(&device);
    let mut report = Report::new(&architecture, &settings, &prepared, plan(None)?, room, args)?;
    if !args.no_probe && report.room.fits_memory && report.room.fits_disk {
        printer.note("probe      three steps, an evaluation, a sample and a checkpoint …");
        let place = disk::place(args.output_dir.as_deref());
        let pace = probe(
            model,
            &settings,
            &prepared.train,
            &prepared.validation,
            place,
        )?;
        report.plan = plan(Some(&pace))?;
        report.pace = Some(pace);
    }
    if args.json {
        return printer.json(&report);
    }
    table::print(&report, printer)
}

impl Report {
    fn new(
        architecture: &Architecture,
        settings: &Settings,
        prepared: &Prepared,
        plan: Plan,
        room: Option<u64>,
        args: &Args,
    ) -> anyhow::Result<Self> {
        let cache_bytes = size_of_folder(&prepared.folder)?;
        let process = of_process(&plan.memory);
        let fits_memory = room.is_none_or(|room| process <= room);
        let proposal = (!fits_memory)
            .then(|| fitting(architecture, settings, plan.seq_len, room))
            .flatten();
        let free = disk::free(args.output_dir.as_deref());
        Ok(Self {
            family: architecture.family().name(),
            text: TextReport {
                training_tokens: prepared.train.len(),
                validation_tokens: prepared.validation.len(),
                cache: prepared.folder.clone(),
                cache_bytes,
            },
            room: RoomReport {
                peak_resident: process.saturating_add(cache_bytes),
                memory: room,
                fits_memory,
                proposal,
                disk: free,
                fits_disk: free.is_none_or(|free| plan.disk.peak <= free),
            },
            plan,
            pace: None,
            settings: settings.clone(),
        })
    }
}

/// Bytes of the files in a folder.
fn size_of_folder(folder: &Path) -> anyhow::Result<u64> {
    let entries = folder.read_dir();
    let entries = entries.with_context(|| format!("{}: cannot read", folder.display()))?;
    let size = |entry: std::io::Result<std::fs::DirEntry>| Some(entry.ok()?.metadata().ok()?.len());
    Ok(entries.filter_map(size).sum())
}
