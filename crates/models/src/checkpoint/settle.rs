//! What the tensors of a Hugging Face folder say of a model, where its configuration says otherwise.
//!
//! transformers keeps keys that it does not know, and saves tensors that they no longer fit: after more training there, the biases of a model
//! that began without any are there.

use super::layout::Layout;
use super::source::{Source, Stored};
use crate::{Architecture, ModelError};

/// The sizes with which the tensors fit.
///
/// # Errors
/// A tensor can't be read.
pub(super) fn settle(
    mut architecture: Architecture,
    source: &dyn Source,
) -> Result<Architecture, ModelError> {
    let layout = Layout::HuggingFace;
    if architecture.tie_embeddings() {
        let embedding = layout.place(&architecture, "token_embedding.weight").name;
        let find = |name: &str| {
            let short = name.split_once('.').map_or("", |(_, rest)| rest);
            source.find(name).or_else(|| source.find(short))
        };
        if let (Some(head), Some(embedding)) = (source.find("lm_head.weight"), find(&embedding)) {
            // transformers 5 uses a head that is there and differs, whatever the configuration says.
            if head.shape != embedding.shape || head.bytes()? != embedding.bytes()? {
                architecture.untie_embeddings();
            }
        }
    }
    if let Architecture::Gpt2(config) = &mut architecture
        && !config.bias
    {
        for (_, name) in source.names() {
            if !name.ends_with(".bias") || layout.holds_nothing(name) {
                continue;
            }
            if let Some(bias) = source.find(name)
                && !is_zero(&bias)?
            {
                config.bias = true;
                break;
            }
        }
    }
    Ok(architecture)
}

/// Whether every number is zero, of either sign.
fn is_zero(tensor: &Stored<'_>) -> Result<bool, ModelError> {
    let bytes = tensor.bytes()?;
    Ok(match tensor.encoding {
        Ok(encoding) if !encoding.is_blocked() => {
            encoding.decode(&bytes).iter().all(|value| *value == 0.0)
        }
        _ => false,
    })
}
