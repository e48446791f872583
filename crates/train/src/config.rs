//! The `[train]`, `[optimizer]` and `[schedule]` tables of a configuration.

use serde::{Deserialize, Serialize};

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

/// Which rule updates the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// AdamW for every parameter.
    #[default]
    Adamw,
    /// Muon for the matrices inside the blocks, AdamW for embeddings, head, norms and biases.
    Muon,
}

/// How the moments of AdamW are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moments {
    /// Four bytes a number.
    #[default]
    F32,
    /// Two bytes a number, rounded up or down at random; on the CPU.
    Bf16,
}

/// The `[optimizer]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule. Default: `adamw`.
    pub kind: OptimizerKind,
    /// Peak learning rate of AdamW. Default: 1e-3.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices and embeddings; norms and biases have none. Default: 0.1.
    pub weight_decay: f64,
    /// Decay of the first and the second moment of AdamW. Default: 0.9 and 0.95.
    pub betas: [f64; 2],
    /// Added to the root of the second moment. Default: 1e-8.
    pub eps: f64,
    /// Largest norm of all gradients together; 0 = no clipping. Default: 1.
    pub clip: f64,
    /// How the moments of AdamW are kept. Default: `f32`.
    pub moments: Moments,
    /// Peak learning rate of Muon. Default: 0.02. Only with `kind = "muon"`.
    pub muon_learning_rate: Option<f64>,
    /// Momentum of Muon. Default: 0.95. Only with `kind = "muon"`.
    pub muon_momentum: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.1,
            betas: [0.9, 0.95],
            eps: 1e-8,
            clip: 1.0,
            moments: Moments::F32,
            muon_learning_rate: None,
            muon_momentum: None,
        }
    }
}

/// Optimizer steps of warm-up in long runs that do not say how many they want.
const LONGEST_DEFAULT_WARMUP: u64 = 100;

/// Shape of the learning rate over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Half a cosine from the peak to the minimum.
    #[default]
    Cosine,
    /// A straight line from the peak to the minimum.
    Linear,
    /// The peak throughout.
    Constant,
    /// Warm-up, stable, decay: the peak until the last `decay_share` of the steps, then a straight line to the minimum.
    Wsd,
}

/// The `[schedule]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The shape after the warm-up. Default: `cosine`.
    pub kind: ScheduleKind,
    /// Optimizer steps of linear warm-up, at most `train.max_steps`. Default: a tenth of `train.max_steps`, at most 100.
    pub warmup_steps: Option<u64>,
    /// Learning rate at the end, of `cosine`, `linear` and `wsd`. Default: a tenth of `optimizer.learning_rate`.
    pub min_learning_rate: Option<f64>,
    /// Share of the steps in which `wsd` decays. Default: 0.2. Only with `kind = "wsd"`.
    pub decay_share: Option<f64>,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Cosine,
            warmup_steps: None,
            min_learning_rate: None,
            decay_share: None,
        }
    }
}

fn check(key: &'static str, value: f64, allowed: &'static str, ok: bool) -> Result<(), TrainError> {
    if ok {
        Ok(())
    } else {
        Err(TrainError::Config {
            key,
            value: value.to_string(),
            allowed,
        })
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
        positive("train.max_epochs", self.max_epochs)?;
        positive("train.max_minutes", self.max_minutes)
    }
}

impl OptimizerConfig {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        let from_zero =
            |key, v: f64| check(key, v, "a finite number from 0", v.is_finite() && v >= 0.0);
        let above_zero =
            |key, v: f64| check(key, v, "a finite number above 0", v.is_finite() && v > 0.0);
        let share = |key, v: f64| check(key, v, "from 0 to below 1", (0.0..1.0).contains(&v));
        above_zero("optimizer.learning_rate", self.learning_rate)?;
        from_zero("optimizer.weight_decay", self.weight_decay)?;
        share("optimizer.betas", self.betas[0])?;
        share("optimizer.betas", self.betas[1])?;
        above_zero("optimizer.eps", self.eps)?;
        from_zero("optimizer.clip", self.clip)?;
        let muon = self.kind == OptimizerKind::Muon;
        for (key, value) in [
            ("optimizer.muon_learning_rate", self.muon_learning_rate),
            ("optimizer.muon_momentum", self.muon_momentum),
        ] {
            if let Some(v) = value {
                check(key, v, "nothing unless optimizer.kind is \"muon\"", muon)?;
            }
        }
        above_zero(
            "optimizer.muon_learning_rate",
            self.muon_learning_rate.unwrap_or(1.0),
        )?;
        share("optimizer.muon_momentum", self.muon_momentum.unwrap_or(0.0))
    }
}

impl ScheduleConfig {
    /// Optimizer steps of warm-up in a run of `max_steps` steps.
    pub fn warmup(&self, max_steps: u64) -> u64 {
        self.warmup_steps
            .unwrap_or_else(|| LONGEST_DEFAULT_WARMUP.min(max_steps / 10))
    }

    /// Checks every number against its range and against the length and the peak of the run.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self, max_steps: u64, learning_rate: f64) -> Result<(), TrainError> {
        check(
            "schedule.warmup_steps",
            self.warmup(max_steps) as f64,
            "at most train.max_steps",
            self.warmup(max_steps) <= max_steps,
        )?;
        if let Some(v) = self.min_learning_rate {
            check(
                "schedule.min_learning_rate",
                v,
                "nothing when schedule.kind is \"constant\"",
                self.kind != ScheduleKind::Constant,
            )?;
            check(
                "schedule.min_learning_rate",
                v,
                "from 0 to optimizer.learning_rate",
                (0.0..=learning_rate).contains(&v),
            )?;
        }
        if let Some(v) = self.decay_share {
            check(
                "schedule.decay_share",
                v,
                "nothing unless schedule.kind is \"wsd\"",
                self.kind == ScheduleKind::Wsd,
            )?;
            check(
                "schedule.decay_share",
                v,
                "above 0, at most 1",
                v > 0.0 && v <= 1.0,
            )?;
        }
        Ok(())
    }
}
