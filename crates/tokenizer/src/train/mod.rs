//! Making a tokenizer from text.

mod count;
mod merge;
mod options;
mod ties;
mod vocabulary;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::characters;
use crate::error::TokenizerError;
use crate::tokenizer::Tokenizer;
use count::WordCounter;
pub(crate) use options::SMALLEST_BPE;
pub use options::{BpeTraining, TieBreak, WordPattern};

/// How far the training of a BPE is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingProgress {
    /// What is being done.
    pub phase: TrainingPhase,
    /// Bytes of text counted, or tokens in the vocabulary.
    pub done: u64,
    /// Tokens asked for; none while the text is counted, since its end is not known.
    pub total: Option<u64>,
}

/// The two parts of training a BPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingPhase {
    /// Reading the texts and counting their words.
    Counting,
    /// Merging the most frequent pairs.
    Merging,
}

/// A tokenizer that was trained, and what it was trained on.
#[derive(Clone, Debug)]
pub struct TrainedBpe {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// What was read, and what was left out.
    pub summary: TrainingSummary,
}

/// What the training of a BPE read, and what it left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrainingSummary {
    /// Number of texts.
    pub texts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Words in them, each counted as often as it is there.
    pub words: u64,
    /// Distinct words that were left to learn from.
    pub distinct_words: usize,
    /// How often the table of words was full, so that the rarest were dropped.
    pub prunings: u64,
    /// Words that were dropped then, each counted as often as it had been seen; they count towards `words`.
    pub dropped_words: u64,
    /// Merges learned.
    pub merges: usize,
    /// Tokens of the vocabulary; fewer than asked for where the text has no more pairs.
    pub tokens: usize,
}

impl Tokenizer {
    /// Makes a character tokenizer: [`Tokenizer::END_OF_TEXT`] is 0, then come the distinct characters of `texts` by code point.
    ///
    /// # Errors
    /// [`TokenizerError::NoText`] when there is no character.
    pub fn train_characters<I, S>(texts: I) -> Result<Self, TokenizerError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut characters = BTreeSet::new();
        for text in texts {
            characters.extend(text.as_ref().chars());
        }
        if characters.is_empty() {
            return Err(TokenizerError::NoText);
        }
        Self::made_here(characters::definition(&characters))
            .map_err(|source| TokenizerError::Train { source })
    }

    /// Trains a byte-level BPE with the splitting rule of GPT-2: [`Tokenizer::END_OF_TEXT`] is 0, the 256 bytes follow, then the merges.
    /// [`BpeTraining`] has the other ways.
    ///
    /// A word never spans two of the `texts`, so cut them where words end anyway, such as at line ends. The result depends on the texts alone,
    /// not on the number of threads. When the texts have fewer merges than `vocab_size` asks for, the vocabulary is smaller.
    ///
    /// # Errors
    /// [`TokenizerError::VocabSize`] for fewer than 257 tokens, [`TokenizerError::NoText`] when there is no text.
    pub fn train_bpe<I>(texts: I, vocab_size: usize) -> Result<Self, TokenizerError>
    where
        I: IntoIterator,
        I::Item: AsRef<str> + Sync,
    {
        let training = BpeTraining {
            vocab_size,
            ..BpeTraining::default()
        };
        let trained = training.train(texts, |_| ControlFlow::Continue(()))?;
        Ok(trained.tokenizer)
    }
}

impl BpeTraining {
    /// Trains a byte-level BPE on `texts`. The result depends on these and the options alone, not on the number of threads.
    ///
    /// A word never spans two of the texts. `progress` is called some times a second and after every merge; the training ends when it breaks.
    ///
    /// # Errors
    /// Those of [`BpeTraining::validate`]; [`TokenizerError::NoText`] when there is no text, [`TokenizerError::TrainingStopped`] when `progress` says
    /// so, [`TokenizerError::PatternGaveUp`] where a regular expression cannot cope with a text.
    pub fn train<I>(
        &self,
        texts: I,
        mut progress: impl FnMut(TrainingProgress) -> ControlFlow<()>,
    ) -> Result<TrainedBpe, TokenizerError>
    where
        I: IntoIterator,
        I::Item: AsRef<str> + Sync,
    {
        self.validate()?;
        let splitter = self.pattern.splitter()?;
        let mut counter = WordCounter::new(self, &splitter);
        counter.count(texts, |bytes| {
            report(&mut progress, TrainingPhase::Counting, bytes, None)
        })?;
        let (words, mut summary) = counter.finish();
        if summary.bytes == 0 {
            return Err(TokenizerError::NoText);
        }
        let alphabet = vocabulary::Alphabet::new(&self.special_tokens, self.ties);
        let total = Some(self.vocab_size as u64);
        let learned = merge::learn(self, &alphabet, words, |tokens| {
            report(&mut progress, TrainingPhase::Merging, tokens as u64, total)
        })?;
        summary.merges = learned.merges.len();
        summary.tokens = learned.tokens.len();
        let definition = vocabulary::definition(&alphabet, &learned, &splitter);
        let tokenizer =
            Tokenizer::made_here(definition).map_err(|source| TokenizerError::Train { source })?;
        Ok(TrainedBpe { tokenizer, summary })
    }
}

fn report(
    progress: &mut impl FnMut(TrainingProgress) -> ControlFlow<()>,
    phase: TrainingPhase,
    done: u64,
    total: Option<u64>,
) -> Result<(), TokenizerError> {
    match progress(TrainingProgress { phase, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TokenizerError::TrainingStopped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_level;

    const TEXT: &str = "the cat and the hat sat on the mat, the cat said\n";

    fn bpe(vocab_size: usize) -> Tokenizer {
        let lines = std::iter::repeat_n(TEXT.to_owned(), 50);
        Tokenizer::train_bpe(lines, vocab_size).unwrap()
    }

    #[test]
    fn characters_are_numbered_by_code_point_after_the_end_of_text() {
        let tokenizer = Tokenizer::train_characters(["ba", "\né"]).unwrap();
        let tokens: Vec<_> = (0..5).map(|id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(tokens, ["<|endoftext|>", "\n", "a", "b", "é"]);
        assert_eq!(tokenizer.vocab_size(), 5);
    }

    #[test]
    fn bpe_starts_with_the_end_of_text_and_all_bytes() {
        let tokenizer = bpe(270);
        assert_eq!(tokenizer.vocab_size(), 270);
        assert_eq!(tokenizer.id_of(Tokenizer::END_OF_TEXT), Some(0));
        for byte in 0..=255 {
            let symbol = byte_level::symbol(byte).to_string();
            assert!(tokenizer.id_of(&symbol).is_some_and(|id| id <= 256));
        }
    }

    #[test]
    fn a_vocabulary_ends_where_the_merges_do() {
        let size = bpe(5000).vocab_size();
        assert!((271..300).contains(&size), "{size}");
        assert_eq!(bpe(257).vocab_size(), 257);
    }

    #[test]
    fn training_twice_gives_one_tokenizer() {
        assert_eq!(bpe(270).hash(), bpe(270).hash());
        assert_ne!(bpe(270).hash(), bpe(265).hash());
    }

    #[test]
    fn nothing_to_learn_from_is_an_error() {
        let empty = || std::iter::once(String::new());
        let error = Tokenizer::train_bpe(empty(), 300).unwrap_err();
        assert!(matches!(error, TokenizerError::NoText));
        let error = Tokenizer::train_characters(empty()).unwrap_err();
        assert!(matches!(error, TokenizerError::NoText));
        let error = Tokenizer::train_bpe(std::iter::once(TEXT.to_owned()), 256).unwrap_err();
        assert!(matches!(
            error,
            TokenizerError::VocabSize {
                found: 256,
                least: 257
            }
        ));
    }
}
