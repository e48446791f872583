//! Text for training small language models: sources, splits, token shards, and a grammar of small stories.
//!
//! [`prepare`] goes all the way: it finds the documents of a [`DataConfig`], splits them, makes the tokenizer and caches the tokens in
//! memory-mapped [`TokenShard`]s; [`Windows`] says in which order training reads them. Without any source the text is made by
//! [`StoryGenerator`], whose entropy is known, so that a loss has a floor to be compared with.
//!
//! The crate knows nothing of tensors and models.
//!
//! ```
//! use llm_data::{ByteSize, DataConfig, SynthConfig, Windows, prepare};
//! use llm_tokenizer::TokenizerConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let cache = tempfile::tempdir()?;
//! let data = DataConfig {
//!     synth: SynthConfig { seed: 1, size: ByteSize(50_000) },
//!     ..DataConfig::default()
//! };
//! let prepared = prepare(&data, &TokenizerConfig::default(), cache.path())?;
//! assert!(prepared.train.len() > prepared.validation.len());
//! assert!(prepared.validation_floor.is_some());
//!
//! let mut windows = Windows::new(prepared.train.len(), 64, 1)?;
//! let start = windows.start(0);
//! let window = prepared.train.tokens(start..start + 65);
//! let (inputs, targets) = (&window[..64], &window[1..]);
//! assert_eq!(inputs[1..], targets[..63]);
//! # Ok(())
//! # }
//! ```

mod cache;
mod clean;
mod config;
mod corpus;
mod encode;
mod error;
mod html;
mod plan;
mod positioned;
mod prepare;
mod random;
mod shard;
mod size;
mod sources;
mod split;
mod spool;
mod stats;
mod synth;
mod windows;

pub use clean::{
    CharacterChanges, CleanConfig, CleanDocuments, CleanReport, Cleaned, Cleaner, DocumentFilters,
    DocumentReason, DuplicateFilters, Example, LineFilters, LineReason, NearDuplicates, NormalForm,
    Removed, RemovedBy, RepetitionFilters, Sketch,
};
pub use config::{DataConfig, OnError, SplitBy, SynthConfig};
pub use error::DataError;
pub use html::readable_text;
pub use prepare::{Prepared, TokenizedText, prepare, prepare_with, read_tokens, split};
pub use shard::TokenShard;
pub use size::{ByteSize, parse_size};
pub use sources::{
    Document, Documents, FileError, FileFault, Format, RecordError, RecordFault, Skipped,
    SkippedRecord, Source, WholeDocuments,
};
pub use split::Part;
pub use stats::{TextStats, TextSummary};
pub use synth::{Check, CorpusSummary, SEPARATOR, Story, StoryGenerator, check, write_corpus};
pub use windows::Windows;
