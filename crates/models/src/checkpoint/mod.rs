//! Model folders in Hugging Face's form: `config.json`, `generation_config.json`, `model.safetensors` or its shards.
//!
//! Tokenizer files and the model card belong in the same folder; they are text, and written by whoever knows text.

mod config_json;
mod files;
mod names;
mod numbers;
mod weights;

use std::path::Path;

use burn::prelude::*;

use self::files::Files;
use crate::{Architecture, LanguageModel, ModelError};

/// Name of the file with the sizes.
const CONFIG: &str = "config.json";
/// Name of the file with the weights.
const WEIGHTS: &str = "model.safetensors";
/// Name of the file with the ids that begin and end a text.
const GENERATION: &str = "generation_config.json";

/// Ids of the tokens with a meaning of their own, as model files carry them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
}

/// Loads the model of a folder onto `device`, as f32.
///
/// # Errors
/// Names the file and what is wrong with it: missing, damaged, of a family or with a setting that is not built in, a tensor missing, of
/// another shape or too many.
pub fn load(folder: &Path, device: &Device) -> Result<LanguageModel, ModelError> {
    let config = folder.join(CONFIG);
    if !config.is_file() {
        return Err(ModelError::NotAModel {
            folder: folder.to_owned(),
            missing: CONFIG,
        });
    }
    let files = Files::open(folder)?;
    let architecture = read_config(&config)?;
    weights::read(&files.tensors()?, architecture.init(0, device))
}

/// The sizes that a `config.json` describes.
///
/// # Errors
/// Names the file and the key that is missing, out of range or not supported.
pub fn read_config(path: &Path) -> Result<Architecture, ModelError> {
    config_json::read(path)
}

/// Writes the model into `folder`, which must exist. Each file is whole or absent.
///
/// # Errors
/// Names the file that can't be written.
pub fn save(model: &LanguageModel, special: SpecialIds, folder: &Path) -> Result<(), ModelError> {
    weights::write(model, &folder.join(WEIGHTS))?;
    let json = |value: &serde_json::Value| format!("{value:#}\n").into_bytes();
    write_whole(
        &folder.join(GENERATION),
        &json(&config_json::generation(special)),
    )?;
    // Last: a folder without it is no model.
    write_whole(
        &folder.join(CONFIG),
        &json(&config_json::value(model.architecture(), special)),
    )
}

/// Writes to a temporary name beside `path`, syncs and renames.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".partial-")
            .tempfile_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|source| ModelError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
