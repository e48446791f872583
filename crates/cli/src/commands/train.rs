//! `llm train`: from text to a model.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use llm_data::{Prepared, Source};
use llm_models::{Architecture, LanguageModel};
use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};
use llm_train::plan::Plan;
use llm_train::{Run, Start, has_checkpoint};

use crate::args::DeviceArgs;
use crate::config::{Config, DEFAULT_TOML, Layers};
use crate::failure::{Interrupted, usage};
use crate::live::{self, LiveView};
use crate::named_model::{NamedModel, load_tokenizer};
use crate::output::Overwrite;
use crate::printer::Printer;
use crate::text_source::tell_skipped;
use crate::training::{
    Blame, MemoryArgs, Narrator, RangeArgs, Show, Summary, disk, model_card, new_model, resume,
    settings, settle,
};
use crate::{cache_folder, interrupt, run_folder};

/// How an argument of `--set` begins that names a tokenizer.
const TOKENIZER_PATH: &str = "tokenizer.path=";

/// Arguments of `llm train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file: TOML, or by its extension JSON or YAML. Without it a small model learns stories from a grammar
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Text files or folders to train on; same as data.sources
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Folder of the run; without it a new runs/NAME-NNN is made
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Write over a run in --output-dir
    #[arg(long)]
    pub(crate) force: bool,
    /// Seed of the weights, the order of the data and dropout; same as train.seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Optimizer steps of the whole run; same as train.max_steps
    #[arg(long, value_name = "N")]
    pub(crate) max_steps: Option<u64>,
    /// Go on with the run in this folder, from its newest checkpoint
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "init_from", "output_dir", "force"])]
    pub(crate) resume: Option<PathBuf>,
    /// Start from the weights, sizes and tokenizer of this model: a folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    pub(crate) init_from: Option<PathBuf>,
    /// Set one key of the configuration, such as train.batch_size=8; an empty value is the default. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Show the run on the whole screen: curves, numbers, samples; q saves and stops as Ctrl-C does
    #[arg(long, conflicts_with = "find_lr")]
    pub(crate) tui: bool,
    /// Save and stop, as on SIGTERM, when standard input ends: the run does not outlive the program that started it
    #[arg(long, conflicts_with = "tui")]
    pub(crate) stop_on_eof: bool,
    /// The learning-rate range test
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// How much memory it may take
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    /// Where to compute
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

impl Args {
    /// The configuration of a new run: the built-in one or `--config`, then `--set`, then the flags.
    ///
    /// # Errors
    /// A fault in the file, in `--set` or in a flag.
    pub(crate) fn resolve(&self) -> anyhow::Result<Config> {
        let layers = match &self.config {
            Some(path) => Layers::new().file(path)?,
            None => Layers::new().built_in("the built-in configuration", DEFAULT_TOML)?,
        };
        self.override_with_flags(layers)?.resolve()
    }

    /// Whom to blame for what these arguments ask for.
    fn blame(&self) -> Blame<'_> {
        Blame {
            set: &self.set,
            config: self.config.as_deref(),
        }
    }

    /// Begins what `--stop-on-eof` asks for.
    ///
    /// # Errors
    /// Standard input is the text or the configuration.
    fn watch_stdin(&self, config: &Config) -> anyhow::Result<()> {
        if !self.stop_on_eof {
            return Ok(());
        }
        let reads_config = self
            .config
            .as_deref()
            .is_some_and(|path| path == Path::new("-"));
        if reads_config || config.data.sources.iter().any(Source::is_stdin) {
            return Err(usage(
                "--stop-on-eof waits for the end of standard input, which is the text or the configuration here; leave one of them out",
            ));
        }
        interrupt::on_eof();
        Ok(())
    }

    /// `--set` and the flags over `layers`.
    ///
    /// # Errors
    /// An argument of `--set` is not `KEY=VALUE`.
    pub(crate) fn override_with_flags(&self, layers: Layers) -> anyhow::Result<Layers> {
        let sources = (!self.data.is_empty()).then(|| self.data.clone());
        Ok(layers
            .set(&self.set)?
            .flag("--data", "data.sources", sources)
            .flag("--seed", "train.seed", self.seed)
            .flag("--max-steps", "train.max_steps", self.max_steps))
    }
}

/// Runs the command.
///
/// # Errors
/// A fault in the configuration or the data, or the run breaks off.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    if args.tui {
        live::check(printer)?;
    }
    match &args.resume {
        Some(folder) => resumed(args, folder, printer),
        None => fresh(args, printer),
    }
}

fn fresh(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let range = args.range.range()?;
    let mut config = args.resolve()?;
    args.watch_stdin(&config)?;
    let overwrite = Overwrite::from_force(args.force);
    if range.is_none() {
        run_folder::check(args.output_dir.as_deref(), overwrite)?;
    }
    let Beginning {
        prepared,
        model,
        init_from,
    } = begin(args, &mut config, printer)?;
    let settings = settings(&config, &prepared.tokenizer);
    let (architecture, device) = (model.architecture(), model.device());
    let plan = Plan::new(
        architecture,
        &settings,
        &prepared.train,
        &prepared.validation,
        None,
    )?;
    let memory = args.memory;
    memory.check(architecture, &settings, plan.seq_len, &device, args.blame())?;
    if let Some(range) = range {
        return args.range.run(range, model, &config, &prepared, printer);
    }
    disk::check(args.output_dir.as_deref(), &plan.disk)?;
    let name = run_folder::name(args.config.as_deref());
    let folder = run_folder::create(args.output_dir.as_deref(), &name, overwrite)?;
    resume::remember(&folder, &config, &prepared, init_from.as_deref())?;
    start(
        &config,
        &prepared,
        &folder,
        Start::Fresh(Box::new(model)),
        args.tui,
        printer,
    )
}

/// What a new run begins with.
struct Beginning {
    prepared: Prepared,
    model: LanguageModel,
    /// Where the model comes from, unless it is a new one.
    init_from: Option<PathBuf>,
}

/// Prepares the text and makes or loads the model; its sizes and tokenizer go into `config`.
fn begin(args: &Args, config: &mut Config, printer: Printer) -> anyhow::Result<Beginning> {
    let device = args.device.open()?.autodiff();
    let (prepared, model, init_from) = match &args.init_from {
        Some(path) => {
            refuse_sizes(args)?;
            let extended = extended_tokenizer(args, config)?;
            // Where it was found: a name of the hub is no path to come back to.
            let NamedModel {
                model,
                tokenizer,
                path: found,
                ..
            } = NamedModel::load(path, &device)?;
            let (tokenizer, model) = match extended {
                None => {
                    printer.note(format_args!(
                        "weights, sizes and tokenizer are those of {}",
                        path.display()
                    ));
                    config.tokenizer = TokenizerConfig {
                        kind: TokenizerKind::File,
                        path: Some(found.clone()),
                        ..Default::default()
                    };
                    (tokenizer, model)
                }
                Some(extended) => {
                    let tokens = extended.vocab_size();
                    check_extends(&extended, &tokenizer)?;
                    let size = model.architecture().vocab_size();
                    printer.note(format_args!(
                        "weights and sizes are those of {}; of the tokenizer's {tokens} tokens {} begin as the mean of the others",
                        path.display(),
                        tokens.saturating_sub(size)
                    ));
                    (extended, model.grown_to(tokens.max(size))?)
                }
            };
            (
                llm_data::prepare_with(&config.data, &tokenizer, &cache_folder::find()?)?,
                model,
                Some(found),
            )
        }
        None => {
            let (prepared, model) = new_model(config, args.blame(), &device)?;
            (prepared, model, None)
        }
    };
    settle(config, &prepared, model.architecture())?;
    Ok(Beginning {
        prepared,
        model,
        init_from,
    })
}

/// The tokenizer that `--set` names beside `--init-from`.
fn extended_tokenizer(args: &Args, config: &Config) -> anyhow::Result<Option<Tokenizer>> {
    let is_set = args.set.iter().any(|set| set.starts_with(TOKENIZER_PATH));
    let path = config.tokenizer.path.as_deref().filter(|_| is_set);
    path.map(load_tokenizer).transpose()
}

/// Refuses a tokenizer whose first tokens are not those of the model.
fn check_extends(extended: &Tokenizer, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let differs = |&id: &u32| extended.token(id) != tokenizer.token(id);
    let n_tokens = u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    match (0..n_tokens).find(differs) {
        Some(id) => Err(usage(format_args!(
            "--set {TOKENIZER_PATH}…: token {id} is not that of the model; give the model's tokenizer with tokens added by `llm tokenizer extend`"
        ))),
        None => Ok(()),
    }
}

/// With `--init-from` the sizes are not the configuration's to set; a tokenizer that extends the model's is.
fn refuse_sizes(args: &Args) -> anyhow::Result<()> {
    let extends = |set: &str| set == "tokenizer.kind=file" || set.starts_with(TOKENIZER_PATH);
    let sets_size =
        |set: &&String| set.starts_with("model.") || set.starts_with("tokenizer.") && !extends(set);
    match args.set.iter().find(sets_size) {
        Some(set) => Err(usage(format_args!(
            "--set {set}: with --init-from, sizes and tokenizer are the model's; leave it out"
        ))),
        None => Ok(()),
    }
}

fn resumed(args: &Args, folder: &Path, printer: Printer) -> anyhow::Result<()> {
    let config = resume::configuration(args, folder)?;
    args.watch_stdin(&config)?;
    let device = args.device.open()?;
    let (prepared, init_from) = resume::origin(folder, &config)?;
    let architecture = Architecture::resolve(&config.model, prepared.tokenizer.vocab_size())?;
    let settings = settings(&config, &prepared.tokenizer);
    let seq = settings.window(
        architecture.max_seq_len(),
        &prepared.train,
        &prepared.validation,
    )?;
    args.memory
        .check_resumed(&architecture, &settings, seq, &device)?;
    let place = match (has_checkpoint(folder), init_from) {
        (true, _) => Start::Resume(device),
        // Stopped before its first checkpoint: the beginning is the place to go on from.
        (false, Some(model)) => {
            let model = NamedModel::load(&model, &device.autodiff())?.model;
            let vocab_size = config.model.vocab_size;
            let vocab_size = vocab_size.unwrap_or(model.architecture().vocab_size());
            Start::Fresh(Box::new(model.grown_to(vocab_size)?))
        }
        (false, None) => Start::Fresh(Box::new(
            architecture.init(config.train.seed, &device.autodiff()),
        )),
    };
    start(&config, &prepared, folder, place, args.tui, printer)
}

/// Trains in `folder`.
fn start(
    config: &Config,
    prepared: &Prepared,
    folder: &Path,
    start: Start,
    is_live: bool,
    printer: Printer,
) -> anyhow::Result<()> {
    tell_skipped(&prepared.skipped, printer);
    for report in &prepared.cleaned {
        printer.note(report.to_string().trim_end());
    }
    interrupt::defer();
    let show = if is_live {
        Show::Live(LiveView::start(folder)?)
    } else {
        Show::Lines(None)
    };
    let narrator = Narrator::new(printer, show, folder, config, prepared)?;
    let architecture = Architecture::resolve(&config.model, prepared.tokenizer.vocab_size())?;
    narrator.introduce(folder, &architecture);
    let context = architecture.max_seq_len();
    let special = prepared_special(prepared);
    let sample_prompt = prepared.tokenizer.encode(&config.train.sample_prompt)?;
    let sample_prompt = if sample_prompt.is_empty() && special.bos.is_none() {
        prepared.train.tokens(0..1)
    } else {
        sample_prompt
    };
    let settings = settings(config, &prepared.tokenizer);
    let write_extras = |folder: &Path| {
        prepared
            .tokenizer
            .save_beside_model(folder, context)
            .map_err(std::io::Error::other)?;
        fs::write(
            folder.join("README.md"),
            model_card::text(config, prepared, narrator.last_loss()),
        )
    };
    let run = Run {
        folder,
        training: &prepared.train,
        validation: &prepared.validation,
        special,
        sample_prompt,
        write_extras: &write_extras,
        interrupted: &|| interrupt::pending().is_some(),
        on_event: &mut |event| narrator.tell(event),
    };
    let outcome = llm_train::train(start, &settings, run);
    let outcome = outcome.inspect_err(|_| narrator.finish_bar())?;
    narrator.finish_bar();
    if let Some(signal) = interrupt::pending().filter(|_| outcome.model.is_none()) {
        narrator.note(&format!(
            "{} after step {}; go on with: {} train --resume {}",
            signal.name(),
            outcome.steps,
            Narrator::program(),
            folder.display()
        ));
        return Err(Interrupted(signal).into());
    }
    Summary::new(config, prepared, &outcome)
        .print(&narrator, printer)
        .context("cannot write the summary")
}

/// Ids of the tokenizer that generation needs.
fn prepared_special(prepared: &Prepared) -> llm_models::generate::Special {
    let tokenizer = &prepared.tokenizer;
    llm_models::generate::Special {
        bos: tokenizer.bos(),
        eos: tokenizer.eos(),
        n_tokens: Some(tokenizer.vocab_size()),
    }
}
