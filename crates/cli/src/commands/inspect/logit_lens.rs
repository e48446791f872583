//! `llm inspect logit-lens`: what the model would predict after each block, if it stopped there.

mod page;
mod report;
mod terminal;

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use llm_models::inspect::{Depth, logit_lens};
use llm_tokenizer::Tokenizer;

use self::report::Report;
use super::seen::Token;
use super::view::{Kind, ViewArgs, ViewFile};
use crate::args::DeviceArgs;
use crate::failure::usage;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::token_input::TokenInput;

/// Kinds of files that a lens is written to.
const KINDS: [Kind; 4] = [Kind::Html, Kind::Svg, Kind::Png, Kind::Json];
/// Tokens of each prediction, where nothing else is said.
const TOP: usize = 5;

/// Arguments of `llm inspect logit-lens`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, .bin file of llama2.c, or hf://owner/name
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// What the model reads
    #[command(flatten)]
    input: TokenInput,
    /// Show the predictions at this token alone, counted from 0, with the likeliest tokens of each
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "output"])]
    position: Option<usize>,
    /// The likeliest tokens of each prediction, with --position, --json, and in .html and .json files [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: Option<u16>,
    /// Where it goes
    #[command(flatten)]
    view: ViewArgs,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// What was seen, with the words for it.
struct Lens<'a> {
    /// For titles.
    title: String,
    tokens: Vec<Token>,
    depths: Vec<Depth>,
    tokenizer: &'a Tokenizer,
}

/// Runs the command.
///
/// # Errors
/// The model can't be read, its scores are not finite, the text is too long, or the file can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let output = args.view.create(&KINDS)?;
    let shows_top = match &output {
        Some(ViewFile { kind, .. }) => matches!(kind, Kind::Html | Kind::Json),
        None => args.view.json || args.position.is_some(),
    };
    if args.top.is_some() && !shows_top {
        return Err(usage(
            "--top: only the likeliest token of each prediction is shown here: give --position, --json, or an --output in .html or .json",
        ));
    }
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let tokens = args.input.read(&named)?;
    if let Some(position) = args.position
        && position >= tokens.len()
    {
        return Err(usage(format_args!(
            "--position {position}: the text has tokens 0 to {}",
            tokens.len() - 1
        )));
    }
    let depths = logit_lens(&named.model, &tokens, args.top.map_or(TOP, usize::from));
    let finite = |depth: &Depth| depth.readings.iter().all(|reading| reading.kl.is_finite());
    if !depths.iter().all(finite) {
        bail!(
            "{}: its scores are not finite: `llm inspect tensors` tells which weights are not",
            args.model.display()
        );
    }
    let label = |id: &u32| Token::new(*id, &named.tokenizer);
    let lens = Lens {
        title: named.title(),
        tokens: tokens.iter().map(label).collect(),
        depths,
        tokenizer: &named.tokenizer,
    };
    let Some(ViewFile {
        path,
        kind,
        mut file,
    }) = output
    else {
        return match args.position {
            _ if args.view.json => printer.json(&Report::of(&lens)),
            Some(position) => terminal::print_position(&lens, position, printer),
            None => terminal::print(&lens, printer),
        };
    };
    match kind {
        Kind::Html => file.write_all(page::html(&lens)?.as_bytes())?,
        Kind::Svg => file.write_all(page::figure(&lens).svg()?.as_bytes())?,
        Kind::Png => file.write_all(&page::figure(&lens).png()?)?,
        Kind::Json | Kind::Safetensors => serde_json::to_writer(&mut file, &Report::of(&lens))?,
    }
    file.finish()?;
    printer.line(format_args!(
        "{}  {} depths, {} tokens",
        path.display(),
        lens.depths.len(),
        tokens.len()
    ))?;
    Ok(())
}

impl Lens<'_> {
    fn label(&self, token: u32) -> String {
        self.tokenizer.label(token)
    }
}

/// What a depth is called: the embedding, or the block that was passed last.
fn name_of(depth: usize) -> String {
    match depth {
        0 => "embedding".into(),
        depth => format!("block {}", depth - 1),
    }
}
