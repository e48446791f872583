//! Small models, small texts, and a run in a folder.

use std::cell::Cell;
use std::path::Path;

use burn::prelude::*;
use llm_data::TokenShard;
use llm_models::{Architecture, Family, LanguageModel, ModelConfig};
use llm_train::{Event, Outcome, Run, Settings, Start, TrainError, train};

/// Tokens of the small models.
pub(crate) const VOCAB: usize = 11;
/// Their context.
pub(crate) const SEQ: usize = 8;

/// A period of eleven tokens, in which the next one does not always follow from the one before.
pub(crate) fn text(n_tokens: usize) -> TokenShard {
    let period = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 10];
    TokenShard::from_tokens((0..n_tokens).map(|i| period[i % period.len()]).collect())
}

/// A model of two blocks, 16 wide, with every trait of its family: a window, fewer key and value heads.
pub(crate) fn model(family: Family, dropout: f64) -> LanguageModel {
    let rotary = matches!(family, Family::Llama | Family::Mistral);
    let config = ModelConfig {
        family,
        d_model: Some(16),
        n_layers: Some(2),
        n_heads: Some(2),
        n_kv_heads: rotary.then_some(1),
        window: (family == Family::Mistral).then_some(4),
        max_seq_len: Some(SEQ),
        dropout: Some(dropout),
        ..ModelConfig::default()
    };
    let architecture = Architecture::resolve(&config, VOCAB).expect("sizes");
    architecture.init(7, &Device::flex().autodiff())
}

/// Few steps of few windows, nothing written but the end.
pub(crate) fn settings(max_steps: u64) -> Settings {
    let mut settings = Settings::default();
    settings.train.max_steps = max_steps;
    settings.train.batch_size = 4;
    settings.train.eval_every = 0;
    settings.train.checkpoint_every = 0;
    settings.train.sample_every = 0;
    settings.optimizer.learning_rate = 1e-2;
    settings
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    /// Loss of every step.
    pub(crate) losses: Vec<f64>,
    /// Whether each evaluation was the best so far.
    pub(crate) bests: Vec<bool>,
}

/// Trains and evaluates on the same text; with `stop_after`, is interrupted after so many steps.
pub(crate) fn run(
    folder: &Path,
    start: Start,
    settings: &Settings,
    stop_after: Option<u64>,
) -> Result<Done, TrainError> {
    let text = text(600);
    run_on(folder, start, settings, stop_after, [&text, &text])
}

/// As [`run`], on a training and a validation part.
pub(crate) fn run_on(
    folder: &Path,
    start: Start,
    settings: &Settings,
    stop_after: Option<u64>,
    [training, validation]: [&TokenShard; 2],
) -> Result<Done, TrainError> {
    let (mut losses, mut bests) = (Vec::new(), Vec::new());
    let asked = Cell::new(0);
    let interrupted = || {
        asked.set(asked.get() + 1);
        Some(asked.get()) == stop_after
    };
    let run = Run {
        folder,
        training,
        validation,
        special: Default::default(),
        sample_prompt: vec![0],
        write_extras: &|_| Ok(()),
        interrupted: &interrupted,
        on_event: &mut |event| match event {
            Event::Step(record) => losses.push(record.loss),
            Event::Evaluation { is_best, .. } => bests.push(is_best),
            _ => {}
        },
    };
    let outcome = train(start, settings, run)?;
    Ok(Done {
        outcome,
        losses,
        bests,
    })
}

/// The bytes of the finished model's weights.
pub(crate) fn weights(done: &Done) -> Vec<u8> {
    let folder = done.outcome.model.as_ref().expect("the run was finished");
    std::fs::read(folder.join("model.safetensors")).expect("weights")
}
