//! Guesses of the next tokens, which one pass of the model checks together.
//!
//! A guess is kept while it is the token that the model chooses anyway, so the text is the same as without guesses, drawn or greedy.
//! Sources: Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding" (draft model); Saxena 2023, "Prompt Lookup
//! Decoding".

use llm_core::decode::Plan;
use llm_core::kernels::arg_max;

use super::planned::{Planned, Request};

/// Tokens in a pass whose products are bound by memory: so many cost little more than one.
const CHEAP: usize = 8;

/// Longest run of tokens that is looked up.
const LONGEST: usize = 4;

/// Shortest run of tokens that is looked up.
const SHORTEST: usize = 2;

/// Where guesses come from.
pub(super) enum Guesser {
    /// What followed the last tokens when they came before.
    Lookup,
    /// A smaller model, and the longest context that it takes.
    Draft(Box<Planned>, usize),
}

/// Guesses for the sequences of a call, more of them where they have been right.
pub(super) struct Speculation {
    guesser: Guesser,
    /// Next number of guesses, by sequence.
    ambition: Vec<usize>,
}

impl Speculation {
    pub(super) fn lookup() -> Self {
        Self::new(Guesser::Lookup)
    }

    /// Guesses by a model that takes contexts of `max_len` tokens.
    pub(super) fn draft(plan: Plan, max_len: usize) -> Self {
        Self::new(Guesser::Draft(Box::new(Planned::new(plan)), max_len))
    }

    fn new(guesser: Guesser) -> Self {
        Self {
            guesser,
            ambition: Vec::new(),
        }
    }

    /// Up to `limit` guesses of what follows `context`, in a pass over so many sequences.
    pub(super) fn guess(
        &mut self,
        sequence: usize,
        context: &[u32],
        limit: usize,
        n_sequences: usize,
    ) -> Vec<u32> {
        if self.ambition.len() <= sequence {
            self.ambition.resize(sequence + 1, CHEAP / 2);
        }
        let cheap = (CHEAP / n_sequences).saturating_sub(1);
        let limit = self.ambition[sequence].min(limit).min(cheap);
        if limit == 0 {
            return Vec::new();
        }
        match &mut self.guesser {
            Guesser::Lookup => looked_up(context, limit),
            Guesser::Draft(draft, max_len) => {
                let limit = limit.min(*max_len / 2);
                drafted(draft, sequence, recent(context, *max_len - limit), limit)
            }
        }
    }

    /// Learns that `kept` of `guessed` tokens were right.
    pub(super) fn learn(&mut self, sequence: usize, guessed: usize, kept: usize) {
        let ambition = &mut self.ambition[sequence];
        if guessed > 0 && kept == guessed {
            *ambition = (*ambition + 2).min(CHEAP - 1);
        } else if guessed > 0 {
            *ambition = ambition.saturating_sub(1).max(1);
        }
    }

    /// Ends the work on a sequence.
    pub(super) fn finish(&mut self, sequence: usize) {
        if let Guesser::Draft(draft, _) = &mut self.guesser {
            draft.finish(sequence);
        }
    }
}

/// What followed the newest earlier occurrence of the longest run of tokens that the context ends with.
fn looked_up(context: &[u32], limit: usize) -> Vec<u32> {
    for n in (SHORTEST..=LONGEST.min(context.len().saturating_sub(1))).rev() {
        let (before, last) = context.split_at(context.len() - n);
        // An occurrence may overlap the end, as in a row of equal tokens.
        let start = (0..before.len())
            .rev()
            .find(|&start| &context[start..start + n] == last);
        if let Some(start) = start {
            let mut guesses: Vec<u32> = Vec::with_capacity(limit);
            for i in start + n..start + n + limit {
                // Past the end of the context the guesses themselves go on.
                let guess = context.get(i).or_else(|| guesses.get(i - context.len()));
                guesses.extend(guess.copied());
            }
            return guesses;
        }
    }
    Vec::new()
}

/// The end of a context, at most `max_len` tokens. Its beginning moves in steps, so that caches serve several times.
fn recent(context: &[u32], max_len: usize) -> &[u32] {
    let step = max_len.div_ceil(2);
    let start = context.len().saturating_sub(max_len).div_ceil(step) * step;
    &context[start..]
}

/// The greedy continuation of a smaller model.
fn drafted(draft: &mut Planned, sequence: usize, context: &[u32], limit: usize) -> Vec<u32> {
    let mut guesses = Vec::with_capacity(limit);
    for _ in 0..limit {
        let mut logits = Vec::new();
        let context = context.iter().chain(&guesses).copied().collect::<Vec<_>>();
        draft.run(vec![Request {
            sequence,
            capacity: context.len() + limit,
            context,
            n_guessed: 0,
            logits: &mut logits,
        }]);
        guesses.push(arg_max(&logits[0]) as u32);
    }
    guesses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_and_longest_run_is_looked_up() {
        assert_eq!(looked_up(&[1, 2, 3, 4, 1, 2, 5, 9, 1, 2], 2), [5, 9]);
        assert_eq!(looked_up(&[7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2], 1), [3]);
        assert_eq!(looked_up(&[6, 6, 6], 3), [6, 6, 6]);
        assert!(looked_up(&[1, 2, 3], 4).is_empty());
        assert!(looked_up(&[], 4).is_empty());
    }

    #[test]
    fn right_guesses_make_bolder() {
        let mut speculation = Speculation::lookup();
        let context = [5; 40];
        let n = |s: &mut Speculation| s.guess(0, &context, 100, 1).len();
        assert_eq!(n(&mut speculation), 4);
        speculation.learn(0, 4, 4);
        speculation.learn(0, 6, 6);
        assert_eq!(n(&mut speculation), 7);
        for _ in 0..20 {
            speculation.learn(0, 7, 2);
        }
        assert_eq!(n(&mut speculation), 1);
        assert_eq!(speculation.guess(0, &context, 0, 1).len(), 0);
        assert_eq!(speculation.guess(1, &context, 100, 4).len(), 1);
        assert_eq!(speculation.guess(2, &context, 100, 8).len(), 0);
    }
}
