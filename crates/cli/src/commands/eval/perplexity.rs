//! `llm eval perplexity`: how well a model predicts a text, and by which protocol.

use std::path::{Path, PathBuf};

use anyhow::bail;
use llm_data::TokenShard;
use llm_tokenizer::{Tokenizer, TokenizerError};
use llm_train::{Packing, Protocol};
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::failure::usage;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::text_source::TextArgs;
use crate::training::{self, resume};

/// Arguments of `llm eval perplexity`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// The text to predict; without any the validation part of the run that --model names
    #[command(flatten)]
    text: TextArgs,
    /// Tokens in one window [default: the context of the model]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// Tokens from one window to the next; the fewer, the more a token is predicted from [default: the window]
    #[arg(long, value_name = "N")]
    stride: Option<usize>,
    /// Predict the first token too, from the token that begins a text
    #[arg(long)]
    bos: bool,
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
    /// Of a token.
    perplexity: f64,
    /// Of a word; the end of a line is one.
    word_perplexity: f64,
    bits_per_byte: f64,
    protocol: Described,
}

/// How it was measured; two numbers compare only under the same protocol.
#[derive(Debug, Serialize)]
struct Described {
    /// Tokens in one window.
    window: usize,
    /// Tokens from one window to the next.
    stride: usize,
    /// Whether the first token was predicted from the token that begins a text.
    bos: bool,
    /// Whether documents were predicted each as if it stood alone.
    documents_apart: bool,
    /// Tokens scored.
    tokens: u64,
    /// Words in the text of the tokens scored: what stands between white space, and ends of lines.
    words: u64,
    /// UTF-8 bytes of that text.
    bytes: u64,
}

/// Runs the command.
///
/// # Errors
/// The model or the text can't be read, or the window does not fit.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    for (flag, value) in [("--window", args.window), ("--stride", args.stride)] {
        if value == Some(0) {
            return Err(usage(format_args!("{flag} 0: must be at least 1")));
        }
    }
    let data = args.text.configuration("")?.data;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let context = named.model.architecture().max_seq_len();
    let window = args.window.unwrap_or(context);
    if window > context {
        return Err(usage(format_args!(
            "--window {window}: must be at most {context}, the context of the model"
        )));
    }
    let stride = args.stride.unwrap_or(window);
    if stride > window {
        return Err(usage(format_args!(
            "--stride {stride}: must be at most {window}, the window; else tokens would be left out"
        )));
    }
    let (mut text, packing) = if data.sources.is_empty() {
        validation_part(&args.model)?
    } else {
        let tokens = named.read_tokens(&data)?;
        (TokenShard::from_tokens(tokens), Packing::Across)
    };
    if args.bos {
        text = begun(text, &named.tokenizer)?;
    }
    let protocol = Protocol {
        window,
        stride,
        packing,
        max_windows: None,
    };
    let found = llm_train::evaluate(&named.model, &text, &protocol)?;
    if !found.loss.is_finite() {
        bail!(
            "{}: its loss is not finite: the weights are damaged",
            args.model.display()
        );
    }
    let Amount { words, bytes } = Amount::after_the_first(&text, &named.tokenizer)?;
    let nats = found.loss * found.tokens as f64;
    let report = Report {
        loss: found.loss,
        perplexity: found.loss.exp(),
        word_perplexity: (nats / words as f64).exp(),
        bits_per_byte: nats / std::f64::consts::LN_2 / bytes as f64,
        protocol: Described {
            window,
            stride,
            bos: Some(text.tokens(0..1)[0]) == named.tokenizer.bos(),
            documents_apart: packing != Packing::Across,
            tokens: found.tokens,
            words,
            bytes,
        },
    };
    if args.json {
        return printer.json(&report);
    }
    print(&report, printer)
}

fn print(report: &Report, printer: Printer) -> anyhow::Result<()> {
    printer.line(format_args!(
        "loss           {:.4} nats per token",
        report.loss
    ))?;
    printer.line(format_args!(
        "perplexity     {:.4} per token, {:.4} per word",
        report.perplexity, report.word_perplexity
    ))?;
    printer.line(format_args!("bits per byte  {:.4}", report.bits_per_byte))?;
    let Described {
        window,
        stride,
        bos,
        documents_apart,
        tokens,
        words,
        bytes,
    } = report.protocol;
    let strides = if stride == window {
        "side by side".to_owned()
    } else {
        format!("in strides of {stride}")
    };
    let first = if bos { "BOS, " } else { "no BOS, " };
    let apart = if documents_apart {
        "documents apart, "
    } else {
        ""
    };
    printer.line(format_args!(
        "protocol       windows of {window} tokens {strides}, {first}{apart}{tokens} tokens, {words} words with ends of lines, {bytes} bytes"
    ))?;
    Ok(())
}

/// The validation tokens of the run in `folder`, and what it makes of documents.
fn validation_part(folder: &Path) -> anyhow::Result<(TokenShard, Packing)> {
    let Some(config) = resume::stored(folder)? else {
        return Err(usage(format_args!(
            "--data is missing, and {} is no run folder, whose validation part could be taken",
            folder.display()
        )));
    };
    let (prepared, _) = resume::origin(folder, &config)?;
    let packing = training::packing(&config, &prepared.tokenizer);
    Ok((prepared.validation, packing))
}

/// `text` after the token that begins a text, unless it begins with it.
fn begun(text: TokenShard, tokenizer: &Tokenizer) -> anyhow::Result<TokenShard> {
    let Some(bos) = tokenizer.bos() else {
        return Err(usage(
            "--bos: the tokenizer has no token that begins a text",
        ));
    };
    let tokens = text.tokens(0..text.len());
    if tokens.first() == Some(&bos) {
        return Ok(text);
    }
    let mut from = 0;
    let mut documents: Vec<Vec<u32>> = text
        .document_ends()
        .iter()
        .map(|&end| {
            let document = tokens[from..end as usize].to_vec();
            from = end as usize;
            document
        })
        .collect();
    match documents.first_mut() {
        Some(first) => first.insert(0, bos),
        None => bail!("there is no text to predict"),
    }
    Ok(TokenShard::from_documents(documents))
}

/// How much text some tokens are.
#[derive(Debug, PartialEq, Eq)]
struct Amount {
    words: u64,
    bytes: u64,
}

impl Amount {
    /// Of all tokens but the first, which no protocol predicts. Words end with their document.
    fn after_the_first(text: &TokenShard, tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        let tokens = text.tokens(0..text.len());
        let mut amount = Self { words: 0, bytes: 0 };
        let parts = tokens.split(|&token| Some(token) == tokenizer.eos());
        // The first token is the separator before the first part, or begins it.
        let begins = tokens
            .first()
            .is_some_and(|&token| Some(token) != tokenizer.eos());
        for (index, part) in parts.enumerate() {
            let (before, scored) = part.split_at(usize::from(index == 0 && begins));
            let mut decoder = tokenizer.decoder_after(before);
            let mut part = String::new();
            for &token in scored {
                part += &decoder.push(token)?;
            }
            part += &decoder.finish()?;
            let line_ends = part.bytes().filter(|&byte| byte == b'\n').count();
            amount.words += (part.split_whitespace().count() + line_ends) as u64;
            amount.bytes += part.len() as u64;
        }
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        let tokenizer = Tokenizer::train_characters(["aé b\n"]).unwrap();
        let tokens = TokenShard::from_tokens(tokenizer.encode(text).unwrap());
        Amount::after_the_first(&tokens, &tokenizer).unwrap()
    }

    #[test]
    fn words_and_bytes_are_those_of_the_scored_tokens() {
        for (text, words, bytes) in [
            ("", 0, 0),
            ("é", 0, 0),
            ("éa", 1, 1),
            ("aéaé", 1, 5),
            (" a b\n", 3, 4),
            (" a\n \nbb  a", 5, 9),
        ] {
            assert_eq!(amount(text), Amount { words, bytes }, "{text:?}");
        }
    }

    #[test]
    fn words_do_not_reach_over_the_borders_of_documents() {
        let tokenizer = Tokenizer::train_characters(["ab c"]).unwrap();
        let eos = tokenizer.eos().unwrap();
        let mut tokens = Vec::new();
        for document in ["ab c", "c a", "b"] {
            tokens.push(eos);
            tokens.extend(tokenizer.encode(document).unwrap());
        }
        let text = TokenShard::from_tokens(tokens);
        let found = Amount::after_the_first(&text, &tokenizer).unwrap();
        assert_eq!(found, Amount { words: 5, bytes: 8 });
    }

    #[test]
    fn a_text_is_begun_once() {
        let tokenizer = Tokenizer::train_characters(["ab"]).unwrap();
        let bos = tokenizer.bos().unwrap();
        let text = TokenShard::from_documents([vec![1, 2], vec![bos, 1]]);
        let text = begun(text, &tokenizer).unwrap();
        assert_eq!(text.tokens(0..text.len()), [bos, 1, 2, bos, 1]);
        assert_eq!(text.document_ends(), [3, 5]);
        let again = begun(text, &tokenizer).unwrap();
        assert_eq!(again.len(), 5);
    }
}
