//! What a run is given and what it tells.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use llm_data::TokenShard;
use llm_models::LanguageModel;
use llm_models::generate::Special;

use crate::Evaluation;
use crate::checkpoint::WriteExtras;
use crate::metrics::Record;

/// Where a run begins.
#[derive(Debug)]
pub enum Start {
    /// At step 0 with this model, on a device with automatic differentiation.
    Fresh(Box<LanguageModel>),
    /// At the newest checkpoint of the run folder, on this device.
    Resume(Device),
}

/// What a run needs beside settings and data.
pub struct Run<'a> {
    /// The run folder, which exists.
    pub folder: &'a Path,
    /// Training tokens.
    pub training: &'a TokenShard,
    /// Validation tokens.
    pub validation: &'a TokenShard,
    /// Tokens with a meaning of their own.
    pub special: Special,
    /// Prompt of the samples; empty for the beginning of a text.
    pub sample_prompt: Vec<u32>,
    /// Writes what belongs beside the model: tokenizer, model card.
    pub write_extras: WriteExtras<'a>,
    /// Asked after every step whether to save and stop.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Told what happens.
    pub on_event: &'a mut dyn FnMut(Event<'_>),
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Everything is ready for the first step of this process.
    Begin {
        /// Optimizer steps done before, by a run that is resumed.
        step: u64,
        /// What [`peak_flops`](crate::peak_flops) found.
        peak_flops: f64,
        /// The validation loss that such a run has measured last.
        validation_loss: Option<f64>,
    },
    /// A training step is done; every step, also those that `metrics.jsonl` leaves out.
    Step(&'a Record),
    /// An evaluation is done.
    Evaluation {
        /// Its record.
        record: &'a Record,
        /// Whether no evaluation before had a lower loss.
        is_best: bool,
    },
    /// A checkpoint is written.
    Checkpoint {
        /// Its folder.
        folder: &'a Path,
    },
    /// The update of a step was left out because of `train.skip_spikes`.
    SpikeSkipped {
        /// Number of the step, from 1.
        step: u64,
        /// Its loss.
        loss: f64,
        /// Norm of its gradients; NaN where the loss or the gradients are not finite.
        grad_norm: f64,
    },
    /// The time limit comes before `train.max_steps` at the pace of this machine: the schedule ends after fewer steps.
    Fitted {
        /// Steps that fit.
        steps: u64,
    },
    /// The model wrote something.
    Sample {
        /// Optimizer steps done.
        step: u64,
        /// The new tokens.
        tokens: &'a [u32],
    },
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// `train.max_steps`.
    Steps,
    /// `train.max_tokens`.
    Tokens,
    /// `train.max_epochs`.
    Epochs,
    /// `train.max_minutes`.
    Time,
    /// `train.patience`.
    Patience,
    /// The caller asked; the run can be resumed.
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why.
    pub reason: StopReason,
    /// Optimizer steps done, those before a resume included.
    pub steps: u64,
    /// Steps whose update was left out because of `train.skip_spikes`.
    pub skipped_steps: u64,
    /// Training tokens seen.
    pub tokens: u64,
    /// Seconds of this process.
    pub seconds: f64,
    /// Loss over the whole validation part; none when interrupted.
    pub evaluation: Option<Evaluation>,
    /// The folder of the finished model; none when interrupted.
    pub model: Option<PathBuf>,
}
