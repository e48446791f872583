//! `llm compare`: how far two models are apart on the same text.

use std::path::PathBuf;

use anyhow::bail;
use llm_data::TokenShard;
use llm_train::Comparison;
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::failure::usage;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::text_source::{TextArgs, no_text};

/// Arguments of `llm compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf or .bin file, whose predictions are taken as the truth
    #[arg(value_name = "A")]
    reference: PathBuf,
    /// Model that is compared with it
    #[arg(value_name = "B")]
    other: PathBuf,
    /// The text to predict
    #[command(flatten)]
    text: TextArgs,
    /// Tokens in one window [default: the shorter context of the two]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// KL divergence in nats at any token beyond which the command fails. The average hides noise of 1 % on one tensor; the largest does not
    #[arg(long, value_name = "NATS", default_value_t = 1e-4, value_parser = nats)]
    max_kl: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

fn nats(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(nats) if nats >= 0.0 => Ok(nats),
        _ => Err("give a number from 0 on".into()),
    }
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    perplexities: [f64; 2],
    window: usize,
    max_kl: f64,
}

/// Runs the command.
///
/// # Errors
/// A model or the text can't be read, the models can't be compared, or they are further apart than `--max-kl`.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    if args.window == Some(0) {
        return Err(usage("--window 0: must be at least 1"));
    }
    let data = args.text.configuration("")?.data;
    if data.sources.is_empty() {
        return Err(no_text());
    }
    let device = args.device.open()?;
    let [a, b] = [&args.reference, &args.other].map(|path| NamedModel::load(path, &device));
    let (a, b) = (a?, b?);
    let context = [&a, &b].map(|folder| folder.model.architecture().max_seq_len());
    let context = context[0].min(context[1]);
    let window = args.window.unwrap_or(context);
    if window > context {
        return Err(usage(format_args!(
            "--window {window}: must be at most {context}, the shorter context of the two models"
        )));
    }
    let tokens = a.read_tokens(&data)?;
    if tokens != b.read_tokens(&data)? {
        bail!(
            "the tokenizers of {} and {} cut this text differently: only models with the same tokens can be compared",
            args.reference.display(),
            args.other.display()
        );
    }
    let text = TokenShard::from_tokens(tokens);
    let comparison = llm_train::compare([&a.model, &b.model], &text, window)?;
    print(&comparison, window, args, printer)?;
    let largest = comparison.kl.max;
    if largest > args.max_kl {
        bail!(
            "the models differ: their largest KL divergence, {largest:.3e}, is above --max-kl {:e}",
            args.max_kl
        );
    }
    Ok(())
}

fn print(
    comparison: &Comparison,
    window: usize,
    args: &Args,
    printer: Printer,
) -> anyhow::Result<()> {
    let perplexities = comparison.losses.map(f64::exp);
    if args.json {
        return printer.json(&Report {
            comparison,
            perplexities,
            window,
            max_kl: args.max_kl,
        });
    }
    let kl = comparison.kl;
    printer.line(format_args!(
        "KL divergence  {:.3e} nats on average, {:.3e} at 99 of 100 tokens, {:.3e} at most",
        kl.mean, kl.percentile_99, kl.max
    ))?;
    printer.line(format_args!(
        "cosine         {:.9} of the scores on average",
        comparison.cosine
    ))?;
    printer.line(format_args!(
        "best token     the same for {:.2} %; of the five best {:.2} % are shared",
        100.0 * comparison.same_best,
        100.0 * comparison.shared_best_five
    ))?;
    printer.line(format_args!(
        "scores         differ by {:.3e} at most",
        comparison.largest_difference
    ))?;
    let [a, b] = perplexities;
    printer.line(format_args!("perplexity     {a:.4} of A, {b:.4} of B"))?;
    let tokens = comparison.tokens;
    printer.line(format_args!(
        "windows of {window} tokens side by side; {tokens} tokens"
    ))?;
    Ok(())
}
