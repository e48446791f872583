//! What can be chosen when a BPE is trained.

use serde::{Deserialize, Serialize};

use crate::byte_level;
use crate::error::TokenizerError;
use crate::split::Splitter;
use crate::tokenizer::Tokenizer;

/// Fewest tokens of a byte-level BPE made with default options: the bytes and the end of text.
pub(crate) const SMALLEST_BPE: usize = 257;

/// How a byte-level BPE is trained; [`BpeTraining::train`] does it.
///
/// The defaults give the tokenizer that the `BpeTrainer` of Hugging Face `tokenizers` gives with its byte-level pre-tokenizer, the 256 bytes as
/// initial alphabet and no other options. Counts are 64 bits wide.
///
/// ```
/// use std::ops::ControlFlow;
/// use llm_tokenizer::{BpeTraining, WordPattern};
///
/// # fn main() -> Result<(), llm_tokenizer::TokenizerError> {
/// let training = BpeTraining {
///     vocab_size: 300,
///     pattern: WordPattern::Gpt4,
///     ..BpeTraining::default()
/// };
/// let trained = training.train(["to be or not to be\n"], |_| ControlFlow::Continue(()))?;
/// assert_eq!(trained.summary.words, 7);
/// assert!(trained.tokenizer.id_of("Ġbe").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BpeTraining {
    /// Tokens of the finished vocabulary, special tokens and the 256 bytes included. Default: 1024.
    pub vocab_size: usize,
    /// A pair that is there less often is not merged. Default: 1; 0 means the same.
    pub min_frequency: u64,
    /// The first tokens of the vocabulary. No merge makes one of them. Default: [`Tokenizer::END_OF_TEXT`].
    pub special_tokens: Vec<String>,
    /// Whether the special tokens are cut out of the texts, so that no word reaches over one. Otherwise they are text like any other.
    /// Default: false.
    pub cut_at_special: bool,
    /// How texts are cut into words. Default: as for GPT-2.
    pub pattern: WordPattern,
    /// Which of several pairs with the highest count is merged. Default: as in `tokenizers`.
    pub ties: TieBreak,
    /// Longest token that a merge may make, in bytes, from 2. `tokenizers` stops one short of the number given to it. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_token_length: Option<usize>,
    /// Memory that the table of distinct words may take, in bytes. When it is full the rarest words are dropped until it is half empty, of
    /// equally rare ones the last to come, and [`TrainingSummary`](crate::TrainingSummary) tells how many. Default: 1 GiB, some ten million words.
    pub word_memory: usize,
}

impl Default for BpeTraining {
    fn default() -> Self {
        Self {
            vocab_size: 1024,
            min_frequency: 1,
            special_tokens: vec![Tokenizer::END_OF_TEXT.to_owned()],
            cut_at_special: false,
            pattern: WordPattern::default(),
            ties: TieBreak::default(),
            max_token_length: None,
            word_memory: 1 << 30,
        }
    }
}

/// How texts are cut into words before merges are learned; the tokenizer cuts in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordPattern {
    /// As GPT-2: letters, numbers and the rest apart, each with the space before.
    #[default]
    Gpt2,
    /// As GPT-4 (`cl100k_base`) and Llama 3, which have one rule: numbers in groups of three, line ends with the signs before them.
    #[serde(alias = "llama3", alias = "cl100k")]
    Gpt4,
    /// Not at all: a whole text is one word. Training takes time in the product of text length and merges.
    None,
    /// By a regular expression: a word is what it finds, or what lies between two finds.
    Regex(String),
}

impl WordPattern {
    /// The rule made ready.
    pub(crate) fn splitter(&self) -> Result<Splitter, TokenizerError> {
        Ok(match self {
            Self::Gpt2 => Splitter::Gpt2,
            Self::Gpt4 => Splitter::Gpt4,
            Self::None => Splitter::Whole,
            Self::Regex(expression) => Splitter::of_expression(expression)?,
        })
    }
}

/// Which of several pairs with the highest count is merged first, and in which order the 256 bytes are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieBreak {
    /// As the trainer of Hugging Face `tokenizers`: the pair with the smaller first id, then the smaller second one. Bytes are numbered in
    /// the order of the symbols that stand for them.
    #[default]
    SmallerIds,
    /// As the reference of the course CS336: the pair whose first token has the lexicographically greater bytes, then the second one. Bytes are
    /// numbered as above.
    GreaterBytes,
    /// As minbpe: the pair that stands first in the text as merged so far. A byte has its value as number, after the special tokens.
    FirstInText,
}

impl BpeTraining {
    /// Checks the options.
    ///
    /// # Errors
    /// [`TokenizerError::VocabSize`] for a vocabulary too small for the bytes and the special tokens, [`TokenizerError::SpecialToken`] for a special
    /// token that is empty, listed twice or written like a byte, [`TokenizerError::MaxTokenLength`] for a length below 2,
    /// [`TokenizerError::Pattern`] for an expression that is none.
    pub fn validate(&self) -> Result<(), TokenizerError> {
        let least = 256 + self.special_tokens.len();
        if self.vocab_size < least {
            return Err(TokenizerError::VocabSize {
                found: self.vocab_size,
                least,
            });
        }
        for (index, token) in self.special_tokens.iter().enumerate() {
            let mut characters = token.chars();
            let byte = characters.next().and_then(byte_level::byte);
            let reason = if token.is_empty() {
                "it has no text"
            } else if self.special_tokens[..index].contains(token) {
                "it is listed twice"
            } else if byte.is_some() && characters.next().is_none() {
                "a vocabulary writes a byte like that"
            } else {
                continue;
            };
            return Err(TokenizerError::SpecialToken {
                token: token.clone(),
                reason,
            });
        }
        if let Some(found) = self.max_token_length.filter(|length| *length < 2) {
            return Err(TokenizerError::MaxTokenLength { found });
        }
        self.pattern.splitter().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_and_read_back_and_unknown_keys_are_refused() {
        let training = BpeTraining {
            pattern: WordPattern::Regex("a+".to_owned()),
            ties: TieBreak::FirstInText,
            max_token_length: Some(16),
            ..BpeTraining::default()
        };
        let text = serde_json::to_string(&training).unwrap();
        assert_eq!(
            serde_json::from_str::<BpeTraining>(&text).unwrap(),
            training
        );
        let default: BpeTraining = serde_json::from_str("{}").unwrap();
        assert_eq!(default, BpeTraining::default());
        assert!(serde_json::from_str::<BpeTraining>(r#"{"vocabulary": 1}"#).is_err());
        let alias: WordPattern = serde_json::from_str("\"llama3\"").unwrap();
        assert_eq!(alias, WordPattern::Gpt4);
    }

    #[test]
    fn options_that_make_no_vocabulary_are_refused() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut BpeTraining), error: Option<&str>) {
            let mut training = BpeTraining::default();
            change(&mut training);
            let found = training.validate().err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), error);
        }
        let special = |tokens: &[&str]| tokens.iter().map(|token| (*token).to_owned()).collect();
        check(|_| {}, None);
        check(|t| t.vocab_size = 257, None);
        check(
            |t| {
                t.vocab_size = 256;
                t.special_tokens = Vec::new();
            },
            None,
        );
        check(
            |t| {
                t.vocab_size = 257;
                t.special_tokens = special(&["<a>", "<b>"]);
            },
            Some(
                "tokenizer.vocab_size is 257, but byte-level BPE needs at least 258: one token for each byte and each special token",
            ),
        );
        check(
            |t| t.special_tokens = special(&["<a>", ""]),
            Some("\"\" cannot be a special token: it has no text"),
        );
        check(
            |t| t.special_tokens = special(&["<a>", "<a>"]),
            Some("\"<a>\" cannot be a special token: it is listed twice"),
        );
        check(
            |t| t.special_tokens = special(&["Ġ"]),
            Some("\"Ġ\" cannot be a special token: a vocabulary writes a byte like that"),
        );
        check(
            |t| t.max_token_length = Some(1),
            Some(
                "the longest token must have at least 2 bytes, not 1, or there is nothing to merge",
            ),
        );
    }
}
