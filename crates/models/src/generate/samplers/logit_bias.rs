//! A number added to the logits of single tokens, as in OpenAI's interface.

use std::collections::BTreeMap;

use super::{Moment, Sampler};

/// Bias by token id.
#[derive(Debug)]
pub(super) struct LogitBias(pub(super) BTreeMap<u32, f32>);

impl Sampler for LogitBias {
    fn key(&self) -> &'static str {
        "logit_bias"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        for (&id, bias) in &self.0 {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit += bias;
            }
        }
        None
    }
}
