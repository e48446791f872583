//! Going on with a run: its own configuration, its own data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llm_data::{DataError, Prepared, Source};
use serde::{Deserialize, Serialize};

use crate::commands::train::Args;
use crate::config::{Config, Layers, differences};
use crate::failure::usage;
use crate::{cache_folder, input, run_folder};

/// The run's resolved configuration.
const CONFIG: &str = "config.toml";
/// What the run was made from.
const ORIGIN: &str = "origin.json";

/// Keys that may change on the way: they set how long, and what is shown and written when, but no weight.
const FREE: [&str; 13] = [
    "train.max_steps",
    "train.max_tokens",
    "train.max_epochs",
    "train.max_minutes",
    "train.eval_every",
    "train.eval_windows",
    "train.patience",
    "train.checkpoint_every",
    "train.keep",
    "train.sample_every",
    "train.sample_prompt",
    "train.sample_tokens",
    "train.log_every",
];

/// What a run was made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// Hash of the sources and of every setting that turns them into tokens.
    tokens: String,
    /// Hash of the tokenizer.
    tokenizer: String,
    /// The model folder whose weights it began with.
    init_from: Option<PathBuf>,
}

impl Origin {
    fn of(prepared: &Prepared, init_from: Option<PathBuf>) -> Self {
        Self {
            tokens: prepared
                .folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            tokenizer: prepared.tokenizer.hash(),
            init_from,
        }
    }

    fn has_data(&self, prepared: &Prepared) -> bool {
        *self == Self::of(prepared, self.init_from.clone())
    }
}

/// Writes what [`configuration`] and [`origin`] will read.
///
/// # Errors
/// The folder can't be written.
pub(crate) fn remember(
    folder: &Path,
    config: &Config,
    prepared: &Prepared,
    init_from: Option<&Path>,
) -> anyhow::Result<()> {
    let mut config = config.clone();
    // So that the run can be resumed from any folder.
    let data = &mut config.data;
    let sources = data.sources.iter_mut().chain(&mut data.validation_sources);
    let paths = sources
        .filter(|source| !source.is_stdin())
        .map(|source| &mut source.path)
        .chain(&mut config.tokenizer.path);
    for path in paths {
        *path = std::path::absolute(&*path)?;
    }
    let write = |name, text: String| {
        let path = folder.join(name);
        llm_files::write(&path, text.as_bytes())
    };
    prepared.tokenizer.save(folder)?;
    let init_from = init_from.map(std::path::absolute).transpose()?;
    write(
        ORIGIN,
        serde_json::to_string(&Origin::of(prepared, init_from))?,
    )?;
    // Last: with it the folder is a run.
    Ok(write(CONFIG, config.to_toml()?)?)
}

/// The configuration that the run in `folder` began with; `None` when it is no run folder.
///
/// # Errors
/// The file is damaged.
pub(crate) fn stored(folder: &Path) -> anyhow::Result<Option<Config>> {
    let path = folder.join(CONFIG);
    if !path.is_file() || !folder.join(ORIGIN).is_file() {
        return Ok(None);
    }
    Layers::new().file(&path)?.resolve().map(Some)
}

/// The configuration of the run in `folder`, with the changes of the arguments.
///
/// # Errors
/// The folder holds no run, or an argument changes what may not change.
pub(crate) fn configuration(args: &Args, folder: &Path) -> anyhow::Result<Config> {
    let path = folder.join(CONFIG);
    if !input::exists(folder)? || !folder.is_dir() {
        bail!("{}: there is no such run folder", folder.display());
    }
    if !path.is_file() {
        bail!(
            "{}: is not a run folder, it has no {CONFIG}",
            folder.display()
        );
    }
    run_folder::check_free(folder)?;
    let stored = Layers::new().file(&path)?.resolve()?;
    let changed = args
        .override_with_flags(Layers::new().file(&path)?)?
        .resolve()?;
    let keys = differences(&[&stored.flat()?, &changed.flat()?]);
    if let Some(key) = keys.iter().find(|key| !FREE.contains(&key.as_str())) {
        return Err(usage(format_args!(
            "{key}: a resumed run keeps the setting it began with; leave it out, or start anew with --init-from"
        )));
    }
    Ok(changed)
}

/// The tokens of the run in `folder`, and the model folder that it began with, if any.
///
/// # Errors
/// The sources, or their tokenizer, are not what they were when the run began.
pub(crate) fn origin(
    folder: &Path,
    config: &Config,
) -> anyhow::Result<(Prepared, Option<PathBuf>)> {
    let path = folder.join(ORIGIN);
    let text = fs::read(&path).with_context(|| format!("{}: cannot read", path.display()))?;
    let origin: Origin =
        serde_json::from_slice(&text).with_context(|| format!("{}: is damaged", path.display()))?;
    let cache = cache_folder::find()?;
    let prepared = match &origin.init_from {
        // Its tokenizer came with the model, and has been copied.
        Some(_) => llm_data::prepare_with(
            &config.data,
            &llm_tokenizer::Tokenizer::load(folder)?,
            &cache,
        )
        .map_err(|error| from_stdin(error, folder, config))?,
        None => llm_data::prepare(&config.data, &config.tokenizer, &cache)
            .map_err(|error| from_stdin(error, folder, config))?,
    };
    if !origin.has_data(&prepared) {
        let what = match &config.tokenizer.path {
            Some(path) if origin.tokenizer != prepared.tokenizer.hash() => {
                format!("the tokenizer {}", path.display())
            }
            _ => "the text it is trained on".to_owned(),
        };
        bail!(
            "{}: {what} has changed since it began; put the old one back, or start anew with --init-from",
            folder.display()
        );
    }
    Ok((prepared, origin.init_from))
}

/// Says of an error that the text came from standard input, where it did.
fn from_stdin(error: DataError, folder: &Path, config: &Config) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if config.data.sources.iter().any(Source::is_stdin) {
        let folder = folder.display();
        return error.context(format!(
            "{folder}: its text came from standard input; pipe the same text in again"
        ));
    }
    error
}
