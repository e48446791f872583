//! `llm tokenizer inspect`: the tokens of a text, made visible.

use clap::ValueEnum;
use llm_tokenizer::{Colours, PieceKind};
use serde::Serialize;

use super::{OneText, TokenizerArg};
use crate::named_model;
use crate::palette::Palette;
use crate::printer::Printer;

/// Arguments of `llm tokenizer inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tokenizer: TokenizerArg,
    #[command(flatten)]
    text: OneText,
    /// Whether tokens are told apart by colours, or by bars
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    colour: Colour,
    /// Take special tokens in the text for what they stand for
    #[arg(long)]
    special: bool,
    /// Print one JSON object with the id, the range in bytes and the kind of every token
    #[arg(long, conflicts_with = "colour")]
    json: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    tokens: Vec<Token<'a>>,
}

/// A token of the text.
#[derive(Serialize)]
struct Token<'a> {
    id: u32,
    /// As the vocabulary writes it.
    token: String,
    /// First byte in the text, and the one after its last.
    range: [usize; 2],
    /// The characters that are whole in that range.
    text: Option<&'a str>,
    kind: PieceKind,
}

/// Runs the command.
///
/// # Errors
/// The text or the tokenizer can't be read, or they do not fit together.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let tokenizer = named_model::load_tokenizer(&args.tokenizer.tokenizer)?;
    let (name, text) = args.text.read()?;
    let inspection = if args.special {
        tokenizer.inspect_with_special(&text)
    } else {
        tokenizer.inspect(&text)
    };
    let inspection = inspection.map_err(|error| args.text.unfit(name, error))?;
    if args.json {
        let tokens = inspection.pieces().iter().map(|piece| Token {
            id: piece.id,
            token: tokenizer.token(piece.id).unwrap_or_default(),
            range: [piece.range.start, piece.range.end],
            text: text.get(piece.range.clone()),
            kind: piece.kind,
        });
        return printer.json(&Report {
            tokens: tokens.collect(),
        });
    }
    let coloured = match args.colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => Palette::stdout().is_on(),
    };
    let colours = if coloured {
        Colours::Ansi
    } else {
        Colours::None
    };
    let shown = inspection.render(colours);
    printer.line(shown.trim_end_matches('\n'))?;
    printer.note(format_args!(
        "{} tokens, {} bytes",
        inspection.pieces().len(),
        text.len()
    ));
    Ok(())
}
