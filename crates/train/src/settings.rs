//! What a run is a function of, beside its text.

use llm_data::TokenShard;

use crate::TrainError;
use crate::config::{OptimizerConfig, ScheduleConfig, TrainConfig};
use crate::packing::Packing;

/// The tables of a configuration that the trainer reads, and what it needs of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `[train]`
    pub train: TrainConfig,
    /// `[optimizer]`
    pub optimizer: OptimizerConfig,
    /// `[schedule]`
    pub schedule: ScheduleConfig,
    /// What windows make of the borders of documents.
    pub packing: Packing,
}

impl Settings {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.train.validate()?;
        self.optimizer.validate()?;
        self.schedule
            .validate(self.train.max_steps, self.optimizer.learning_rate)
    }

    /// Tokens in one window of a model with this context, of which both parts hold at least one.
    ///
    /// # Errors
    /// [`TrainError::WindowTooLong`] or [`TrainError::TooLittleText`].
    pub fn window(
        &self,
        max_seq_len: usize,
        training: &TokenShard,
        validation: &TokenShard,
    ) -> Result<usize, TrainError> {
        let seq_len = self.train.seq_len.unwrap_or(max_seq_len);
        if seq_len > max_seq_len {
            return Err(TrainError::WindowTooLong {
                seq_len,
                max_seq_len,
            });
        }
        for (part, shard) in [("training", training), ("validation", validation)] {
            if shard.len() <= seq_len {
                return Err(TrainError::TooLittleText {
                    part,
                    tokens: shard.len(),
                    needed: seq_len + 1,
                });
            }
        }
        Ok(seq_len)
    }
}
