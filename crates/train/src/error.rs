//! What can go wrong in training.

use std::path::PathBuf;

use llm_data::DataError;
use llm_files::WriteError;
use llm_models::ModelError;

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting is out of its range.
    #[error("{key} is {value}: it must be {allowed}")]
    Config {
        /// Dotted key.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The windows are longer than the model's context.
    #[error(
        "train.seq_len is {seq_len}, but the model's context is model.max_seq_len = {max_seq_len}: lower the first or raise the second"
    )]
    WindowTooLong {
        /// Of the settings.
        seq_len: usize,
        /// Of the model.
        max_seq_len: usize,
    },
    /// Too little text for one window.
    #[error(
        "the {part} part has {tokens} tokens, but a window needs {needed}: give more text or lower train.seq_len"
    )]
    TooLittleText {
        /// Training or validation.
        part: &'static str,
        /// Its tokens.
        tokens: usize,
        /// Tokens of a window and one more.
        needed: usize,
    },
    /// Models with different numbers of tokens.
    #[error(
        "the models have {} and {} tokens: only models with the same tokens can be compared",
        .0[0],
        .0[1]
    )]
    Vocabularies([usize; 2]),
    /// A model gives no number for the next token.
    #[error("a model's scores are not finite: its weights are damaged")]
    ScoresNotFinite,
    /// A number of the training step is not finite.
    #[error(
        "step {step}: {what} is not finite. The run is stopped; its last checkpoint is unharmed. Lower optimizer.learning_rate or set optimizer.clip"
    )]
    NotFinite {
        /// The optimizer step, from 1.
        step: u64,
        /// The first tensor that is not finite.
        what: String,
    },
    /// Another process works in the run folder.
    #[error("{} is in use by another process", folder.display())]
    InUse {
        /// The run folder.
        folder: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{} holds no checkpoint to resume from: start it with `llm train --output-dir`", folder.display())]
    NoCheckpoint {
        /// The run folder.
        folder: PathBuf,
    },
    /// A checkpoint's file is damaged.
    #[error("{} is damaged: remove this checkpoint's folder to go on from an older one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The model can't be loaded, saved or sampled.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data can't be read.
    #[error(transparent)]
    Data(#[from] DataError),
}
