//! Floating-point operations of a run, and the tokens that they would be best spent on.
//!
//! Sources: Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models" ("Chinchilla"): about 20 tokens for each parameter, from
//! its table 3, where training takes 6 operations for each parameter and token; Muennighoff et al. 2023, "Scaling Data-Constrained Language
//! Models": up to four passes over a text are almost as good as new text.

use llm_models::Architecture;
use serde::Serialize;

use super::Course;
use crate::{Settings, step_flops};

/// Tokens for each parameter in a compute-optimal run.
pub const TOKENS_PER_PARAMETER: f64 = 20.0;

/// Operations for each parameter and token, by which the rule counts.
const OPERATIONS: f64 = 6.0;

/// Operations, and tokens against what the rule says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ComputePlan {
    /// Floating-point operations of training for each token: matrix products and attention, forward and backward.
    pub flops_per_token: f64,
    /// Those of a step.
    pub flops_per_step: f64,
    /// Those of all steps.
    pub flops_of_run: f64,
    /// Training tokens of the run.
    pub tokens: u64,
    /// Tokens for each parameter.
    pub tokens_per_parameter: f64,
    /// Tokens that this model is best trained on.
    pub optimal_tokens: f64,
    /// The model that is best for the operations of this run: its parameters,
    pub optimal_parameters_for_compute: f64,
    /// and its tokens.
    pub optimal_tokens_for_compute: f64,
}

impl ComputePlan {
    pub(super) fn new(
        architecture: &Architecture,
        settings: &Settings,
        seq: usize,
        parameters: u64,
        course: &Course,
    ) -> Self {
        let train = &settings.train;
        let windows = train.batch_size.saturating_mul(train.grad_accumulation) as u64;
        let flops_per_step = step_flops(architecture, windows, seq);
        let flops_per_token = flops_per_step / (windows as f64 * seq as f64);
        let flops_of_run = flops_per_step * course.steps as f64;
        let parameters = parameters as f64;
        // By the rule's own count: C = 6 · N · D and D = 20 · N.
        let budget = OPERATIONS * parameters * course.tokens as f64;
        let best = (budget / (OPERATIONS * TOKENS_PER_PARAMETER)).sqrt();
        Self {
            flops_per_token,
            flops_per_step,
            flops_of_run,
            tokens: course.tokens,
            tokens_per_parameter: course.tokens as f64 / parameters,
            optimal_tokens: TOKENS_PER_PARAMETER * parameters,
            optimal_parameters_for_compute: best,
            optimal_tokens_for_compute: TOKENS_PER_PARAMETER * best,
        }
    }
}
