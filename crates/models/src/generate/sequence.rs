//! One sequence on its way.

use llm_core::random::RandomKey;

use super::engine::Finish;

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
    pub(super) finish: Option<Finish>,
}

impl Sequence {
    /// What the model sees.
    pub(super) fn context(&self) -> &[u32] {
        &self.tokens[self.start..]
    }

    /// Number of new tokens.
    pub(super) fn n_new(&self) -> usize {
        self.tokens.len() - self.prompt_len
    }
}
