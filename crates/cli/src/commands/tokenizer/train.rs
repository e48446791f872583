//! `llm tokenizer train`: a tokenizer from text.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::ValueEnum;
use llm_tokenizer::{
    BpeTraining, TieBreak, Tokenizer, TokenizerError, TrainingPhase, TrainingProgress,
    TrainingSummary, WordPattern,
};

use crate::failure::usage;
use crate::interrupt;
use crate::output::{self, Overwrite};
use crate::printer::Printer;
use crate::progress::Counter;
use crate::text_source::{Reading, TextArgs};

/// Arguments of `llm tokenizer train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text
    #[command(flatten)]
    text: TextArgs,
    /// Kind of tokenizer
    #[arg(long, value_enum, default_value_t = Kind::Bpe)]
    kind: Kind,
    /// Tokens of a BPE tokenizer, the 256 bytes and the special tokens included [default: 1024]
    #[arg(long, value_name = "N")]
    vocab_size: Option<usize>,
    /// Leave out pairs that are there less often [default: 1]
    #[arg(long, value_name = "N")]
    min_frequency: Option<u64>,
    /// How text is cut into words [default: gpt2]
    #[arg(long, value_enum)]
    pattern: Option<Pattern>,
    /// Cut text into words by this regular expression
    #[arg(
        long,
        value_name = "EXPRESSION",
        conflicts_with = "pattern",
        allow_hyphen_values = true
    )]
    regex: Option<String>,
    /// A special token beside the end of text, such as `<|user|>`. May be repeated
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    special: Vec<String>,
    /// Which of equally frequent pairs is merged first [default: hf]
    #[arg(long, value_enum)]
    ties: Option<Ties>,
    /// Longest token that a merge may make, in bytes
    #[arg(long, value_name = "N")]
    max_token_length: Option<usize>,
    /// Memory for the table of distinct words, such as 500MB; beyond it the rarest words are dropped [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    word_memory: Option<String>,
    /// Folder to write `tokenizer.json` and `tokenizer_config.json` to
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Write into a folder that has files in it
    #[arg(long)]
    force: bool,
}

/// A tokenizer that can be made from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Byte-level byte-pair encoding
    Bpe,
    /// One token for each character
    Character,
}

/// A way to cut text into words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pattern {
    /// As GPT-2
    Gpt2,
    /// As GPT-4 and Llama 3: numbers in groups of three
    Gpt4,
    /// Not at all: each document is one word
    None,
}

/// A rule for equally frequent pairs.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ties {
    /// As Hugging Face tokenizers: the smaller ids
    Hf,
    /// As the course CS336: the lexicographically greater bytes
    Cs336,
    /// As minbpe: the first in the text
    Minbpe,
}

/// Runs the command.
///
/// # Errors
/// The text can't be read, an option is wrong, or the folder can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let training = args.training()?;
    let config = args.text.configuration("")?;
    output::check_folder(&args.output_dir, Overwrite::from_force(args.force))?;
    let documents = RefCell::new(Reading::open(&config.data)?);
    let failure = RefCell::new(None);
    // Trainers take texts, not results: they end at the first failure, which is told afterwards.
    let texts = std::iter::from_fn(|| match documents.borrow_mut().next()? {
        Ok(document) => Some(document.text),
        Err(error) => {
            *failure.borrow_mut() = Some(error);
            None
        }
    });
    let tokenizer = match &training {
        None => Tokenizer::train_characters(texts),
        Some(training) => train(training, texts, &failure, printer),
    };
    if let Some(error) = failure.take() {
        return Err(error);
    }
    interrupt::check()?;
    let tokenizer = tokenizer?;
    documents.borrow().finish(printer);
    // Its files belong together; they are written in no time.
    interrupt::defer();
    tokenizer.save(&args.output_dir)?;
    printer.line(format_args!(
        "{}: {}",
        args.output_dir.display(),
        tokenizer.describe()
    ))?;
    Ok(())
}

/// Trains a BPE, shows how far it is, and says what was left out.
fn train(
    training: &BpeTraining,
    texts: impl Iterator<Item = String>,
    failure: &RefCell<Option<anyhow::Error>>,
    printer: Printer,
) -> Result<Tokenizer, TokenizerError> {
    let mut counter = Counter::new(printer);
    let trained = training.train(texts, |progress| {
        let TrainingProgress { phase, done, total } = progress;
        match phase {
            TrainingPhase::Counting => counter.update("bytes read", done, total),
            TrainingPhase::Merging => counter.update("tokens", done, total),
        }
        // What was not read whole is not worth merging.
        if failure.borrow().is_some() || interrupt::check().is_err() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    counter.finish();
    let trained = trained?;
    tell(&trained.summary, training, printer);
    Ok(trained.tokenizer)
}

fn tell(summary: &TrainingSummary, training: &BpeTraining, printer: Printer) {
    printer.note(format_args!(
        "{} bytes, {} words, {} of them distinct",
        summary.bytes, summary.words, summary.distinct_words
    ));
    if summary.prunings > 0 {
        printer.warn(format_args!(
            "the table of words was full {} times: {} occurrences of rare words were dropped; raise --word-memory",
            summary.prunings, summary.dropped_words
        ));
    }
    if summary.tokens < training.vocab_size {
        printer.warn(format_args!(
            "the text has pairs for {} tokens only, of {} asked for",
            summary.tokens, training.vocab_size
        ));
    }
}

impl Args {
    /// How a BPE is trained; `None` for a character tokenizer.
    fn training(&self) -> anyhow::Result<Option<BpeTraining>> {
        let of_bpe = [
            ("--vocab-size", self.vocab_size.is_some()),
            ("--min-frequency", self.min_frequency.is_some()),
            ("--pattern", self.pattern.is_some()),
            ("--regex", self.regex.is_some()),
            ("--special", !self.special.is_empty()),
            ("--ties", self.ties.is_some()),
            ("--max-token-length", self.max_token_length.is_some()),
            ("--word-memory", self.word_memory.is_some()),
        ];
        if self.kind == Kind::Character {
            return match of_bpe.iter().find(|(_, given)| *given) {
                Some((flag, _)) => Err(usage(format_args!(
                    "{flag}: is for --kind bpe; a character tokenizer has the characters of the text"
                ))),
                None => Ok(None),
            };
        }
        let default = BpeTraining::default();
        let word_memory = match &self.word_memory {
            Some(size) => {
                let bytes = llm_data::parse_size(size)
                    .map_err(|error| usage(format_args!("--word-memory: {error}")))?;
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }
            None => default.word_memory,
        };
        let mut special_tokens = default.special_tokens;
        special_tokens.extend(self.special.iter().cloned());
        let training = BpeTraining {
            vocab_size: self.vocab_size.unwrap_or(default.vocab_size),
            min_frequency: self.min_frequency.unwrap_or(default.min_frequency),
            special_tokens,
            pattern: match (&self.regex, self.pattern) {
                (Some(expression), _) => WordPattern::Regex(expression.clone()),
                (None, Some(Pattern::Gpt2) | None) => WordPattern::Gpt2,
                (None, Some(Pattern::Gpt4)) => WordPattern::Gpt4,
                (None, Some(Pattern::None)) => WordPattern::None,
            },
            ties: match self.ties {
                Some(Ties::Hf) | None => TieBreak::SmallerIds,
                Some(Ties::Cs336) => TieBreak::GreaterBytes,
                Some(Ties::Minbpe) => TieBreak::FirstInText,
            },
            max_token_length: self.max_token_length,
            word_memory,
            ..default
        };
        training.validate().map_err(|error| {
            let flag = match error {
                TokenizerError::VocabSize { .. } => "--vocab-size",
                TokenizerError::SpecialToken { .. } => "--special",
                TokenizerError::MaxTokenLength { .. } => "--max-token-length",
                _ => "--regex",
            };
            usage(format_args!("{flag}: {error}"))
        })?;
        Ok(Some(training))
    }
}
