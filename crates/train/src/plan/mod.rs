//! What a run will need and do, said before its first step.
//!
//! - `memory`: what lives at a time, from the pass over shapes of `llm-core` and the rules of the optimizer
//! - `compute`: floating-point operations, and the number of tokens that they would be best spent on
//! - `course`: steps, evaluations, samples and checkpoints, and with a [`Pace`] their time
//! - `disk`: checkpoints and models
//! - [`probe()`]: the pace, measured on the device
//!
//! Knows nothing of the machine's limits and of words.

mod compute;
mod course;
mod disk;
mod memory;
mod probe;

pub use compute::{ComputePlan, TOKENS_PER_PARAMETER};
pub use course::{Course, Limit};
pub use disk::DiskPlan;
pub use memory::{MemoryPlan, Split};
pub use probe::{Pace, probe};

use llm_data::TokenShard;
use llm_models::Architecture;
use serde::Serialize;

use crate::{Settings, TrainError};

/// A run before its first step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Number of parameters, tied ones once.
    pub parameters: u64,
    /// Tokens of one window.
    pub seq_len: usize,
    /// Bytes of memory.
    pub memory: MemoryPlan,
    /// Bytes of files.
    pub disk: DiskPlan,
    /// Operations and tokens.
    pub compute: ComputePlan,
    /// Steps and what comes between them.
    pub course: Course,
}

impl Plan {
    /// The plan of a run; with a pace also its time, and how many steps fit into a time limit.
    ///
    /// # Errors
    /// Settings out of range, or too little text.
    pub fn new(
        architecture: &Architecture,
        settings: &Settings,
        training: &TokenShard,
        validation: &TokenShard,
        pace: Option<&Pace>,
    ) -> Result<Self, TrainError> {
        settings.validate()?;
        let seq = settings.window(architecture.max_seq_len(), training, validation)?;
        let memory = MemoryPlan::new(architecture, settings, seq);
        let tokens = [training.len(), validation.len()];
        let course = Course::new(&settings.train, seq, tokens, pace)?;
        let parameters = memory.weights / size_of::<f32>() as u64;
        Ok(Self {
            parameters,
            seq_len: seq,
            disk: DiskPlan::new(&memory, settings, &course),
            compute: ComputePlan::new(architecture, settings, seq, parameters, &course),
            course,
            memory,
        })
    }
}
