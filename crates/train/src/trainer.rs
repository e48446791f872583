//! The step loop.
//!
//! A run is a pure function of its settings: micro-batches and dropout masks follow from the step's index, so a run that was stopped
//! anywhere goes on with the same bits from its last checkpoint.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use burn::module::Module;
use llm_core::memory::resident_bytes;
use llm_files::WriteError;
use llm_models::checkpoint::SpecialIds;
use llm_models::generate::{Decision, GenerateConfig, Method, generate};

use crate::checkpoint::{Checkpoints, Fitted, Progress, newest};
use crate::evaluate::Protocol;
use crate::flops::{peak_flops, step_flops};
use crate::gradients::first_not_finite;
use crate::metrics::{Metrics, Record, Split};
use crate::run::{Event, Outcome, Run, Start, StopReason};
use crate::settings::Settings;
use crate::steps::{StepResult, TrainingSteps};
use crate::{Evaluation, TrainError, evaluate};

/// Share of the time that is left for steps under a time limit; the rest is for evaluations, samples and a slower pace.
pub(crate) const FOR_STEPS: f64 = 0.95;

/// Trains until a limit, an interruption or an error.
///
/// # Errors
/// Settings out of range, too little text, a folder in use or that can't be written, a number that is not finite.
pub fn train<'a>(
    start: Start,
    settings: &'a Settings,
    run: Run<'a>,
) -> Result<Outcome, TrainError> {
    settings.validate()?;
    let _lock = lock(run.folder)?;
    let special = SpecialIds {
        bos: run.special.bos,
        eos: run.special.eos.into_iter().collect(),
    };
    let checkpoints = Checkpoints::open(run.folder, special, run.write_extras)?;
    let (model, memory, progress) = match start {
        Start::Fresh(model) => (*model, Default::default(), Progress::default()),
        Start::Resume(device) => newest(run.folder, &device.autodiff())?,
    };
    let max_seq_len = model.architecture().max_seq_len();
    let seq = settings.window(max_seq_len, run.training, run.validation)?;
    let spikes = progress.spikes.clone();
    let mut steps = TrainingSteps::going_on(model, settings, run.training, seq, memory, spikes)?;
    steps.end_schedule_at(last_step(settings, &progress));
    let arithmetic = Arithmetic::of(&steps, settings);
    let metrics = Metrics::open(run.folder, progress.step)?;
    (run.on_event)(Event::Begin {
        step: progress.step,
        peak_flops: arithmetic.peak,
        validation_loss: metrics.validation_loss(),
    });
    let trainer = Trainer {
        settings,
        metrics,
        steps,
        checkpoints,
        progress,
        clock: Clock::start(),
        arithmetic,
        run,
    };
    trainer.run()
}

/// The step after which a run ends: `train.max_steps`, or what was found to fit into `train.max_minutes` in its place.
fn last_step(settings: &Settings, progress: &Progress) -> u64 {
    let max_steps = settings.train.max_steps;
    match progress.fitted {
        Some(fitted) if fitted.of == max_steps && settings.train.max_minutes.is_some() => {
            fitted.steps
        }
        _ => max_steps,
    }
}

/// Holds the run folder for this process until dropped.
fn lock(folder: &Path) -> Result<File, TrainError> {
    let path = folder.join(".lock");
    let failed = WriteError::of(&path);
    let file = File::create(&path).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(TrainError::InUse {
            folder: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source).into()),
    }
}

/// Time and steps of the process, and of optimizer steps since the last record.
struct Clock {
    began: Instant,
    all_steps: u64,
    in_steps: Duration,
    steps: u64,
}

impl Clock {
    fn start() -> Self {
        Self {
            began: Instant::now(),
            all_steps: 0,
            in_steps: Duration::ZERO,
            steps: 0,
        }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// What model FLOP utilisation is a quotient of.
struct Arithmetic {
    /// Floating-point operations of one step.
    step: f64,
    /// The device's own pace, in operations a second.
    peak: f64,
}

impl Arithmetic {
    fn of(steps: &TrainingSteps<'_>, settings: &Settings) -> Self {
        let train = &settings.train;
        let sequences = train.batch_size.saturating_mul(train.grad_accumulation) as u64;
        let model = steps.model();
        Self {
            step: step_flops(model.architecture(), sequences, steps.seq()),
            peak: peak_flops(&model.device()),
        }
    }
}

struct Trainer<'a> {
    settings: &'a Settings,
    steps: TrainingSteps<'a>,
    metrics: Metrics,
    checkpoints: Checkpoints<'a>,
    progress: Progress,
    clock: Clock,
    arithmetic: Arithmetic,
    run: Run<'a>,
}

impl Trainer<'_> {
    fn run(mut self) -> Result<Outcome, TrainError> {
        let train = &self.settings.train;
        let due = |every: u64, step: u64| every > 0 && step.is_multiple_of(every);
        // The checkpoint that a resumed run begins with is not written again.
        let mut saved_at = (self.progress.step > 0).then_some(self.progress.step);
        let reason = loop {
            if let Some(reason) = self.reached_limit() {
                break reason;
            }
            let began = Instant::now();
            let result = self.steps.step(self.progress.step)?;
            self.progress.step += 1;
            self.clock.in_steps += began.elapsed();
            self.clock.steps += 1;
            self.clock.all_steps += 1;
            let step = self.progress.step;
            self.report(&result)?;
            self.fit_to_time_limit();
            if due(train.eval_every, step) && step < last_step(self.settings, &self.progress) {
                let part = self.measure(Some(train.eval_windows))?;
                self.judge(&part, part.loss)?;
            }
            if due(train.sample_every, step) {
                self.sample()?;
            }
            let interrupted = (self.run.interrupted)();
            if due(train.checkpoint_every, step) || interrupted {
                self.checkpoint()?;
                saved_at = Some(step);
            }
            if interrupted {
                break StopReason::Interrupted;
            }
        };
        let (evaluation, model) = if reason == StopReason::Interrupted {
            (None, None)
        } else {
            let evaluation = self.measure(None)?;
            // The best is told by losses over the same windows.
            let loss = match self.progress.best {
                Some(_) => self.measure(Some(train.eval_windows))?.loss,
                None => evaluation.loss,
            };
            self.judge(&evaluation, loss)?;
            if saved_at != Some(self.progress.step) {
                self.checkpoint()?;
            }
            (
                Some(evaluation),
                Some(self.checkpoints.save_final(&self.steps.result())?),
            )
        };
        Ok(Outcome {
            reason,
            steps: self.progress.step,
            skipped_steps: self.steps.spikes().skipped,
            tokens: self.tokens(),
            seconds: self.clock.seconds(),
            evaluation,
            model,
        })
    }

    fn reached_limit(&self) -> Option<StopReason> {
        let train = &self.settings.train;
        let step = self.progress.step;
        let minutes = self.clock.seconds() / 60.0;
        let limits = [
            (
                step >= last_step(self.settings, &self.progress),
                StopReason::Steps,
            ),
            (
                train.max_tokens.is_some_and(|most| self.tokens() >= most),
                StopReason::Tokens,
            ),
            (
                train.max_epochs.is_some_and(|most| self.epochs() >= most),
                StopReason::Epochs,
            ),
            (
                train
                    .patience
                    .is_some_and(|most| self.progress.evaluations_without_best >= most),
                StopReason::Patience,
            ),
            (
                train.max_minutes.is_some_and(|most| minutes >= most),
                StopReason::Time,
            ),
        ];
        limits
            .into_iter()
            .find(|(reached, _)| *reached)
            .map(|(_, reason)| reason)
    }

    /// Once the pace is known, ends the schedule where `train.max_minutes` will: a learning rate that never came down costs more than
    /// steps that were never taken.
    fn fit_to_time_limit(&mut self) {
        /// Share of the time limit after which the pace is taken as known.
        const PROBE: f64 = 0.05;
        let train = &self.settings.train;
        let (Some(minutes), None) = (train.max_minutes, self.progress.fitted) else {
            return;
        };
        let (limit, elapsed) = (60.0 * minutes, self.clock.seconds());
        let step = self.progress.step;
        let warmup = self.settings.schedule.warmup(train.max_steps);
        if elapsed < PROBE * limit || step < warmup {
            return;
        }
        let seconds_per_step = elapsed / self.clock.all_steps as f64;
        let left = (FOR_STEPS * (limit - elapsed) / seconds_per_step).max(0.0) as u64;
        let steps = (step + left).min(train.max_steps);
        let of = train.max_steps;
        self.progress.fitted = Some(Fitted { steps, of });
        if steps < of {
            self.steps.end_schedule_at(steps);
            (self.run.on_event)(Event::Fitted { steps });
        }
    }

    fn tokens(&self) -> u64 {
        self.progress.step * self.steps.tokens_per_step()
    }

    fn epochs(&self) -> f64 {
        self.steps.epochs(self.progress.step)
    }

    fn record(&self, split: Split, loss: f64) -> Record {
        Record {
            step: self.progress.step,
            split,
            loss,
            learning_rate: None,
            grad_norm: None,
            skipped_steps: None,
            tokens: self.tokens(),
            epoch: self.epochs(),
            tokens_per_s: None,
            flops_per_s: None,
            utilisation: None,
            evaluated_tokens: None,
            rss_bytes: resident_bytes(),
            seconds: self.clock.seconds(),
            time: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0.0, |time| time.as_secs_f64()),
        }
    }

    fn report(&mut self, result: &StepResult) -> Result<(), TrainError> {
        if result.skipped {
            (self.run.on_event)(Event::SpikeSkipped {
                step: self.progress.step,
                loss: result.loss,
                grad_norm: result.grad_norm,
            });
        }
        if !result.grad_norm.is_finite() {
            // No record holds such a number.
            return Ok(());
        }
        let steps_per_s = self.clock.steps as f64 / self.clock.in_steps.as_secs_f64();
        let flops_per_s = steps_per_s * self.arithmetic.step;
        let record = Record {
            learning_rate: Some(result.learning_rate),
            grad_norm: Some(result.grad_norm),
            skipped_steps: self
                .settings
                .train
                .skip_spikes
                .map(|_| self.steps.spikes().skipped),
            tokens_per_s: Some(steps_per_s * self.steps.tokens_per_step() as f64),
            flops_per_s: Some(flops_per_s),
            utilisation: Some(flops_per_s / self.arithmetic.peak),
            ..self.record(Split::Train, result.loss)
        };
        (self.run.on_event)(Event::Step(&record));
        if record.step.is_multiple_of(self.settings.train.log_every) || record.step == 1 {
            self.metrics.write(&record)?;
            (self.clock.in_steps, self.clock.steps) = (Duration::ZERO, 0);
        }
        Ok(())
    }

    /// The loss over the first windows of the validation part, or over all.
    fn measure(&self, max_windows: Option<usize>) -> Result<Evaluation, TrainError> {
        let model = self.steps.result();
        let protocol = Protocol {
            packing: self.settings.packing,
            max_windows,
            ..Protocol::side_by_side(self.steps.seq())
        };
        let evaluation = evaluate(&model, self.run.validation, &protocol)?;
        if !evaluation.loss.is_finite() {
            let what = first_not_finite(&model)
                .map_or("the validation loss".into(), |p| format!("the weight {p}"));
            return Err(TrainError::NotFinite {
                step: self.progress.step,
                what,
            });
        }
        Ok(evaluation)
    }

    /// Records an evaluation, and keeps the model if `loss` is the best so far.
    fn judge(&mut self, evaluation: &Evaluation, loss: f64) -> Result<(), TrainError> {
        let is_best = self.progress.best.is_none_or(|(best, _)| loss < best);
        if is_best {
            self.progress.best = Some((loss, self.progress.step));
            self.progress.evaluations_without_best = 0;
        } else {
            self.progress.evaluations_without_best += 1;
        }
        let record = Record {
            evaluated_tokens: Some(evaluation.tokens),
            ..self.record(Split::Validation, evaluation.loss)
        };
        self.metrics.write(&record)?;
        (self.run.on_event)(Event::Evaluation {
            record: &record,
            is_best,
        });
        if is_best {
            self.checkpoints.save_best(&self.steps.result())?;
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), TrainError> {
        let train = &self.settings.train;
        let config = GenerateConfig {
            temperature: Some(0.8),
            max_new_tokens: train.sample_tokens,
            seed: train.seed ^ self.progress.step,
            ..GenerateConfig::default()
        };
        let prompt = std::slice::from_ref(&self.run.sample_prompt);
        let model = self.steps.result();
        let mut go_on = |_| Decision::Continue;
        let out = generate(
            &model,
            prompt,
            &config,
            &self.run.special,
            Method::Cached,
            &mut go_on,
        )?;
        (self.run.on_event)(Event::Sample {
            step: self.progress.step,
            tokens: &out[0].tokens,
        });
        Ok(())
    }

    /// # Errors
    /// Weights that are not finite reach no checkpoint: the one before must stay the newest.
    fn checkpoint(&mut self) -> Result<(), TrainError> {
        if let Some(path) = first_not_finite(self.steps.model()) {
            return Err(TrainError::NotFinite {
                step: self.progress.step,
                what: format!("the weight {path}"),
            });
        }
        self.progress.spikes = self.steps.spikes().clone();
        let folder = self.checkpoints.save_step(
            &self.steps.model().valid(),
            self.steps.states(),
            self.steps.average(),
            &self.progress,
            self.settings.train.keep,
        )?;
        (self.run.on_event)(Event::Checkpoint { folder: &folder });
        Ok(())
    }
}
