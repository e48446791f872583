//! Writing a folder: weights in one file or in shards, then the configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use llm_files::WriteError;
use serde_json::{Value, json};

use super::super::SpecialIds;
use super::super::encoding::Encoding;
use super::super::layout::Layout;
use super::super::outputs::{self, Output};
use super::safetensors::SAFETENSORS;
use super::{CONFIG, GENERATION, config_write};
use crate::{LanguageModel, ModelError};

/// Writes the model into `folder`, which must exist. Each file is whole or absent; the configuration comes last.
///
/// A tensor larger than `max_shard_size` bytes has a shard of its own.
///
/// # Errors
/// Names the file that can't be written, or the tensor with a number that does not fit.
pub(in super::super) fn save(
    model: &LanguageModel,
    special: &SpecialIds,
    encoding: Encoding,
    max_shard_size: u64,
    folder: &Path,
) -> Result<(), ModelError> {
    let outputs = outputs::of(model, Layout::HuggingFace, |_, _| encoding);
    for output in outputs.values() {
        output.check()?;
    }
    let shards = shards(&outputs, max_shard_size);
    match &shards[..] {
        [all] => write_shard(&folder.join(SAFETENSORS.single), all)?,
        shards => {
            let mut weight_map = BTreeMap::new();
            for (i, shard) in shards.iter().enumerate() {
                let name = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
                write_shard(&folder.join(&name), shard)?;
                weight_map.extend(shard.iter().map(|output| (&output.name, name.clone())));
            }
            let total: usize = outputs.values().map(Output::n_bytes).sum();
            let parameters: usize = outputs.values().map(Output::n_values).sum();
            let index = json!({
                "metadata": { "total_parameters": parameters, "total_size": total },
                "weight_map": weight_map,
            });
            llm_files::write(&folder.join(SAFETENSORS.index), &text(&index))?;
        }
    }
    llm_files::write(
        &folder.join(GENERATION),
        &text(&config_write::generation(special)),
    )?;
    // Last: a folder without it is no model.
    let config = config_write::config(model.architecture(), special, encoding);
    Ok(llm_files::write(&folder.join(CONFIG), &text(&config))?)
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Tensors in order of their names, as many to a shard as fit.
fn shards(outputs: &BTreeMap<String, Output>, max_shard_size: u64) -> Vec<Vec<&Output>> {
    let mut shards: Vec<Vec<&Output>> = vec![Vec::new()];
    let mut bytes = 0;
    for output in outputs.values() {
        let more = output.n_bytes() as u64;
        let last = shards.last_mut().expect("at least one");
        if !last.is_empty() && bytes + more > max_shard_size {
            shards.push(vec![output]);
            bytes = more;
        } else {
            last.push(output);
            bytes += more;
        }
    }
    shards
}

fn write_shard(path: &Path, outputs: &[&Output]) -> Result<(), ModelError> {
    // `format: pt` is what transformers asks of a file that PyTorch may read.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = outputs.iter().map(|output| (&output.name, *output));
    llm_files::write_by(path, |partial| {
        ::safetensors::serialize_to_file(views, Some(metadata), partial).map_err(
            |error| match error {
                ::safetensors::SafeTensorError::IoError(source) => {
                    WriteError::of(path)(source).into()
                }
                source => ModelError::Safetensors {
                    path: path.to_owned(),
                    source,
                },
            },
        )
    })
}
