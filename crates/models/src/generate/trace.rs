//! What the samplers did before a token was picked, for people who want to see it.

use super::samplers::softmax;

/// The logits of one step, before and after every sampler.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// As the model gave them.
    pub raw: Vec<f32>,
    /// After each sampler, in the order of the chain.
    pub stages: Vec<Stage>,
}

/// What one sampler left.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The key of `[generate]` that asked for the sampler.
    pub key: &'static str,
    /// The number that it worked with, where that is another one at every step: the temperature of `dynatemp_range`, and the bound of
    /// surprise of `mirostat_tau` in bits.
    pub found: Option<f32>,
    /// All logits after it; minus infinity for what may not be chosen.
    pub logits: Vec<f32>,
}

impl Trace {
    /// The probabilities that the model gave.
    pub fn before(&self) -> Vec<f32> {
        softmax(&self.raw)
    }

    /// The probabilities by which the token was drawn.
    pub fn after(&self) -> Vec<f32> {
        softmax(self.stages.last().map_or(&self.raw, |stage| &stage.logits))
    }
}
