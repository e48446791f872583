//! `llm eval`: measure a model.

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};
use llm_data::TokenShard;
use llm_tokenizer::{Tokenizer, TokenizerError};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::failure::{as_usage, usage};
use crate::named_model::NamedModel;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;

/// The measurements.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How well a model predicts a text
    Perplexity(Perplexity),
    /// The scores of every token at every position of a text, for other programs to compare with
    Logits(Logits),
}

/// Arguments of `llm eval logits`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("input").required(true).args(["text", "tokens"])))]
pub(crate) struct Logits {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Text to score
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// Token ids to score, with commas between them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    tokens: Vec<u32>,
    /// File to write: safetensors with the rows `tokens` and, a row of scores for each, `logits`
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Write over --output
    #[arg(long)]
    force: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// Arguments of `llm eval perplexity`.
#[derive(Debug, clap::Args)]
pub(crate) struct Perplexity {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Text to predict: .txt and .jsonl files, packed with gzip or not, and folders of them
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Tokens in one window [default: the context of the model]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report {
    /// Nats per token.
    loss: f64,
    perplexity: f64,
    bits_per_byte: f64,
    protocol: Protocol,
}

/// How it was measured; two numbers compare only under the same protocol.
#[derive(Debug, Serialize)]
struct Protocol {
    /// Tokens in one window.
    window: usize,
    /// Tokens from one window to the next.
    stride: usize,
    /// Whether each window begins with the token that begins a text.
    bos: bool,
    /// Tokens scored.
    tokens: u64,
    /// UTF-8 bytes of the text of the tokens scored.
    bytes: u64,
    /// Tokens at the end that do not fill a window.
    tokens_left_out: u64,
}

/// Runs the command.
///
/// # Errors
/// The model or the text can't be read, or the window does not fit.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Perplexity(args) => perplexity(args, printer),
        Command::Logits(args) => logits(args, printer),
    }
}

fn logits(args: &Logits, printer: Printer) -> anyhow::Result<()> {
    let mut file = OutputFile::create(&args.output, Overwrite::from_force(args.force))?;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let tokens = match &args.text {
        Some(text) => named.tokenizer.encode(text).map_err(as_usage)?,
        None => args.tokens.clone(),
    };
    let architecture = named.model.architecture();
    let (context, vocab_size) = (architecture.max_seq_len(), architecture.vocab_size());
    if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab_size) {
        return Err(usage(format_args!(
            "--tokens {id}: the model has {vocab_size} tokens"
        )));
    }
    let n = tokens.len();
    if n == 0 || n > context {
        return Err(usage(format_args!(
            "{n} tokens: give from 1 to {context}, the context of the model"
        )));
    }
    let scores = named.model.scores(&tokens);
    let bytes_of_tokens: Vec<u8> = tokens.iter().flat_map(|id| id.to_le_bytes()).collect();
    let bytes_of_scores: Vec<u8> = scores
        .iter()
        .flat_map(|score| score.to_le_bytes())
        .collect();
    let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes);
    let tensors = [
        ("tokens", view(Dtype::U32, &[n], &bytes_of_tokens)?),
        (
            "logits",
            view(Dtype::F32, &[n, vocab_size], &bytes_of_scores)?,
        ),
    ];
    file.write_all(&safetensors::serialize(tensors, None)?)?;
    file.finish()?;
    printer.line(format_args!(
        "{}  scores of {vocab_size} tokens at {n} positions",
        args.output.display()
    ))?;
    Ok(())
}

fn perplexity(args: &Perplexity, printer: Printer) -> anyhow::Result<()> {
    if args.window == Some(0) {
        return Err(usage("--window 0: must be at least 1"));
    }
    let device = args.device.open()?;
    let folder = NamedModel::load(&args.model, &device)?;
    let context = folder.model.architecture().max_seq_len();
    let window = args.window.unwrap_or(context);
    if window > context {
        return Err(usage(format_args!(
            "--window {window}: must be at most {context}, the context of the model"
        )));
    }
    let tokens = folder.read_tokens(&args.data)?;
    let found = llm_train::evaluate(
        &folder.model,
        &TokenShard::from_tokens(tokens.clone()),
        window,
        None,
    )?;
    let bytes = scored_bytes(&folder.tokenizer, &tokens, found.tokens)?;
    let report = Report {
        loss: found.loss,
        perplexity: found.loss.exp(),
        bits_per_byte: bits_per_byte(found.loss, found.tokens, bytes),
        protocol: Protocol {
            window,
            stride: window,
            bos: false,
            tokens: found.tokens,
            bytes,
            tokens_left_out: found.tokens_left_out,
        },
    };
    if args.json {
        return printer.json(&report);
    }
    printer.line(format_args!(
        "loss           {:.4} nats per token",
        report.loss
    ))?;
    printer.line(format_args!("perplexity     {:.4}", report.perplexity))?;
    printer.line(format_args!("bits per byte  {:.4}", report.bits_per_byte))?;
    let Protocol {
        window,
        tokens,
        bytes,
        tokens_left_out,
        ..
    } = report.protocol;
    printer.line(format_args!(
        "windows of {window} tokens side by side; {tokens} tokens scored, {bytes} bytes, {tokens_left_out} tokens left out"
    ))?;
    Ok(())
}

/// UTF-8 bytes of the text of the tokens scored, which are all from the second one on, as many as that.
fn scored_bytes(tokenizer: &Tokenizer, tokens: &[u32], scored: u64) -> Result<u64, TokenizerError> {
    let end = usize::try_from(scored).map_or(tokens.len(), |scored| tokens.len().min(1 + scored));
    let (before, scored) = tokens[..end].split_at(1.min(end));
    let mut decoder = tokenizer.decoder_after(before);
    let mut bytes = 0;
    for &token in scored {
        bytes += decoder.push(token)?.len() as u64;
    }
    Ok(bytes)
}

/// The same loss in a unit that does not depend on the tokenizer.
fn bits_per_byte(loss: f64, tokens: u64, bytes: u64) -> f64 {
    loss * tokens as f64 / std::f64::consts::LN_2 / bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_scored_tokens() {
        let tokenizer = Tokenizer::train_characters(["aé"]).unwrap();
        let tokens = tokenizer.encode("éaéa").unwrap();
        for (scored, bytes) in [(0, 0), (1, 1), (2, 3), (3, 4), (99, 4)] {
            assert_eq!(scored_bytes(&tokenizer, &tokens, scored).unwrap(), bytes);
        }
        assert_eq!(scored_bytes(&tokenizer, &[], 0).unwrap(), 0);
    }

    #[test]
    fn a_bit_for_each_byte_is_one_bit_per_byte() {
        let loss = 4.0 * std::f64::consts::LN_2;
        assert!((bits_per_byte(loss, 10, 40) - 1.0).abs() < 1e-12);
    }
}
