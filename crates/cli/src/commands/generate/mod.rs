//! `llm generate`: continue prompts with a trained model.

mod explain;
mod explained;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::ArgGroup;
use llm_models::generate::{Decision, Finish, GenerateConfig, Generated, Generator, Method, Step};
use llm_tokenizer::Tokenizer;
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::continuation::Continuation;
use crate::failure::{as_usage, usage};
use crate::named_model::NamedModel;
use crate::palette::Palette;
use crate::printer::Printer;
use crate::sampling::{SamplingArgs, resolve_tokens};
use crate::{input, interrupt, screen};
use explain::{Explainer, Explanation};

/// Most sequences of one call; all of them are in memory.
const MOST_SEQUENCES: usize = 1 << 16;

/// Arguments of `llm generate`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("input").required(true).args(["prompt", "prompts_file"])))]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Text to continue; an empty one is the beginning of a text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// File with one prompt on each line; `-` is stdin
    #[arg(long, value_name = "FILE")]
    prompts_file: Option<PathBuf>,
    /// How the next token is picked, and when a text ends
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Sequences for each prompt [default: 1]
    #[arg(long, value_name = "N")]
    num_return_sequences: Option<u64>,
    /// Compute every step from scratch, for cross-checks
    #[arg(long)]
    no_cache: bool,
    /// Guess that the text repeats itself, and check several tokens in one pass: the same text, sooner where guesses are right
    #[arg(long, conflicts_with_all = ["no_cache", "draft_model"])]
    lookup: bool,
    /// Folder of a smaller model with the same tokenizer, which guesses as --lookup does
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    draft_model: Option<PathBuf>,
    /// Tell for each new token the N best candidates, and what each sampler removed or changed [default N: 10]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    explain: Option<u16>,
    /// Print one JSON object for each sequence
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    explanations: Option<&'a [Explanation]>,
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
    let mut config = args.resolve()?;
    let device = args.device.open()?;
    let prompts = args.prompts()?;
    let named = NamedModel::load(&args.model, &device)?;
    resolve_tokens(&mut config, &named)?;
    let special = named.special();
    let NamedModel {
        model,
        tokenizer,
        end_ids,
        ..
    } = named;
    config.stop_tokens.extend(end_ids);
    let draft = args
        .draft_model
        .as_deref()
        .map(|path| NamedModel::load(path, &device));
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
    let prompt_of = |sequence: usize| sequence / config.num_return_sequences;
    let last_of_prompt = |s: usize| ids[prompt_of(s)].last().copied().unwrap_or_default();
    let mut explainer = args.explain.map(|most| {
        let lasts = (0..sequences).map(last_of_prompt).collect();
        Explainer::new(&tokenizer, &config, usize::from(most), lasts)
    });
    if explainer.is_some() {
        generator = generator.traced();
    }
    let stream = sequences == 1 && !args.json && explainer.is_none();
    let mut texts: Vec<_> = (0..sequences)
        .map(|s| Continuation::new(&tokenizer, &ids[prompt_of(s)], &config.stop))
        .collect();
    if stream {
        printer.text(&prompts[0].text)?;
    }

    interrupt::defer();
    let mut failure = None;
    let title = |sequence: usize, position: usize| match sequences {
        1 => format!("{} ", position + 1),
        _ => format!("sequence {}, token {} ", sequence + 1, position + 1),
    };
    let palette = Palette::stdout();
    let width = screen::width().unwrap_or(screen::DEFAULT_WIDTH);
    let mut on_step = |step: Step| {
        let text = &mut texts[step.sequence];
        let mut take = || -> anyhow::Result<()> {
            if let Some(told) = explainer.as_mut().and_then(|e| e.explain(&step))
                && !args.json
            {
                let title = title(step.sequence, told.position);
                printer.line(explained::render(&title, told, palette, width))?;
            }
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
            let told = explainer.as_ref().map(|e| e.told(sequence));
            let prompt_tokens = &ids[generated.prompt];
            printer.json(&line(generated, prompt_tokens, text.text(), told))?;
        } else {
            let (prompt, k) = (prompt_of(sequence), sequence % config.num_return_sequences);
            if sequences > 1 {
                let (prompt, k) = (prompt + 1, k + 1);
                printer.line(format_args!("=== prompt {prompt}, sequence {k} ==="))?;
            }
            printer.line(format_args!("{}{}", prompts[prompt].text, text.text()))?;
        }
    }
    Ok(interrupt::check()?)
}

fn line<'a>(
    generated: &'a Generated,
    prompt_tokens: &'a [u32],
    text: &'a str,
    explanations: Option<&'a [Explanation]>,
) -> Line<'a> {
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
        explanations,
    }
}

impl Args {
    fn resolve(&self) -> anyhow::Result<GenerateConfig> {
        let layers = self.sampling.layers()?.flag(
            "--num-return-sequences",
            "generate.num_return_sequences",
            self.num_return_sequences,
        );
        Ok(layers.resolve()?.generate)
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
