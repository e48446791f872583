//! The `[train]` table: how long, how much at once, and what is written when.

use serde::{Deserialize, Serialize};

use super::check;
use crate::TrainError;

/// The `[train]` table: how long, how much at once, and what is written when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Optimizer steps of the whole run; the schedule ends here. Default: 2000.
    pub max_steps: u64,
    /// Stop after so many training tokens. Default: no limit.
    pub max_tokens: Option<u64>,
    /// Stop after so many passes over the training tokens. Default: no limit.
    pub max_epochs: Option<f64>,
    /// Stop after so many minutes of this process. Where `max_steps` would take longer, the schedule is cut to the steps that fit, found
    /// from the pace of the first twentieth. Default: no limit.
    pub max_minutes: Option<f64>,
    /// Windows in one micro-batch. Default: 12.
    pub batch_size: usize,
    /// Tokens in one window. Default: the model's `max_seq_len`.
    pub seq_len: Option<usize>,
    /// Micro-batches summed into one optimizer step. Default: 1.
    pub grad_accumulation: usize,
    /// Share of every target that is spread over the whole vocabulary, from 0 to below 1 (Szegedy et al. 2016). Default: 0.
    pub label_smoothing: f64,
    /// Factor of the squared log of the softmax's sum, added to the loss, from 0 on; 1e-4 is usual (Chowdhery et al. 2022). Default: 0.
    pub z_loss: f64,
    /// Decay of a moving average of the weights, from 0 to below 1, which then is what is evaluated, sampled and kept as the model.
    /// Default: none.
    pub ema: Option<f64>,
    /// Leave out the update of a step whose loss or gradient norm lies so many standard deviations above the mean of the steps before
    /// (OLMo 2, 2025: 6). Default: never.
    pub skip_spikes: Option<f64>,
    /// Optimizer steps between evaluations; 0 = only at the end. Default: 250.
    pub eval_every: u64,
    /// Windows of the validation part in evaluations during training; the last evaluation takes all. Default: 512.
    pub eval_windows: usize,
    /// Stop after so many evaluations in a row without a new best. Default: never.
    pub patience: Option<u32>,
    /// Optimizer steps between checkpoints; 0 = only at the end. Default: 500.
    pub checkpoint_every: u64,
    /// Number of step checkpoints kept, the newest ones. Default: 2.
    pub keep: usize,
    /// Optimizer steps between samples; 0 = none. Default: 500.
    pub sample_every: u64,
    /// Prompt of the samples. Default: empty, the beginning of a text.
    pub sample_prompt: String,
    /// Tokens in a sample. Default: 64.
    pub sample_tokens: usize,
    /// Optimizer steps between records in `metrics.jsonl`. Default: 10.
    pub log_every: u64,
    /// Seed of the weights, the order of the data and dropout. Default: 42.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            max_steps: 2000,
            max_tokens: None,
            max_epochs: None,
            max_minutes: None,
            batch_size: 12,
            seq_len: None,
            grad_accumulation: 1,
            label_smoothing: 0.0,
            z_loss: 0.0,
            ema: None,
            skip_spikes: None,
            eval_every: 250,
            eval_windows: 512,
            patience: None,
            checkpoint_every: 500,
            keep: 2,
            sample_every: 500,
            sample_prompt: String::new(),
            sample_tokens: 64,
            log_every: 10,
            seed: 42,
        }
    }
}

impl TrainConfig {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        let whole = |key, value: u64| check(key, value as f64, "at least 1", value >= 1);
        let positive = |key, value: Option<f64>| match value {
            Some(v) => check(key, v, "a finite number above 0", v.is_finite() && v > 0.0),
            None => Ok(()),
        };
        whole("train.max_steps", self.max_steps)?;
        whole("train.max_tokens", self.max_tokens.unwrap_or(1))?;
        whole("train.batch_size", self.batch_size as u64)?;
        whole("train.seq_len", self.seq_len.unwrap_or(1) as u64)?;
        whole("train.grad_accumulation", self.grad_accumulation as u64)?;
        whole("train.eval_windows", self.eval_windows as u64)?;
        whole("train.patience", u64::from(self.patience.unwrap_or(1)))?;
        whole("train.keep", self.keep as u64)?;
        whole("train.sample_tokens", self.sample_tokens as u64)?;
        whole("train.log_every", self.log_every)?;
        let share = |key, v: f64| check(key, v, "from 0 to below 1", (0.0..1.0).contains(&v));
        share("train.label_smoothing", self.label_smoothing)?;
        share("train.ema", self.ema.unwrap_or(0.0))?;
        check(
            "train.z_loss",
            self.z_loss,
            "a finite number from 0",
            self.z_loss.is_finite() && self.z_loss >= 0.0,
        )?;
        positive("train.skip_spikes", self.skip_spikes)?;
        positive("train.max_epochs", self.max_epochs)?;
        positive("train.max_minutes", self.max_minutes)
    }
}
