//! The optimizer steps of a run: micro-batches, gradients, clipping, update. Knows no files and no limits.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::prelude::{Device, Tensor};
use llm_core::kernels::CrossEntropyOptions;
use llm_core::layers::DropoutKey;
use llm_data::TokenShard;
use llm_models::LanguageModel;

use crate::average::Average;
use crate::batch::{Batch, TrainingBatches};
use crate::checkpoint::Memory;
use crate::config::Moments;
use crate::gradients::{clip_factor, first_not_finite, global_norm};
use crate::objective::{token_losses, total_loss};
use crate::optimizer::{Optimizer, State, Update};
use crate::schedule::Schedule;
use crate::spikes::Spikes;
use crate::{Settings, TrainError};

/// What one step measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepResult {
    /// Mean loss of the step's tokens in nats, before the update, with what label smoothing and z-loss add.
    pub loss: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Learning rate, of all parameters but those of Muon.
    pub learning_rate: f64,
    /// Whether the update was left out because of `train.skip_spikes`.
    pub skipped: bool,
}

/// A model on its way through the steps of a run, each of which follows from its index. What [`train`](crate::train) goes through.
#[derive(Debug)]
pub struct TrainingSteps<'a> {
    settings: &'a Settings,
    seq: usize,
    schedule: Schedule,
    optimizer: Optimizer,
    average: Option<Average>,
    spikes: Spikes,
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
        let (memory, spikes) = Default::default();
        Self::going_on(model, settings, text, seq, memory, spikes)
    }

    /// The steps of a run with what a checkpoint remembers, or nothing.
    pub(crate) fn going_on(
        model: LanguageModel,
        settings: &'a Settings,
        text: &'a TokenShard,
        seq: usize,
        memory: Memory,
        spikes: Spikes,
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
        let batches = TrainingBatches::new(
            text,
            seq,
            train.batch_size,
            settings.packing,
            train.seed,
            &device,
        )?;
        let average = train.ema;
        let average = average.map(|decay| Average::new(decay, memory.average, &model));
        Ok(Self {
            settings,
            seq,
            schedule: Schedule::new(&settings.schedule, train.max_steps, learning_rate),
            optimizer: Optimizer::new(settings.optimizer.clone(), memory.states, &model),
            average,
            spikes,
            batches,
            model: Some(model),
        })
    }

    /// The model as it is to be used, without a graph: with the averaged weights where the run keeps them.
    pub fn result(&self) -> LanguageModel {
        let model = self.model().valid();
        match &self.average {
            Some(average) => average.put_into(model),
            None => model,
        }
    }

    /// The model as it is trained.
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

    /// The moving average of the weights, by parameter.
    pub(crate) fn average(&self) -> Option<&BTreeMap<String, Tensor<1>>> {
        self.average.as_ref().map(Average::values)
    }

    /// What `train.skip_spikes` looks back upon.
    pub(crate) fn spikes(&self) -> &Spikes {
        &self.spikes
    }

    /// Passes over the text after so many steps.
    pub(crate) fn epochs(&self, steps: u64) -> f64 {
        self.batches
            .epochs(steps * self.settings.train.grad_accumulation as u64)
    }

    /// The step with this index, from 0, over `grad_accumulation` micro-batches.
    ///
    /// The loss of every micro-batch is divided by the targets of the whole step, so that the sum of their gradients is that of one large
    /// batch.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] names the loss, or the first weight or gradient that is not finite. The model is left as it was.
    pub fn step(&mut self, index: u64) -> Result<StepResult, TrainError> {
        self.step_at_rate(index, self.schedule.factor(index))
    }

    /// [`step`](Self::step) with this factor of the peak learning rates instead of the schedule's.
    pub(crate) fn step_at_rate(
        &mut self,
        index: u64,
        factor: f64,
    ) -> Result<StepResult, TrainError> {
        let (loss, gradients) = self.gradients(index);
        let mut result = StepResult {
            loss,
            grad_norm: f64::NAN,
            learning_rate: factor * self.settings.optimizer.learning_rate,
            skipped: false,
        };
        match self.norm(index, loss, &gradients) {
            Ok(norm) => result.grad_norm = norm,
            Err(error) => {
                // Weights that are not finite make every later step like this one.
                let healthy = first_not_finite(self.model()).is_none();
                let skips = self.settings.train.skip_spikes.is_some();
                if !(skips && healthy && self.spikes.endures_not_finite()) {
                    return Err(error);
                }
                result.skipped = true;
                return Ok(result);
            }
        }
        if let Some(threshold) = self.settings.train.skip_spikes
            && self.spikes.stands_out(loss, result.grad_norm, threshold)
        {
            result.skipped = true;
            return Ok(result);
        }
        // Those that were left out moved no moment, whose bias is corrected by this number.
        let update_number = index + 1 - self.spikes.skipped;
        let update = Update {
            step: update_number,
            factor,
            gradient_scale: clip_factor(result.grad_norm, self.settings.optimizer.clip),
        };
        // The model is taken out, so that the optimizer is the only owner of the weights and writes in place.
        let model = self.model.take().expect("put back after every step");
        let model = self.optimizer.step(model, gradients, update);
        if let Some(average) = &mut self.average {
            average.update(&model, update_number);
        }
        self.model = Some(model);
        Ok(result)
    }

    /// Loss and gradients of a step, which change nothing.
    fn gradients(&mut self, index: u64) -> (f64, GradientsParams) {
        let train = &self.settings.train;
        let options = CrossEntropyOptions {
            label_smoothing: train.label_smoothing,
            z_loss: train.z_loss,
        };
        let n = train.grad_accumulation as u64;
        let micro_batches: Vec<Batch> = (0..n).map(|i| self.batches.get(index * n + i)).collect();
        let n_targets = micro_batches.iter().map(Batch::n_targets).sum::<usize>();
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        for (i, batch) in (0..).zip(&micro_batches) {
            let dropout = DropoutKey::new(train.seed, index, i);
            let losses = token_losses(self.model(), batch, options, Some(dropout));
            let mean = total_loss(losses, batch).div_scalar(n_targets.max(1) as f64);
            loss += f64::from(mean.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(mean.backward(), self.model());
            accumulator.accumulate(self.model(), gradients);
        }
        (loss, accumulator.grads())
    }

    /// Norm of all gradients, before clipping.
    fn norm(&self, index: u64, loss: f64, gradients: &GradientsParams) -> Result<f64, TrainError> {
        let not_finite = |what: String| TrainError::NotFinite {
            step: index + 1,
            what,
        };
        if !loss.is_finite() {
            let weight = first_not_finite(self.model()).map(|path| format!("the weight {path}"));
            return Err(not_finite(weight.unwrap_or_else(|| "the loss".into())));
        }
        global_norm(self.model(), gradients)
            .map_err(|path| not_finite(format!("the gradient of {path}")))
    }
}
