//! One sequence on its way.

use llm_core::random::RandomKey;

use super::engine::Finish;
use super::samplers::Moment;

/// Prompt, new tokens, and where it stands.
pub(super) struct Sequence {
    /// Index of its prompt.
    pub(super) prompt: usize,
    /// Prompt and new tokens.
    pub(super) tokens: Vec<u32>,
    pub(super) prompt_len: usize,
    pub(super) logprobs: Vec<f32>,
    /// First token of the context: what came before is forgotten.
    pub(super) start: usize,
    pub(super) key: RandomKey,
    /// Mirostat's bound of surprise, once it has learned.
    pub(super) mirostat_mu: Option<f32>,
    pub(super) finish: Option<Finish>,
}

impl Sequence {
    /// What the model sees.
    pub(super) fn context(&self) -> &[u32] {
        &self.tokens[self.start..]
    }

    /// What the samplers may know.
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment {
            tokens: &self.tokens,
            prompt_len: self.prompt_len,
            key: self.key,
            mirostat_mu: self.mirostat_mu,
        }
    }

    /// Number of new tokens.
    pub(super) fn n_new(&self) -> usize {
        self.tokens.len() - self.prompt_len
    }
}
