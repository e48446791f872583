//! What a run does, in numbers: steps, evaluations, samples, checkpoints; and with a [`Pace`] how long it takes.

use llm_data::Windows;
use serde::Serialize;

use super::probe::Pace;
use crate::TrainError;
use crate::config::TrainConfig;
use crate::trainer::FOR_STEPS;

/// What ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `train.max_steps`.
    MaxSteps,
    /// `train.max_tokens`.
    MaxTokens,
    /// `train.max_epochs`.
    MaxEpochs,
    /// `train.max_minutes`.
    MaxMinutes,
}

impl Limit {
    /// The key that sets it.
    pub fn key(self) -> &'static str {
        match self {
            Self::MaxSteps => "train.max_steps",
            Self::MaxTokens => "train.max_tokens",
            Self::MaxEpochs => "train.max_epochs",
            Self::MaxMinutes => "train.max_minutes",
        }
    }
}

/// The course of a run that goes on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Course {
    /// Optimizer steps.
    pub steps: u64,
    /// What ends it.
    pub ends_by: Limit,
    /// Tokens of one step.
    pub tokens_per_step: u64,
    /// Tokens of all steps.
    pub tokens: u64,
    /// Passes over the training tokens.
    pub epochs: f64,
    /// Evaluations on the way.
    pub evaluations: u64,
    /// Windows of each of them.
    pub evaluation_windows: u64,
    /// Windows of the evaluation at the end.
    pub final_evaluation_windows: u64,
    /// Samples.
    pub samples: u64,
    /// Checkpoints, beside those of the best model.
    pub checkpoints: u64,
    /// Seconds of the steps, where the pace is known,
    pub step_seconds: Option<f64>,
    /// of all evaluations,
    pub evaluation_seconds: Option<f64>,
    /// of all samples,
    pub sample_seconds: Option<f64>,
    /// of all writing,
    pub checkpoint_seconds: Option<f64>,
    /// and of all together.
    pub seconds: Option<f64>,
}

impl Course {
    /// The course of a run over so many training and validation tokens. Without a pace a time limit is not looked at.
    ///
    /// # Errors
    /// Too little text for one window.
    pub fn new(
        train: &TrainConfig,
        seq: usize,
        [training, validation]: [usize; 2],
        pace: Option<&Pace>,
    ) -> Result<Self, TrainError> {
        let windows_per_epoch = Windows::new(training, seq, train.seed)?.per_epoch() as f64;
        let windows_per_step =
            (train.batch_size as u64).saturating_mul(train.grad_accumulation as u64);
        let tokens_per_step = windows_per_step.saturating_mul(seq as u64);
        let epochs = |steps: u64| steps as f64 * windows_per_step as f64 / windows_per_epoch;
        let by_epochs =
            |most: f64| (most * windows_per_epoch / windows_per_step as f64).ceil() as u64;
        // A limit is looked at before each step, the first included.
        let limits = [
            (Some(train.max_steps), Limit::MaxSteps),
            (
                train.max_tokens.map(|most| most.div_ceil(tokens_per_step)),
                Limit::MaxTokens,
            ),
            (train.max_epochs.map(by_epochs), Limit::MaxEpochs),
        ];
        let limits = limits.into_iter();
        let known = limits.filter_map(|(steps, limit)| Some((steps?.max(1), limit)));
        let (steps, ends_by) = known.min_by_key(|(steps, _)| *steps).expect("max_steps");
        let windows = (validation as u64 - 1).div_ceil(seq as u64);
        let course = Self {
            steps,
            ends_by,
            tokens_per_step,
            tokens: steps.saturating_mul(tokens_per_step),
            epochs: epochs(steps),
            evaluations: 0,
            evaluation_windows: windows.min(train.eval_windows as u64),
            final_evaluation_windows: windows,
            samples: 0,
            checkpoints: 0,
            step_seconds: None,
            evaluation_seconds: None,
            sample_seconds: None,
            checkpoint_seconds: None,
            seconds: None,
        };
        let Some(pace) = pace else {
            return Ok(course.of_steps(train, steps));
        };
        let course = course.of_steps(train, steps).timed(pace);
        let minutes = train.max_minutes.map(|minutes| 60.0 * minutes);
        let Some(limit) = minutes.filter(|&limit| course.loop_seconds(pace) > limit) else {
            return Ok(course);
        };
        // The schedule is cut to the steps that fit beside the rest.
        let per_step = course.loop_seconds(pace) / steps as f64;
        let fitting = ((FOR_STEPS * limit / per_step) as u64).clamp(1, steps);
        let cut = Self {
            ends_by: Limit::MaxMinutes,
            tokens: fitting.saturating_mul(tokens_per_step),
            epochs: epochs(fitting),
            ..course.of_steps(train, fitting)
        };
        Ok(cut.timed(pace))
    }

    /// What comes between so many steps.
    fn of_steps(self, train: &TrainConfig, steps: u64) -> Self {
        let due = |every: u64| steps.checked_div(every).unwrap_or(0);
        // The evaluation at the last step is the one at the end.
        let evaluations = (steps - 1).checked_div(train.eval_every).unwrap_or(0);
        let at_the_end =
            train.checkpoint_every == 0 || !steps.is_multiple_of(train.checkpoint_every);
        Self {
            steps,
            evaluations,
            samples: due(train.sample_every),
            checkpoints: due(train.checkpoint_every) + u64::from(at_the_end),
            ..self
        }
    }

    /// Seconds until the last step is done.
    fn loop_seconds(&self, pace: &Pace) -> f64 {
        let evaluated = (self.evaluations * self.evaluation_windows) as f64;
        self.steps as f64 * pace.step
            + evaluated * pace.evaluation_window
            + self.samples as f64 * pace.sample
            + self.checkpoints as f64 * pace.checkpoint
            + self.evaluations as f64 * pace.model
    }

    fn timed(self, pace: &Pace) -> Self {
        let evaluated = self.evaluations * self.evaluation_windows + self.final_evaluation_windows;
        let steps = self.steps as f64 * pace.step;
        let evaluations = evaluated as f64 * pace.evaluation_window;
        let samples = self.samples as f64 * pace.sample;
        // Every evaluation finds a better model, as a rule; at the end the best and the finished one are written.
        let models = (self.evaluations + 2) as f64 * pace.model;
        let checkpoints = self.checkpoints as f64 * pace.checkpoint + models;
        Self {
            step_seconds: Some(steps),
            evaluation_seconds: Some(evaluations),
            sample_seconds: Some(samples),
            checkpoint_seconds: Some(checkpoints),
            seconds: Some(steps + evaluations + samples + checkpoints),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train() -> TrainConfig {
        TrainConfig {
            max_steps: 1000,
            batch_size: 2,
            grad_accumulation: 3,
            eval_every: 100,
            checkpoint_every: 300,
            sample_every: 0,
            eval_windows: 5,
            ..TrainConfig::default()
        }
    }

    fn course(change: impl FnOnce(&mut TrainConfig), pace: Option<&Pace>) -> Course {
        let mut train = train();
        change(&mut train);
        Course::new(&train, 10, [611, 91], pace).expect("text")
    }

    #[test]
    fn a_run_does_what_its_settings_say() {
        let course = course(|_| (), None);
        assert_eq!(
            (course.steps, course.tokens, course.epochs),
            (1000, 60_000, 100.0)
        );
        assert_eq!(
            (course.evaluations, course.samples, course.checkpoints),
            (9, 0, 4)
        );
        assert_eq!(
            (course.evaluation_windows, course.final_evaluation_windows),
            (5, 9)
        );
    }

    #[test]
    fn the_first_limit_ends_a_run() {
        let ends = |change: fn(&mut TrainConfig)| {
            let course = course(change, None);
            (course.steps, course.ends_by)
        };
        assert_eq!(ends(|t| t.max_tokens = Some(61)), (2, Limit::MaxTokens));
        assert_eq!(ends(|t| t.max_epochs = Some(0.15)), (2, Limit::MaxEpochs));
        assert_eq!(ends(|t| t.max_tokens = Some(1)), (1, Limit::MaxTokens));
        assert_eq!(ends(|t| t.max_epochs = Some(1e9)), (1000, Limit::MaxSteps));
    }

    #[test]
    fn time_is_that_of_everything_a_run_does() {
        let pace = Pace {
            step: 1.0,
            evaluation_window: 0.1,
            sample: 7.0,
            checkpoint: 2.0,
            model: 0.5,
        };
        let whole = course(|t| t.sample_every = 500, Some(&pace));
        assert_eq!(whole.step_seconds, Some(1000.0));
        assert!((whole.evaluation_seconds.expect("timed") - 5.4).abs() < 1e-9);
        assert_eq!(whole.sample_seconds, Some(14.0));
        assert_eq!(whole.checkpoint_seconds, Some(8.0 + 5.5));
        let cut = course(|t| t.max_minutes = Some(1.0), Some(&pace));
        assert_eq!(cut.ends_by, Limit::MaxMinutes);
        assert!((50..=57).contains(&cut.steps), "{}", cut.steps);
        assert!(cut.seconds.expect("timed") < 65.0);
    }
}
