//! What a new run begins with: the tokens of its text, and a model of the configured sizes.

use burn::prelude::Device;
use llm_data::Prepared;
use llm_models::{Architecture, LanguageModel};
use llm_train::TrainError;

use super::{Blame, settings};
use crate::cache_folder;
use crate::config::Config;

/// Prepares the text, or finds it in the cache, and makes the model, whose weights are filled when they are first read.
///
/// # Errors
/// Sizes that make no model, or not with these windows, which is found before any text is read; or the text can't be read.
pub(crate) fn new_model(
    config: &Config,
    blame: Blame<'_>,
    device: &Device,
) -> anyhow::Result<(Prepared, LanguageModel)> {
    let sizes = Architecture::resolve(&config.model, 1)?;
    let max_seq_len = sizes.max_seq_len();
    if let Some(seq_len) = config.train.seq_len.filter(|&len| len > max_seq_len) {
        let error = TrainError::WindowTooLong {
            seq_len,
            max_seq_len,
        };
        let keys = ["train.seq_len", "model.max_seq_len", "model.preset"];
        return Err(blame.on(&keys, error.into()));
    }
    let prepared = llm_data::prepare(&config.data, &config.tokenizer, &cache_folder::find()?)?;
    let architecture = Architecture::resolve(&config.model, prepared.tokenizer.vocab_size())?;
    let model = architecture.init(config.train.seed, device);
    Ok((prepared, model))
}

/// Writes into `config` what follows from the model and the text.
///
/// # Errors
/// The text is too short for its windows.
pub(crate) fn settle(
    config: &mut Config,
    prepared: &Prepared,
    architecture: &Architecture,
) -> anyhow::Result<()> {
    config.model = architecture.into();
    // A run keeps its warm-up when it is made longer.
    config.schedule.warmup_steps = Some(config.schedule.warmup(config.train.max_steps));
    settings(config, &prepared.tokenizer).window(
        architecture.max_seq_len(),
        &prepared.train,
        &prepared.validation,
    )?;
    Ok(())
}
