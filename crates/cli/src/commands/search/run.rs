//! `llm search` itself: a new study, or one that goes on.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use llm_data::Source;
use llm_search::{DatabaseUrl, Recovery, SamplerConfig, SearchError, Study};
use serde_json::Value;

use crate::args::DeviceArgs;
use crate::config::{ConfigFile, Layers};
use crate::failure::{Interrupted, as_usage, usage};
use crate::output::Overwrite;
use crate::printer::Printer;
use crate::quantity::short;
use crate::search::{
    Figures, Metric, Metrics, Pool, Results, SearchSettings, Stop, StudyFolder, TrialsConfig,
    shared_study,
};
use crate::text_source::tell_skipped;
use crate::training::MemoryArgs;
use crate::{cache_folder, interrupt};

/// What is searched without `--config`.
const SEARCH_SMALL: &str = include_str!("../../../../../configs/search-small.toml");

/// Optuna's note on a study: what its values are called.
const METRIC_NAMES: &str = "study:metric_names";

/// Arguments of a search.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Configuration of the trials, with a table [search] that says what is searched. Without it a small character model
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Text files or folders to train on; same as data.sources
    #[arg(long, value_name = "PATH", num_args = 1..)]
    data: Vec<String>,
    /// Folder of the search; without it a new runs/search-NNN is made
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Write over a search in --output-dir
    #[arg(long)]
    force: bool,
    /// Go on with the search in this folder; trials that were cut off run again
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "data", "set", "output_dir", "force", "search_type", "metric", "seed", "study_name"])]
    resume: Option<PathBuf>,
    /// How points are chosen: tpe (or optuna), grid, random, cma-es, qmc, gp or nsga2; same as search.sampler
    #[arg(long, value_name = "NAME", value_parser = sampler)]
    search_type: Option<String>,
    /// Trials of the whole search; same as search.n_trials
    #[arg(long, value_name = "N")]
    n_trials: Option<NonZeroUsize>,
    /// Seconds after which the search ends and trials that run are stopped; same as search.timeout
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<f64>,
    /// What is compared, one or several of validation_loss, best_validation_loss, parameters, tokens_per_s, seconds and peak_memory; same as
    /// search.metric
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = Metric::named)]
    metric: Vec<Metric>,
    /// Seed of the search; same as search.seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Trials at a time, which share the threads; same as search.workers
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Keep the study in a database that searches on several machines share: postgresql://user:password@host/database or sqlite:///file.db; same as
    /// search.storage. The password may be left to PGPASSWORD or ~/.pgpass
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// Name of the study in the database; same as search.study_name
    #[arg(long, value_name = "NAME")]
    study_name: Option<String>,
    /// Set one key of the configuration of all trials, such as train.max_steps=200. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How much memory a trial may take
    #[command(flatten)]
    memory: MemoryArgs,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

fn sampler(text: &str) -> Result<String, String> {
    SamplerConfig::named(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e9 => Ok(seconds),
        _ => Err("give a number of seconds above 0".into()),
    }
}

pub(super) fn run(args: &RunArgs, printer: Printer) -> anyhow::Result<()> {
    match &args.resume {
        Some(path) => resumed(args, path, printer),
        None => fresh(args, printer),
    }
}

impl RunArgs {
    /// Takes what the flags say over the `[search]` table.
    ///
    /// # Errors
    /// What comes out does not fit together.
    fn adjust(&self, settings: &mut SearchSettings) -> anyhow::Result<()> {
        if let Some(name) = &self.search_type {
            settings.sampler = Value::from(name.as_str());
        }
        if !self.metric.is_empty() {
            settings.metric = Metrics(self.metric.clone());
        }
        if let Some(seed) = self.seed {
            settings.seed = seed;
        }
        if let Some(n_trials) = self.n_trials {
            settings.n_trials = Some(n_trials.get());
        }
        if let Some(timeout) = self.timeout {
            settings.timeout = Some(timeout);
        }
        if let Some(workers) = self.workers {
            settings.workers = workers.get();
        }
        if let Some(storage) = &self.storage {
            settings.storage = Some(storage.clone());
        }
        if let Some(name) = &self.study_name {
            settings.study_name.clone_from(name);
        }
        settings.check_together().map_err(as_usage)
    }

    /// The arguments of every trial's `llm train`.
    fn of_trials(&self, folder: &StudyFolder, workers: usize) -> Vec<String> {
        let threads = (rayon::current_num_threads() / workers).max(1);
        let base = folder.base().display().to_string();
        let mut arguments: Vec<String> = [
            "train",
            "--quiet",
            "--threads",
            &threads.to_string(),
            "--config",
            &base,
            "--device",
            &self.device.to_string(),
            "--force",
            // A search that is killed leaves no trial behind.
            "--stop-on-eof",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(self.memory.as_arguments());
        arguments
    }
}

fn fresh(args: &RunArgs, printer: Printer) -> anyhow::Result<()> {
    let mut file = match &args.config {
        Some(path) => ConfigFile::read(path)?,
        None => ConfigFile::parse("the built-in search".to_owned(), SEARCH_SMALL, "toml")?,
    };
    let mut settings = SearchSettings::take(&mut file)?;
    args.adjust(&mut settings)?;
    let sources = (!args.data.is_empty()).then(|| args.data.clone());
    let layers = Layers::on(file)
        .set(&args.set)?
        .flag("--data", "data.sources", sources);
    let config = layers.clone().resolve()?;
    if config.data.sources.iter().any(Source::is_stdin) {
        return Err(usage(
            "a search reads its text once for each trial, and standard input can be read once; give a file",
        ));
    }
    // Refused before any work.
    args.device.open()?;
    // Made once, so that the trials find the tokens in the cache.
    let prepared = llm_data::prepare(&config.data, &config.tokenizer, &cache_folder::find()?)?;
    tell_skipped(&prepared.skipped, printer);
    let trials = TrialsConfig::new(layers, prepared);
    let overwrite = Overwrite::from_force(args.force);
    StudyFolder::check(args.output_dir.as_deref(), overwrite)?;
    // A database that refuses leaves no folder behind.
    let shared = shared_study(&settings, &trials)?;
    let has_trials = shared
        .as_ref()
        .is_some_and(|study| !study.trials().is_empty());
    if has_trials && args.force {
        return Err(usage(format_args!(
            "--force begins anew in the folder, but the study `{}` in the database goes on: give another --study-name, or go on with --resume",
            settings.study_name
        )));
    }
    let folder = StudyFolder::create(args.output_dir.as_deref(), overwrite)?;
    folder.begin(&settings, &config.to_toml()?)?;
    search(args, &settings, &folder, &trials, shared, printer)
}

fn resumed(args: &RunArgs, path: &Path, printer: Printer) -> anyhow::Result<()> {
    let folder = StudyFolder::open(path)?;
    let mut settings = SearchSettings::read(&folder.settings())?;
    let stored = settings.database()?;
    args.adjust(&mut settings)?;
    let shown = |url: Option<DatabaseUrl>| url.map(|url| url.to_string());
    if shown(stored) != shown(settings.database()?) {
        return Err(usage(
            "--storage: a search stays where it was begun; give the address that search.json names, with the password, or leave it out",
        ));
    }
    let layers = Layers::new().file(&folder.base())?;
    let config = layers.clone().resolve()?;
    let prepared = llm_data::prepare(&config.data, &config.tokenizer, &cache_folder::find()?)?;
    let trials = TrialsConfig::new(layers, prepared);
    let shared = shared_study(&settings, &trials)?;
    search(args, &settings, &folder, &trials, shared, printer)
}

fn search(
    args: &RunArgs,
    settings: &SearchSettings,
    folder: &StudyFolder,
    trials: &TrialsConfig,
    shared: Option<Study>,
    printer: Printer,
) -> anyhow::Result<()> {
    let study = match shared {
        Some(study) => study,
        None => folder.study(settings, trials.restrict(settings)?)?,
    };
    let mut study = study.with_sampler(settings.sampler()?.build());
    let metrics = settings.metric.as_slice().iter();
    let metrics: Value = metrics.map(|metric| metric.name()).collect();
    study.note_once(METRIC_NAMES, &metrics)?;
    if settings.metric.as_slice().len() == 1 {
        study = study.with_pruner(settings.pruner()?.build()?)?;
    }
    let lost = study.recover(Recovery::DeadWorkers)?;
    if !lost.is_empty() {
        printer.note(format_args!(
            "{} trials that were cut off run again",
            lost.len()
        ));
    }
    printer.note(format_args!("search     {}", folder.path().display()));
    interrupt::defer();
    let arguments = args.of_trials(folder, settings.workers);
    let pool = Pool::new(study, settings, folder, arguments, printer);
    let (study, stop) = pool.run().map_err(|error| explained(error, trials))?;
    let results = Results::new(&study, settings);
    results.save(folder)?;
    let page = Figures::new(&results, settings)?.page(&folder.path().display().to_string())?;
    folder.write("report.html", &page.html())?;
    if let Some(signal) = interrupt::pending() {
        printer.note(format_args!(
            "{}; go on with: llm search --resume {}",
            signal.name(),
            folder.path().display()
        ));
        return Err(Interrupted(signal).into());
    }
    let counts = results.counts;
    if counts.complete + counts.pruned == 0 && counts.failed > 0 {
        let (reason, times) = results.most_frequent_failure().unwrap_or_default();
        bail!(
            "all {} trials failed, {times} of them so: {reason}",
            counts.failed
        );
    }
    printer.note(match stop {
        Stop::Timeout => "ended by the time",
        Stop::Exhausted => "every point has been tried",
        Stop::Trials | Stop::Interrupted if counts.running > 0 => {
            "all trials have begun; others still run some"
        }
        Stop::Trials | Stop::Interrupted => "all trials have ended",
    });
    printer.line(format_args!(
        "{} complete, {} pruned, {} failed",
        counts.complete, counts.pruned, counts.failed
    ))?;
    if let (Some(number), Some(value)) = (results.best_trial, results.best_value) {
        printer.line(format_args!(
            "best: trial {number}, {} {}",
            results.metrics[0],
            short(value)
        ))?;
        printer.line(format_args!(
            "config {}",
            folder.path().join("best_config.toml").display()
        ))?;
    }
    Ok(())
}

/// An error of a space whose points are all refused, with why the last one was.
fn explained(error: anyhow::Error, trials: &TrialsConfig) -> anyhow::Error {
    match (error.downcast_ref(), trials.last_fault()) {
        (Some(SearchError::Space(message)), Some(fault)) => {
            anyhow!("search space: {message}: {fault}")
        }
        (Some(SearchError::Setting(message)), _) => usage(message),
        _ => error,
    }
}
