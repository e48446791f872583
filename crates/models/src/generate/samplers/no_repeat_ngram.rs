//! No n-gram twice: what would complete one of the text a second time is forbidden.
//!
//! Source: Paulus et al. 2017, "A Deep Reinforced Model for Abstractive Summarization", section 2.5, as transformers has it.

use super::{Moment, Sampler, forbid_ids};

/// `n`.
#[derive(Debug)]
pub(super) struct NoRepeatNgram(pub(super) usize);

impl Sampler for NoRepeatNgram {
    fn key(&self) -> &'static str {
        "no_repeat_ngram"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        let (n, history) = (self.0, moment.tokens);
        if history.len() + 1 < n {
            return None;
        }
        let begun = &history[history.len() + 1 - n..];
        let same = |ngram: &&[u32]| &ngram[..n - 1] == begun;
        let completed = history.windows(n).filter(same).map(|ngram| ngram[n - 1]);
        forbid_ids(logits, completed);
        None
    }
}
