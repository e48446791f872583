//! The pace of a run, measured by doing a little of everything that it does, on its device and with its shapes.

use std::path::Path;
use std::time::Instant;

use llm_data::TokenShard;
use llm_files::{PartialFolder, WriteError};
use llm_models::LanguageModel;
use llm_models::checkpoint::SpecialIds;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, generate};
use serde::Serialize;

use crate::checkpoint::{Checkpoints, Progress};
use crate::evaluate::{Protocol, windows_per_pass};
use crate::{Settings, TrainError, TrainingSteps, evaluate};

/// Optimizer steps of a probe, the first of which, that makes everything for the first time, does not count.
const STEPS: u64 = 3;

/// Seconds that each part of a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pace {
    /// One optimizer step.
    pub step: f64,
    /// One window of an evaluation.
    pub evaluation_window: f64,
    /// One sample.
    pub sample: f64,
    /// Writing one checkpoint.
    pub checkpoint: f64,
    /// Writing one model.
    pub model: f64,
}

/// Measures the pace of a run that begins with `model`, which is on a device with automatic differentiation. Writes into a folder in
/// `folder` that is removed again.
///
/// # Errors
/// Settings out of range, too little text, a number that is not finite, or a folder that can't be written.
pub fn probe(
    model: LanguageModel,
    settings: &Settings,
    training: &TokenShard,
    validation: &TokenShard,
    folder: &Path,
) -> Result<Pace, TrainError> {
    let mut steps = TrainingSteps::new(model, settings, training)?;
    steps.step(0)?;
    let (done, step) = timed(|| (1..STEPS).try_for_each(|index| steps.step(index).map(|_| ())));
    done?;

    let seq = steps.seq();
    let result = steps.result();
    let windows = windows_per_pass(seq, result.architecture().vocab_size());
    let protocol = Protocol {
        packing: settings.packing,
        max_windows: Some(windows),
        ..Protocol::side_by_side(seq)
    };
    evaluate(&result, validation, &protocol)?;
    let (evaluation, evaluation_pass) = timed(|| evaluate(&result, validation, &protocol));
    let evaluated = evaluation?.tokens.div_ceil(seq as u64);

    let train = &settings.train;
    let config = GenerateConfig {
        temperature: Some(0.8),
        max_new_tokens: train.sample_tokens,
        ..GenerateConfig::default()
    };
    let prompt = [training.tokens(0..1)];
    let mut write_on = |_| Decision::Continue;
    let special = Special::default();
    let (sample, sample_seconds) = timed(|| {
        generate(
            &result,
            &prompt,
            &config,
            &special,
            Method::Cached,
            &mut write_on,
        )
    });
    sample?;

    let place = PartialFolder::create_in(folder).map_err(WriteError::of(folder))?;
    let checkpoints = Checkpoints::open(place.path(), SpecialIds::default(), &|_| Ok(()))?;
    let progress = Progress::default();
    let (saved, checkpoint) =
        timed(|| checkpoints.save_step(&result, steps.states(), steps.average(), &progress, 1));
    saved?;
    let (saved, model) = timed(|| checkpoints.save_best(&result));
    saved?;
    Ok(Pace {
        step: step / (STEPS - 1) as f64,
        evaluation_window: evaluation_pass / evaluated.max(1) as f64,
        sample: sample_seconds,
        checkpoint,
        model,
    })
}

/// A result and the seconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed().as_secs_f64())
}
