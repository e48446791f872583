//! Writing a model for others, and reading back what was written.

use std::path::Path;

use super::encoding::Encoding;
use super::gguf::{self, Metadata};
use super::layout::Layout;
use super::outputs::{Parameter, parameters};
use super::{Checkpoint, SpecialIds, hugging_face};
use crate::{LanguageModel, ModelError};

/// Longest text that is tried on what was written, in tokens.
const PROBE: usize = 64;

/// What a model is written as.
#[derive(Clone, Debug)]
pub enum Format {
    /// A folder of Hugging Face.
    HuggingFace {
        /// What its configuration says of tokens.
        special: SpecialIds,
        /// Bytes beyond which weights are cut into shards.
        max_shard_size: u64,
    },
    /// A GGUF file.
    Gguf {
        /// Name, tokenizer and whatever else it is to carry beside the sizes.
        metadata: Metadata,
    },
}

/// What to write.
#[derive(Clone, Debug)]
pub struct Export {
    /// The form.
    pub format: Format,
    /// How matrices are stored.
    pub encoding: Encoding,
}

/// What reading back showed.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Largest distance of a score from the original's, over a probe of a few dozen tokens.
    pub largest_difference: f64,
    /// Tokens of the probe.
    pub probe: usize,
    /// What the format can't be told, and what the file says in its place.
    pub notes: Vec<String>,
}

/// Writes `model` to `path`, an existing folder or a file to be made, reads it back and compares.
///
/// Every parameter must come back as its encoding rounds it, bit for bit, and the scores of a probe must be finite; with f32 they must be the
/// model's own, within 1e-4 in GGUF files, whose sizes are f32.
///
/// # Errors
/// The format can't hold the model, a file can't be written, or what was written does not give the model back.
pub fn export(model: &LanguageModel, export: &Export, path: &Path) -> Result<Exported, ModelError> {
    let mut notes = Vec::new();
    match &export.format {
        Format::HuggingFace {
            special,
            max_shard_size,
        } => {
            if export.encoding.is_blocked() {
                return Err(ModelError::NoBlocks {
                    encoding: export.encoding.name(),
                });
            }
            hugging_face::save(model, special, export.encoding, *max_shard_size, path)?;
        }
        Format::Gguf { metadata } => {
            gguf::write(model, metadata.clone(), export.encoding, path)?;
            notes = gguf::notes(model.architecture());
        }
    }
    let back = Checkpoint::open(path)?.load(&model.device())?;
    let failed = |what| ModelError::ReadBack {
        path: path.to_owned(),
        what,
    };
    compare_parameters(model, &back, export).map_err(failed)?;
    let context = back.architecture().max_seq_len();
    let probe = PROBE.min(context).min(model.architecture().max_seq_len());
    // A stride that is large and odd visits tokens from all over the vocabulary.
    let vocab_size = model.architecture().vocab_size();
    let tokens: Vec<u32> = (0..probe).map(|i| (i * 7919 % vocab_size) as u32).collect();
    let (ours, theirs) = (model.scores(&tokens), back.scores(&tokens));
    if let Some(at) = theirs.iter().position(|score| !score.is_finite()) {
        return Err(failed(format!("score {at} of the probe is {}", theirs[at])));
    }
    let distances = ours
        .iter()
        .zip(&theirs)
        .map(|(a, b)| f64::from(a - b).abs());
    let largest_difference = distances.fold(0.0, f64::max);
    // GGUF keeps the numbers of its sizes as f32, those of rotary positions among them.
    let allowed = match export.format {
        Format::HuggingFace { .. } => 0.0,
        Format::Gguf { .. } => 1e-4,
    };
    if export.encoding == Encoding::F32 && largest_difference > allowed {
        return Err(failed(format!("scores differ by {largest_difference:e}")));
    }
    Ok(Exported {
        largest_difference,
        probe,
        notes,
    })
}

/// # Errors
/// What came back otherwise than it was to be stored.
fn compare_parameters(
    model: &LanguageModel,
    back: &LanguageModel,
    export: &Export,
) -> Result<(), String> {
    let mut others = parameters(back).into_iter();
    for ours in parameters(model) {
        let theirs = loop {
            let other = others
                .next()
                .ok_or_else(|| format!("{} is missing", ours.path))?;
            if other.path == ours.path {
                break other;
            }
            // Biases of a model that has none are stored as zeros.
            if other.values().iter().any(|value| *value != 0.0) {
                return Err(format!("{} was not in the model", other.path));
            }
        };
        let rounded = encoding_of(&ours, model, export).round(ours.values());
        if bits(&rounded) != bits(&theirs.values()) {
            return Err(format!("{} has other values", ours.path));
        }
    }
    Ok(())
}

/// How a parameter stands in what was written.
fn encoding_of(parameter: &Parameter, model: &LanguageModel, export: &Export) -> Encoding {
    match export.format {
        Format::HuggingFace { .. } => export.encoding,
        Format::Gguf { .. } => {
            let place = Layout::Gguf.place(model.architecture(), &parameter.path);
            gguf::stored_as(&place.name, &parameter.shape, export.encoding)
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
