//! The optimizer steps of a run: micro-batches, gradients, clipping, update. Knows no files and no limits.

use std::collections::BTreeMap;

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::prelude::Device;
use llm_core::layers::DropoutKey;
use llm_data::TokenShard;
use llm_models::LanguageModel;

use crate::batch::TrainingBatches;
use crate::config::Moments;
use crate::gradients::{clip_factor, first_not_finite, global_norm};
use crate::objective::token_losses;
use crate::optimizer::{Optimizer, State, Update};
use crate::schedule::Schedule;
use crate::{Settings, TrainError};

/// What one step measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepResult {
    /// Mean loss of the step's tokens in nats, before the update.
    pub loss: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Learning rate of AdamW.
    pub learning_rate: f64,
}

/// A model on its way through the steps of a run, each of which follows from its index. What [`train`](crate::train) goes through.
#[derive(Debug)]
pub struct TrainingSteps<'a> {
    settings: &'a Settings,
    seq: usize,
    schedule: Schedule,
    optimizer: Optimizer,
    batches: TrainingBatches<'a>,
    /// Absent only while the optimizer has it.
    model: Option<LanguageModel>,
}

impl<'a> TrainingSteps<'a> {
    /// The steps of a fresh run; the model is on a device with automatic differentiation.
    ///
    /// # Errors
    /// Settings out of range, or too little text.
    pub fn new(
        model: LanguageModel,
        settings: &'a Settings,
        text: &'a TokenShard,
    ) -> Result<Self, TrainError> {
        settings.validate()?;
        let seq = settings.window(model.architecture().max_seq_len(), text, text)?;
        Self::going_on(model, settings, text, seq, BTreeMap::new())
    }

    /// The steps of a run with the optimizer state of a checkpoint, or none.
    pub(crate) fn going_on(
        model: LanguageModel,
        settings: &'a Settings,
        text: &'a TokenShard,
        seq: usize,
        states: BTreeMap<String, State>,
    ) -> Result<Self, TrainError> {
        let device = model.device().autodiff();
        let on_cpu = device.clone().without_autodiff() == Device::flex();
        if settings.optimizer.moments == Moments::Bf16 && !on_cpu {
            return Err(TrainError::Config {
                key: "optimizer.moments",
                value: "bf16".to_owned(),
                allowed: "f32 on devices other than the CPU",
            });
        }
        let train = &settings.train;
        let learning_rate = settings.optimizer.learning_rate;
        Ok(Self {
            settings,
            seq,
            schedule: Schedule::new(&settings.schedule, train.max_steps, learning_rate),
            optimizer: Optimizer::new(settings.optimizer.clone(), states),
            batches: TrainingBatches::new(text, seq, train.batch_size, train.seed, &device)?,
            model: Some(model),
        })
    }

    /// The model as it is now.
    pub fn model(&self) -> &LanguageModel {
        self.model.as_ref().expect("put back after every step")
    }

    /// Ends the schedule after so many steps instead of `train.max_steps`.
    pub(crate) fn end_schedule_at(&mut self, max_steps: u64) {
        self.schedule = self.schedule.clone().ending_at(max_steps);
    }

    /// Tokens of one step.
    pub fn tokens_per_step(&self) -> u64 {
        let train = &self.settings.train;
        (train.batch_size * self.seq * train.grad_accumulation) as u64
    }

    /// Tokens of one window.
    pub(crate) fn seq(&self) -> usize {
        self.seq
    }

    /// What the optimizer remembers, by parameter.
    pub(crate) fn states(&self) -> &BTreeMap<String, State> {
        self.optimizer.states()
    }

    /// Passes over the text after so many steps.
    pub(crate) fn epochs(&self, steps: u64) -> f64 {
        self.batches
            .epochs(steps * self.settings.train.grad_accumulation as u64)
    }

    /// The step with this index, from 0, over `grad_accumulation` micro-batches.
    ///
    /// The loss of every micro-batch is divided by the tokens of the whole step, so that the sum of their gradients is that of one large
    /// batch.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] names the loss, or the first weight or gradient that is not finite. The model is left as it was.
    pub fn step(&mut self, index: u64) -> Result<StepResult, TrainError> {
        let train = &self.settings.train;
        let n_tokens = self.tokens_per_step() as f64;
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        for micro_batch in 0..train.grad_accumulation as u64 {
            let batch = self
                .batches
                .get(index * train.grad_accumulation as u64 + micro_batch);
            let dropout = DropoutKey::new(train.seed, index, micro_batch);
            let mean = token_losses(self.model(), batch, Some(dropout))
                .sum()
                .div_scalar(n_tokens);
            loss += f64::from(mean.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(mean.backward(), self.model());
            accumulator.accumulate(self.model(), gradients);
        }
        let gradients = accumulator.grads();
        let not_finite = |what: String| TrainError::NotFinite {
            step: index + 1,
            what,
        };
        if !loss.is_finite() {
            let weight = first_not_finite(self.model()).map(|path| format!("the weight {path}"));
            return Err(not_finite(weight.unwrap_or_else(|| "the loss".into())));
        }
        let grad_norm = global_norm(self.model(), &gradients)
            .map_err(|path| not_finite(format!("the gradient of {path}")))?;
        let factor = self.schedule.factor(index);
        let update = Update {
            step: index + 1,
            factor,
            gradient_scale: clip_factor(grad_norm, self.settings.optimizer.clip),
        };
        // The model is taken out, so that the optimizer is the only owner of the weights and writes in place.
        let model = self.model.take().expect("put back after every step");
        self.model = Some(self.optimizer.step(model, gradients, update));
        Ok(StepResult {
            loss,
            grad_norm,
            learning_rate: factor * self.settings.optimizer.learning_rate,
        })
    }
}
