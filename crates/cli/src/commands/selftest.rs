//! `llm selftest`: check that a model computes the same in every way it can be computed, stored and read.

use std::path::PathBuf;

use anyhow::bail;
use llm_core::device::DeviceChoice;
use llm_files::PartialFolder;
use llm_models::checkpoint::{Encoding, Export, Exported, Format, export};
use llm_models::generate::{Decision, GenerateConfig, Method, Strategy, generate};
use llm_models::{Family, LanguageModel};
use llm_tokenizer::{Tokenizer, TokenizerError};
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::gguf_tokenizer;
use crate::named_model::NamedModel;
use crate::printer::Printer;

/// New tokens of each comparison.
const NEW: usize = 24;
/// Most tokens of a prompt; a longer window or context is not filled.
const LONGEST: usize = 2048;
/// How far log-probabilities of two ways may be apart, in nats: sums in another order.
const TOLERANCE: f32 = 1e-3;

/// Texts that a tokenizer must give back.
const TEXTS: [&str; 8] = [
    "Once upon a time, there was a cat.",
    "  two spaces,\ttabs\nand lines\n\n",
    "I'll say: 1234567890, 3.14!",
    "fn main() { println!(\"{}\", 1 << 2); }",
    "naïve café, Ελληνικά, русский",
    "日本語のテキスト 中文 한국어",
    "עברית العربية हिन्दी",
    "🙂👩‍👩‍👧‍👦 é",
];

/// Arguments of `llm selftest`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Print one JSON object for each check
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// What a check found.
#[derive(Debug, Serialize)]
#[serde(tag = "result", content = "detail", rename_all = "snake_case")]
enum Outcome {
    Ok(String),
    Failed(String),
    /// And what it takes to do so.
    NotRun(String),
}

/// A line of the report.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// Runs the command.
///
/// # Errors
/// The model can't be read, or a check failed.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let mut failed = 0;
    let mut tell = |check: &str, outcome: anyhow::Result<Outcome>| -> anyhow::Result<()> {
        let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        failed += usize::from(matches!(outcome, Outcome::Failed(_)));
        if args.json {
            return printer.json(&Check {
                check: check.to_owned(),
                outcome,
            });
        }
        let (word, detail) = match &outcome {
            Outcome::Ok(detail) => ("ok", detail),
            Outcome::Failed(detail) => ("FAILED", detail),
            Outcome::NotRun(detail) => ("not run", detail),
        };
        Ok(printer.line(format_args!("{word:<8} {check}: {detail}"))?)
    };
    let lengths = Lengths::of(&named.model);
    tell("cached = uncached", cached(&named.model, lengths.short))?;
    tell(
        "cached = uncached past the end",
        match lengths.full {
            Some((tokens, what)) => cached(&named.model, tokens).map(|o| o.of(what)),
            None => Ok(Outcome::NotRun(lengths.why_not.into())),
        },
    )?;
    tell("padded batch = alone", batch(&named.model, lengths.short))?;
    for choice in ["ndarray", "wgpu", "cuda"] {
        let check = format!("on {choice} = here");
        tell(&check, backend(args, &named.model, choice))?;
    }
    tell("hf folder and back", folder(&named))?;
    tell("gguf file and back", gguf(&named))?;
    tell("text → tokens → text", round_trip(&named))?;
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}

impl Outcome {
    /// The same with where it was.
    fn of(self, what: &str) -> Self {
        match self {
            Self::Ok(detail) => Self::Ok(format!("{detail}, past the {what}")),
            other => other,
        }
    }
}

/// Lengths of prompts.
struct Lengths {
    /// Well within everything.
    short: usize,
    /// Just short of the window or the context, so that new tokens pass it, and which of the two; none where that takes too long, or where
    /// rotary positions change there by design.
    full: Option<(usize, &'static str)>,
    why_not: &'static str,
}

impl Lengths {
    fn of(model: &LanguageModel) -> Self {
        let architecture = model.architecture();
        let context = architecture.max_seq_len();
        let scaling = architecture.rope_scaling();
        let fixed = scaling.and_then(|scaling| scaling.fixed_up_to(context));
        let (edge, what) = match architecture.window() {
            Some(window) if window < context => (window, "window"),
            _ => (context, "context"),
        };
        let room = edge.min(fixed.unwrap_or(edge));
        let short = (room / 3).clamp(1, 32);
        let (full, why_not) = if fixed.is_some_and(|fixed| edge + NEW > fixed) {
            (
                None,
                "rotary positions change with the length there, and cached keys keep theirs, as in transformers",
            )
        } else if edge > LONGEST {
            (None, "too long to fill")
        } else {
            (Some((edge.saturating_sub(NEW / 2).max(1), what)), "")
        };
        Self {
            short,
            full,
            why_not,
        }
    }
}

/// A text of this model's tokens, from all over its vocabulary.
fn prompt(model: &LanguageModel, len: usize, first: usize) -> Vec<u32> {
    let vocab_size = model.architecture().vocab_size();
    (first..first + len)
        .map(|i| (i * 7919 % vocab_size) as u32)
        .collect()
}

fn config() -> GenerateConfig {
    GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens: NEW,
        ..GenerateConfig::default()
    }
}

/// Tokens and their log-probabilities.
type Text = (Vec<u32>, Vec<f32>);

fn texts(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    method: Method<'_>,
) -> anyhow::Result<Vec<Text>> {
    let go_on = &mut |_| Decision::Continue;
    let all = generate(
        model,
        prompts,
        &config(),
        &Default::default(),
        method,
        go_on,
    )?;
    Ok(all
        .into_iter()
        .map(|one| (one.tokens, one.logprobs))
        .collect())
}

/// Whether two greedy texts are the same, but for a near tie, after which they may go their own ways.
fn same(ours: &Text, theirs: &Text) -> Outcome {
    let mut largest = 0f32;
    for (i, (a, b)) in ours.1.iter().zip(&theirs.1).enumerate() {
        let distance = (a - b).abs();
        largest = largest.max(distance);
        if distance.is_nan() || distance > TOLERANCE {
            return Outcome::Failed(format!(
                "log-probabilities of new token {i} are {a} and {b}"
            ));
        }
        if ours.0[i] != theirs.0[i] {
            return Outcome::Ok(format!("the same up to a tie at new token {i}"));
        }
    }
    Outcome::Ok(format!(
        "{} tokens, log-probabilities within {largest:.1e}",
        ours.0.len()
    ))
}

/// The plan and the tensors, with caches, against everything computed again for each token.
fn cached(model: &LanguageModel, len: usize) -> anyhow::Result<Outcome> {
    let prompts = [prompt(model, len, 1)];
    let expected = texts(model, &prompts, Method::Uncached)?.remove(0);
    for method in [Method::Tensors, Method::Cached] {
        let found = texts(model, &prompts, method)?.remove(0);
        let outcome = same(&found, &expected);
        if matches!(
            (&outcome, method),
            (Outcome::Failed(_), _) | (_, Method::Cached)
        ) {
            return Ok(outcome);
        }
    }
    unreachable!("the last method returns")
}

fn batch(model: &LanguageModel, len: usize) -> anyhow::Result<Outcome> {
    let lengths = [len, len / 2 + 1, 1];
    let prompts: Vec<_> = lengths
        .iter()
        .map(|len| prompt(model, *len, *len))
        .collect();
    let mut outcome = Outcome::NotRun(String::new());
    for method in [Method::Cached, Method::Tensors] {
        let together = texts(model, &prompts, method)?;
        for (prompt, found) in prompts.iter().zip(&together) {
            let alone = texts(model, std::slice::from_ref(prompt), method)?;
            outcome = same(found, &alone[0]);
            if matches!(outcome, Outcome::Failed(_)) {
                return Ok(outcome);
            }
        }
    }
    Ok(outcome)
}

fn backend(args: &Args, model: &LanguageModel, choice: &str) -> anyhow::Result<Outcome> {
    let parsed: DeviceChoice = choice.parse()?;
    let device = match parsed.open() {
        Ok(device) => device,
        Err(error) => return Ok(Outcome::NotRun(error.to_string())),
    };
    let other = NamedModel::load(&args.model, &device)?.model;
    let len = Lengths::of(model).short;
    let prompts = [prompt(model, len, 1)];
    let expected = texts(model, &prompts, Method::Tensors)?.remove(0);
    let found = texts(&other, &prompts, Method::Tensors)?.remove(0);
    Ok(same(&found, &expected))
}

fn folder(named: &NamedModel) -> anyhow::Result<Outcome> {
    let folder = PartialFolder::private()?;
    let format = Format::HuggingFace {
        special: named.special_ids(),
        max_shard_size: u64::MAX,
    };
    let encoding = Encoding::F32;
    let exported = export(&named.model, &Export { format, encoding }, folder.path())?;
    named.save_tokenizer(folder.path())?;
    let back = Tokenizer::load(folder.path())?;
    came_back(named, &back, &exported)
}

fn gguf(named: &NamedModel) -> anyhow::Result<Outcome> {
    if named.model.family() == Family::Gpt {
        return Ok(Outcome::NotRun("llama.cpp has no such architecture".into()));
    }
    let vocab_size = named.model.architecture().vocab_size();
    let metadata = match gguf_tokenizer::write(&named.tokenizer, vocab_size) {
        Ok(metadata) => metadata,
        Err(error) => return Ok(Outcome::NotRun(format!("{error:#}"))),
    };
    let folder = PartialFolder::private()?;
    let path = folder.path().join("model.gguf");
    let format = Format::Gguf { metadata };
    let encoding = Encoding::F32;
    let exported = export(&named.model, &Export { format, encoding }, &path)?;
    let back = NamedModel::tokenizer(&path)?;
    came_back(named, &back, &exported)
}

/// What to say of a model whose weights came back, and of the tokenizer beside it.
fn came_back(named: &NamedModel, back: &Tokenizer, exported: &Exported) -> anyhow::Result<Outcome> {
    Ok(match differs(&named.tokenizer, back)? {
        Some(text) => Outcome::Failed(format!("the tokenizer cuts {text:?} differently")),
        None => Outcome::Ok(format!(
            "the same weights; scores differ by {:e}",
            exported.largest_difference
        )),
    })
}

/// The first text that `back` cuts in another way.
fn differs(tokenizer: &Tokenizer, back: &Tokenizer) -> anyhow::Result<Option<&'static str>> {
    for text in TEXTS {
        let [ours, theirs] = [tokenizer, back].map(|tokenizer| known(tokenizer.encode(text)));
        if ours? != theirs? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The ids of a text; none where a character has no token.
fn known(ids: Result<Vec<u32>, TokenizerError>) -> Result<Option<Vec<u32>>, TokenizerError> {
    match ids {
        Err(TokenizerError::UnknownCharacter { .. }) => Ok(None),
        ids => ids.map(Some),
    }
}

fn round_trip(named: &NamedModel) -> anyhow::Result<Outcome> {
    let NamedModel {
        model, tokenizer, ..
    } = named;
    let vocab_size = model.architecture().vocab_size();
    if tokenizer.vocab_size() > vocab_size {
        return Ok(Outcome::Failed(format!(
            "the tokenizer has {} tokens, the model {vocab_size}",
            tokenizer.vocab_size()
        )));
    }
    let (mut whole, mut lossy) = (0, Vec::new());
    for text in TEXTS {
        let Some(ids) = known(tokenizer.encode(text))? else {
            continue;
        };
        if tokenizer.decode(&ids)? == text {
            whole += 1;
        } else {
            lossy.push(text);
        }
    }
    let all = TEXTS.len();
    Ok(match lossy[..] {
        [] if whole == all => Outcome::Ok(format!("{all} texts come back")),
        [] => Outcome::Ok(format!(
            "{whole} of {all} texts come back, the others have characters without a token"
        )),
        // A vocabulary with an unknown token loses by design what it does not know.
        _ if tokenizer.has_unknown() => Outcome::Ok(format!(
            "{whole} of {all} texts come back, the others through the unknown token"
        )),
        [first, ..] => Outcome::Failed(format!("{first:?} does not come back")),
    })
}
