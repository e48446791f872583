//! `llm eval logits`: the scores of every token, for other programs to compare with.

use std::io::Write;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::args::DeviceArgs;
use crate::named_model::NamedModel;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;
use crate::token_input::TokenInput;

/// Arguments of `llm eval logits`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// What is scored
    #[command(flatten)]
    input: TokenInput,
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

/// Runs the command.
///
/// # Errors
/// The model can't be read, the tokens are not its own or too many, or the file can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let mut file = OutputFile::create(&args.output, Overwrite::from_force(args.force))?;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let tokens = args.input.read(&named)?;
    let (n, vocab_size) = (tokens.len(), named.model.architecture().vocab_size());
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
