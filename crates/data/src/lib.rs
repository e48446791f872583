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
mod config;
mod corpus;
mod documents;
mod error;
mod files;
mod prepare;
mod random;
mod shard;
mod size;
mod split;
mod synth;
mod windows;

pub use config::{DataConfig, SplitBy, SynthConfig};
pub use documents::{Document, Documents};
pub use error::DataError;
pub use prepare::{Prepared, TokenizedText, prepare, prepare_with, read_tokens};
pub use shard::TokenShard;
pub use size::{ByteSize, parse_size};
pub use synth::{Check, CorpusSummary, SEPARATOR, Story, StoryGenerator, check, write_corpus};
pub use windows::Windows;
