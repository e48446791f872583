//! `llm generate`: continue prompts with a trained model.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{ArgGroup, ValueEnum};
use llm_models::generate::{
    Decision, Finish, GenerateConfig, Generated, Generator, Method, Special, Step,
};
use llm_tokenizer::Tokenizer;
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::config::Layers;
use crate::continuation::Continuation;
use crate::failure::{as_usage, usage};
use crate::model_folder::ModelFolder;
use crate::printer::Printer;
use crate::{input, interrupt};

/// Most sequences of one call; all of them are in memory.
const MOST_SEQUENCES: usize = 1 << 16;

/// Arguments of `llm generate`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("input").required(true).args(["prompt", "prompts_file"])))]
pub(crate) struct Args {
    /// Model folder, or a run folder, whose final model is taken
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Text to continue; an empty one is the beginning of a text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// File with one prompt on each line; `-` is stdin
    #[arg(long, value_name = "FILE")]
    prompts_file: Option<PathBuf>,
    /// Rule that picks the next token [default: sample]
    #[arg(long, value_enum)]
    strategy: Option<Strategy>,
    /// Divide the logits by this, above 0 [default: 1]
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// Keep so many tokens [default: 50 with top-k, else off]
    #[arg(long, value_name = "K")]
    top_k: Option<u64>,
    /// Keep the smallest set of tokens that reaches this probability [default: 0.9 with top-p, else off]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Keep tokens above this share of the largest probability [default: 0.05 with min-p, else off]
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Make tokens seen before less likely, above 1, or more likely, below 1 [default: 1]
    #[arg(long, value_name = "R")]
    repetition_penalty: Option<f32>,
    /// Let no sequence of N tokens appear twice; 0 is off [default: 0]
    #[arg(long, value_name = "N")]
    no_repeat_ngram: Option<u64>,
    /// Forbid the end of the text before N new tokens [default: 0]
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<u64>,
    /// Most new tokens of a sequence [default: 200]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<u64>,
    /// Sequences for each prompt [default: 1]
    #[arg(long, value_name = "N")]
    num_return_sequences: Option<u64>,
    /// Seed of the draws [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End a sequence before this text; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// End a sequence after this token id; may be repeated
    #[arg(long, value_name = "ID")]
    stop_token: Vec<u32>,
    /// What happens at the end of the context [default: slide]
    #[arg(long, value_enum)]
    context_overflow: Option<ContextOverflow>,
    /// Compute every step from scratch, for cross-checks
    #[arg(long)]
    no_cache: bool,
    /// Guess that the text repeats itself, and check several tokens in one pass: the same text, sooner where guesses are right
    #[arg(long, conflicts_with_all = ["no_cache", "draft_model"])]
    lookup: bool,
    /// Folder of a smaller model with the same tokenizer, which guesses as --lookup does
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    draft_model: Option<PathBuf>,
    /// Print one JSON object for each sequence
    #[arg(long)]
    json: bool,
    /// Configuration file, of which the table "generate" is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as generate.top_k=20; an empty value is the default. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// The rules, spelt as in configuration files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Strategy {
    /// The most probable token
    Greedy,
    /// A draw, after every filter that is set
    Sample,
    /// A draw from the --top-k most probable tokens
    TopK,
    /// A draw from the smallest set that reaches --top-p
    TopP,
    /// A draw from the tokens above --min-p times the largest probability
    MinP,
}

/// The ways out of a full context, spelt as in configuration files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ContextOverflow {
    /// Forget the older half
    Slide,
    /// End the sequence
    Stop,
    /// Fail
    Error,
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    prompt: usize,
    prompt_tokens: &'a [u32],
    tokens: &'a [u32],
    text: &'a str,
    logprobs: &'a [f32],
    finish_reason: &'static str,
}

/// A prompt, and where it was written.
struct Prompt {
    origin: String,
    text: String,
}

/// Runs the command.
///
/// # Errors
/// A fault in the settings, the prompts or the model; a signal.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let config = args.resolve()?;
    let device = args.device.open()?;
    let prompts = args.prompts()?;
    let ModelFolder { model, tokenizer } = ModelFolder::load(&args.model, &device)?;
    let draft = args
        .draft_model
        .as_deref()
        .map(|path| ModelFolder::load(path, &device));
    let draft = draft.transpose()?.map(|folder| folder.model);
    let ids = prompts
        .iter()
        .map(|prompt| args.encode(&tokenizer, prompt))
        .collect::<anyhow::Result<Vec<_>>>()?;

    let sequences = ids.len().saturating_mul(config.num_return_sequences);
    if sequences > MOST_SEQUENCES {
        let (prompts, each) = (ids.len(), config.num_return_sequences);
        return Err(usage(format_args!(
            "{prompts} prompts with {each} sequences each: at most {MOST_SEQUENCES} sequences are made at once"
        )));
    }
    let method = match &draft {
        Some(draft) => Method::Draft(draft),
        None if args.lookup => Method::Lookup,
        None if args.no_cache => Method::Uncached,
        None => Method::Cached,
    };
    let mut generator = Generator::new(&model, method)?;
    let stream = sequences == 1 && !args.json;
    let prompt_of = |sequence: usize| sequence / config.num_return_sequences;
    let mut texts: Vec<_> = (0..sequences)
        .map(|s| Continuation::new(&tokenizer, &ids[prompt_of(s)], &config.stop))
        .collect();
    if stream {
        printer.text(&prompts[0].text)?;
    }

    interrupt::defer();
    let mut failure = None;
    let mut on_step = |step: Step| {
        let text = &mut texts[step.sequence];
        let mut take = || -> anyhow::Result<()> {
            let piece = text.push(step.token)?;
            if stream {
                Ok(printer.text(piece)?)
            } else {
                Ok(())
            }
        };
        if let Err(error) = take() {
            failure.get_or_insert(error);
        }
        let over = failure.is_some() || interrupt::pending().is_some() || text.is_over();
        if over {
            Decision::Stop
        } else {
            Decision::Continue
        }
    };
    let special = Special {
        bos: tokenizer.bos(),
        eos: tokenizer.eos(),
        n_tokens: Some(tokenizer.vocab_size()),
    };
    let generated = generator.generate(&ids, &config, &special, &mut on_step);
    if let Some(error) = failure {
        return Err(error);
    }
    let generated = generated?;

    for (sequence, (text, generated)) in texts.iter_mut().zip(&generated).enumerate() {
        let rest = text.finish()?;
        if stream {
            printer.text(rest)?;
            printer.text("\n")?;
        } else if args.json {
            printer.json(&line(generated, &ids[generated.prompt], text.text()))?;
        } else {
            let (prompt, k) = (prompt_of(sequence), sequence % config.num_return_sequences);
            printer.line(format_args!(
                "=== prompt {}, sequence {} ===",
                prompt + 1,
                k + 1
            ))?;
            printer.line(format_args!("{}{}", prompts[prompt].text, text.text()))?;
        }
    }
    Ok(interrupt::check()?)
}

fn line<'a>(generated: &'a Generated, prompt_tokens: &'a [u32], text: &'a str) -> Line<'a> {
    let finish_reason = match generated.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    };
    let Generated {
        prompt,
        tokens,
        logprobs,
        ..
    } = generated;
    Line {
        prompt: *prompt,
        prompt_tokens,
        tokens,
        text,
        logprobs,
        finish_reason,
    }
}

impl Args {
    fn resolve(&self) -> anyhow::Result<GenerateConfig> {
        let layers = match &self.config {
            Some(path) => Layers::new().file(path)?,
            None => Layers::new(),
        };
        let some = |list: bool| list.then_some(());
        let config = layers
            .set(&self.set)?
            .flag("--strategy", "generate.strategy", self.strategy.map(name))
            .flag("--temperature", "generate.temperature", self.temperature)
            .flag("--top-k", "generate.top_k", self.top_k)
            .flag("--top-p", "generate.top_p", self.top_p)
            .flag("--min-p", "generate.min_p", self.min_p)
            .flag(
                "--repetition-penalty",
                "generate.repetition_penalty",
                self.repetition_penalty,
            )
            .flag(
                "--no-repeat-ngram",
                "generate.no_repeat_ngram",
                self.no_repeat_ngram,
            )
            .flag(
                "--min-new-tokens",
                "generate.min_new_tokens",
                self.min_new_tokens,
            )
            .flag(
                "--max-new-tokens",
                "generate.max_new_tokens",
                self.max_new_tokens,
            )
            .flag(
                "--num-return-sequences",
                "generate.num_return_sequences",
                self.num_return_sequences,
            )
            .flag("--seed", "generate.seed", self.seed)
            .flag(
                "--context-overflow",
                "generate.context_overflow",
                self.context_overflow.map(name),
            )
            .flag(
                "--stop",
                "generate.stop",
                some(!self.stop.is_empty()).map(|()| self.stop.clone()),
            )
            .flag(
                "--stop-token",
                "generate.stop_tokens",
                some(!self.stop_token.is_empty()).map(|()| self.stop_token.clone()),
            )
            .resolve()?;
        Ok(config.generate)
    }

    fn prompts(&self) -> anyhow::Result<Vec<Prompt>> {
        if let Some(text) = &self.prompt {
            return Ok(vec![Prompt {
                origin: "--prompt".into(),
                text: text.clone(),
            }]);
        }
        let path = self.prompts_file.as_deref().unwrap_or_else(|| "-".as_ref());
        let text = input::read_text(path)?;
        let name = path.display();
        let prompt = |(i, line): (usize, &str)| Prompt {
            origin: format!("{name}:{}", i + 1),
            text: line.to_owned(),
        };
        let prompts: Vec<_> = text.lines().enumerate().map(prompt).collect();
        if prompts.is_empty() {
            return Err(anyhow!("{name}: holds no prompt; write one on each line"));
        }
        Ok(prompts)
    }

    /// The ids of a prompt; those of an empty one are the token that begins a text.
    fn encode(&self, tokenizer: &Tokenizer, prompt: &Prompt) -> anyhow::Result<Vec<u32>> {
        if prompt.text.is_empty() {
            let bos = tokenizer.bos().map(|bos| vec![bos]);
            return bos.with_context(|| {
                format!(
                    "{}: is empty, and the tokenizer has no token that begins a text",
                    prompt.origin
                )
            });
        }
        let begin = tokenizer.bos().filter(|_| tokenizer.begins_with_bos());
        let ids = tokenizer
            .encode(&prompt.text)
            .map(|ids| begin.into_iter().chain(ids).collect())
            .with_context(|| prompt.origin.clone());
        if self.prompt.is_some() {
            ids.map_err(as_usage)
        } else {
            ids
        }
    }
}

/// The name of a clap value, which is the one in configuration files.
fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_command_line_is_one_of_the_library() {
        let known = |key: &str, value: String| {
            Layers::new()
                .flag("--flag", key, Some(value))
                .resolve()
                .is_ok()
        };
        assert!(
            Strategy::value_variants()
                .iter()
                .all(|v| known("generate.strategy", name(*v)))
        );
        assert!(
            ContextOverflow::value_variants()
                .iter()
                .all(|v| known("generate.context_overflow", name(*v)))
        );
        assert!(!known("generate.strategy", "beam".into()));
    }
}
