//! Making a tokenizer from text.

use std::collections::BTreeSet;

use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, Trainer};

use crate::byte_level;
use crate::characters;
use crate::error::TokenizerError;
use crate::tokenizer::{Engine, Tokenizer};
use crate::words;

/// Fewest tokens of a byte-level BPE: the bytes and the end of text.
pub(crate) const SMALLEST_BPE: usize = 257;

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
    ///
    /// A word never spans two of the `texts`, so cut them where words end anyway, such as at line ends. The result depends on the texts alone,
    /// not on the number of threads. When the texts have fewer merges than `vocab_size` asks for, the vocabulary is smaller.
    ///
    /// # Errors
    /// [`TokenizerError::VocabSize`] for fewer than 257 tokens, [`TokenizerError::NoText`] when there is no text.
    pub fn train_bpe<I>(texts: I, vocab_size: usize) -> Result<Self, TokenizerError>
    where
        I: Iterator<Item = String> + Send,
    {
        if vocab_size < SMALLEST_BPE {
            return Err(TokenizerError::VocabSize { found: vocab_size });
        }
        let failed = |source| TokenizerError::Train { source };

        let end_of_text = AddedToken::from(Self::END_OF_TEXT, true);
        let mut trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(vocab_size)
            .special_tokens(vec![end_of_text.clone()])
            .initial_alphabet((0..=u8::MAX).map(byte_level::symbol).collect())
            .build();
        let mut any = false;
        let texts = texts.inspect(|text| any |= !text.is_empty());
        trainer
            .feed(texts, |text| {
                Ok(words::split(text).map(words::spell).collect())
            })
            .map_err(failed)?;
        if !any {
            return Err(TokenizerError::NoText);
        }
        let mut model = BPE::default();
        trainer.train(&mut model).map_err(failed)?;

        let mut engine = Engine::new(model);
        engine.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        engine.with_decoder(Some(ByteLevel::new(false, true, true)));
        engine.add_special_tokens(&[end_of_text]);
        let definition = engine.to_string(false).map_err(failed)?;
        let definition = serde_json::from_str(&definition).map_err(|error| failed(error.into()))?;
        Self::made_here(definition).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(matches!(error, TokenizerError::VocabSize { found: 256 }));
    }
}
