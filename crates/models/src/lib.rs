//! The families of language models, their files, and generation. Knows token ids, not text, and nothing of training.
//!
//! To read what a family is, read its file: [`gpt`], [`gpt2`], [`llama`], [`mistral`].
//!
//! ```
//! use burn::prelude::*;
//! use llm_core::layers::Pass;
//! use llm_models::{Architecture, ModelConfig};
//!
//! let config = ModelConfig { d_model: Some(32), n_layers: Some(2), max_seq_len: Some(16), ..ModelConfig::default() };
//! let model = Architecture::resolve(&config, 100)?.init(42, &Device::flex());
//! let ids = Tensor::<2, Int>::from_ints([[1, 5, 7]], &Device::flex());
//! let hidden = model.hidden(ids, &mut Pass::new(3));
//! assert_eq!(model.logits(hidden.reshape([3, 32])).dims(), [3, 100]);
//! # Ok::<(), llm_models::ModelError>(())
//! ```

pub mod checkpoint;
pub mod generate;
pub mod gpt;
pub mod gpt2;
pub mod inspect;
pub mod llama;
pub mod mistral;
pub mod presets;

mod architecture;
mod config;
mod error;
mod grow;
mod head;
mod model;
mod resolve;

pub use architecture::Architecture;
pub use config::{Family, ModelConfig};
pub use error::ModelError;
pub use model::LanguageModel;
