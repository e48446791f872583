//! `llm inspect attention`: where each head looks while the model reads a text.

mod files;
mod page;
mod terminal;

use std::path::PathBuf;

use anyhow::bail;
use llm_models::inspect::{AttentionMap, HeadSelection, attention};

use super::seen::Token;
use super::view::{Kind, ViewArgs, ViewFile};
use crate::args::DeviceArgs;
use crate::failure::usage;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::token_input::TokenInput;

/// Kinds of files that attention is written to.
const KINDS: [Kind; 5] = [
    Kind::Html,
    Kind::Svg,
    Kind::Png,
    Kind::Json,
    Kind::Safetensors,
];

/// Arguments of `llm inspect attention`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, .bin file of llama2.c, or hf://owner/name
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// What the model reads
    #[command(flatten)]
    input: TokenInput,
    /// Only this layer, counted from 0 [default: all]
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Only this head of each layer, counted from 0 [default: all]
    #[arg(long, value_name = "N")]
    head: Option<usize>,
    /// Where it goes
    #[command(flatten)]
    view: ViewArgs,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// What was seen, with the words for it.
struct Seen {
    /// For titles.
    title: String,
    tokens: Vec<Token>,
    maps: Vec<AttentionMap>,
}

/// Runs the command.
///
/// # Errors
/// The model can't be read, there is no such head, the text is too long, or the file can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let output = args.view.create(&KINDS)?;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let tokens = args.input.read(&named)?;
    let architecture = named.model.architecture();
    let (n_layers, n_heads) = (architecture.n_layers(), architecture.n_heads());
    within("--layer", args.layer, "layers", n_layers)?;
    within("--head", args.head, "heads", n_heads)?;
    let selection = HeadSelection {
        layer: args.layer,
        head: args.head,
    };
    if let Some(ViewFile { kind, .. }) = &output {
        let n_maps = args.layer.map_or(n_layers, |_| 1) * args.head.map_or(n_heads, |_| 1);
        files::check_size(*kind, n_maps, tokens.len())?;
    }
    let maps = attention(&named.model, &tokens, selection);
    let finite = |map: &AttentionMap| map.probabilities.iter().all(|p| p.is_finite());
    if let Some(map) = maps.iter().find(|map| !finite(map)) {
        bail!(
            "{}: the attention of layer {} is not finite: `llm inspect tensors` tells which weights are not",
            args.model.display(),
            map.layer
        );
    }
    let label = |id: &u32| Token::new(*id, &named.tokenizer);
    let seen = Seen {
        title: named.title(),
        tokens: tokens.iter().map(label).collect(),
        maps,
    };
    match output {
        Some(ViewFile {
            path,
            kind,
            mut file,
        }) => {
            files::write(kind, &seen, &mut file)?;
            file.finish()?;
            printer.line(format_args!(
                "{}  {} heads, {} tokens",
                path.display(),
                seen.maps.len(),
                tokens.len()
            ))?;
            Ok(())
        }
        None if args.view.json => printer.json(&files::report(&seen)),
        None => terminal::print(&seen, printer),
    }
}

/// Checks a number that counts from 0.
fn within(flag: &str, number: Option<usize>, what: &str, n: usize) -> anyhow::Result<()> {
    match number {
        Some(number) if number >= n => Err(usage(format_args!(
            "{flag} {number}: the model has {what} 0 to {}",
            n - 1
        ))),
        _ => Ok(()),
    }
}
