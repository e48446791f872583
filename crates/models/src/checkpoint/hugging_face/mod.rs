//! Model folders of Hugging Face: `config.json`, `generation_config.json`, and `model.safetensors` or its shards.
//!
//! Tokenizer files and the model card belong in the same folder; they are text, and written by whoever knows text.

mod config;
mod config_write;
mod rope;
mod safetensors;
mod write;

pub(super) use config::{read as read_config, read_end_ids, read_json};
pub(super) use safetensors::{SAFETENSORS, SafetensorsFiles};
pub(super) use write::save;

/// Name of the file with the sizes.
pub(super) const CONFIG: &str = "config.json";
/// Name of the file with the ids that begin and end a text.
pub(super) const GENERATION: &str = "generation_config.json";
