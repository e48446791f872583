//! `llm tokenizer`: make a tokenizer, and turn text into token ids and back.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Subcommand, ValueEnum};
use llm_data::{DataConfig, DataError, Documents};
use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerError, TokenizerKind};
use serde::Serialize;

use crate::failure::{as_usage, usage};
use crate::named_model;
use crate::output::{self, Overwrite};
use crate::printer::Printer;
use crate::{input, interrupt};

/// The commands on tokenizers.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a tokenizer from text
    Train(Train),
    /// Turn text into token ids
    Encode(Encode),
    /// Turn token ids into text
    Decode(Decode),
}

/// Arguments of `llm tokenizer train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Train {
    /// Text to make the tokenizer from: .txt and .jsonl files, packed with gzip or not, and folders of them
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Kind of tokenizer
    #[arg(long, value_enum, default_value_t = Kind::Bpe)]
    kind: Kind,
    /// Tokens of a BPE tokenizer, the 256 bytes and the end of text included [default: 1024]
    #[arg(long, value_name = "N")]
    vocab_size: Option<usize>,
    /// Folder to write `tokenizer.json` and `tokenizer_config.json` to
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Write into a folder that has files in it
    #[arg(long)]
    force: bool,
}

/// A tokenizer that can be made from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Byte-level byte-pair encoding
    Bpe,
    /// One token for each character
    Character,
}

/// Arguments of `llm tokenizer encode`.
#[derive(Debug, clap::Args)]
pub(crate) struct Encode {
    /// Tokenizer: a tokenizer.json or a folder with one, a .gguf file, or a tokenizer.bin of llama2.c
    #[arg(long, value_name = "PATH")]
    tokenizer: PathBuf,
    /// Text to encode; without --text and --file it is read from stdin, to the last byte
    #[arg(long, conflicts_with = "file", allow_hyphen_values = true)]
    text: Option<String>,
    /// File with the text
    #[arg(long)]
    file: Option<PathBuf>,
    /// Print one JSON object with the ids and the tokens
    #[arg(long)]
    json: bool,
}

/// Arguments of `llm tokenizer decode`.
#[derive(Debug, clap::Args)]
pub(crate) struct Decode {
    /// Tokenizer: a tokenizer.json or a folder with one, a .gguf file, or a tokenizer.bin of llama2.c
    #[arg(long, value_name = "PATH")]
    tokenizer: PathBuf,
    /// Token ids; without any they are read from stdin
    #[arg(value_name = "ID")]
    ids: Vec<u32>,
}

/// Runs the command.
///
/// # Errors
/// The text or the tokenizer can't be read, or they do not fit together.
pub(crate) fn run(command: &Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train(args, printer),
        Command::Encode(args) => encode(args, printer),
        Command::Decode(args) => decode(args, printer),
    }
}

fn train(args: &Train, printer: Printer) -> anyhow::Result<()> {
    let config = args.config()?;
    output::check_folder(&args.output_dir, Overwrite::from_force(args.force))?;
    let data = DataConfig::default();
    let documents = Documents::open(&args.data, &data.text_field, &data.document_separator)?;
    let texts = documents
        .map(|document| Ok(document?.text))
        .collect::<Result<Vec<String>, DataError>>()?;
    let bytes: usize = texts.iter().map(String::len).sum();
    printer.note(format_args!("making a tokenizer from {bytes} bytes"));
    let tokenizer = match config.kind {
        TokenizerKind::Character => Tokenizer::train_characters(&texts)?,
        _ => {
            let lines = texts
                .iter()
                .flat_map(|text| text.split_inclusive('\n'))
                .map(str::to_owned);
            Tokenizer::train_bpe(lines, config.vocab_size)?
        }
    };
    if config.kind == TokenizerKind::Bpe && tokenizer.vocab_size() < config.vocab_size {
        let (found, asked) = (tokenizer.vocab_size(), config.vocab_size);
        printer.warn(format_args!(
            "the text has pairs for {found} tokens only, of {asked} asked for"
        ));
    }
    interrupt::check()?;
    tokenizer.save(&args.output_dir)?;
    printer.line(format_args!(
        "{}: {}",
        args.output_dir.display(),
        tokenizer.describe()
    ))?;
    Ok(())
}

impl Train {
    fn config(&self) -> anyhow::Result<TokenizerConfig> {
        let kind = match self.kind {
            Kind::Bpe => TokenizerKind::Bpe,
            Kind::Character => TokenizerKind::Character,
        };
        if let (Kind::Character, Some(_)) = (self.kind, self.vocab_size) {
            return Err(usage(
                "--vocab-size: a character tokenizer has as many tokens as the text has characters; leave it out",
            ));
        }
        let default = TokenizerConfig::default();
        let config = TokenizerConfig {
            kind,
            vocab_size: self.vocab_size.unwrap_or(default.vocab_size),
            ..default
        };
        config
            .validate()
            .map_err(|error| usage(format_args!("--vocab-size: {error}")))?;
        Ok(config)
    }
}

fn encode(args: &Encode, printer: Printer) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Encoded {
        ids: Vec<u32>,
        tokens: Vec<String>,
    }

    let tokenizer = named_model::load_tokenizer(&args.tokenizer)?;
    let (name, text) = match (&args.text, &args.file) {
        (Some(text), _) => ("--text".to_owned(), text.clone()),
        (None, Some(path)) => (path.display().to_string(), input::read_text(path)?),
        (None, None) => ("stdin".to_owned(), input::read_stdin("--text or --file")?),
    };
    let ids = tokenizer.encode(&text).map_err(|error| {
        let error = anyhow::Error::new(error).context(name);
        if args.text.is_some() {
            as_usage(error)
        } else {
            error
        }
    })?;
    if args.json {
        let tokens = ids
            .iter()
            .map(|&id| tokenizer.token(id).unwrap_or_default())
            .collect();
        return printer.json(&Encoded { ids, tokens });
    }
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    printer.line(ids.join(" "))?;
    Ok(())
}

fn decode(args: &Decode, printer: Printer) -> anyhow::Result<()> {
    let tokenizer = named_model::load_tokenizer(&args.tokenizer)?;
    let given = !args.ids.is_empty();
    let ids = if given {
        args.ids.clone()
    } else {
        parse_ids(&input::read_stdin("token ids as arguments")?)?
    };
    let text = tokenizer
        .decode(&ids)
        .map_err(|error: TokenizerError| if given { as_usage(error) } else { error.into() })?;
    printer.exact(&text)?;
    Ok(())
}

/// Ids with white space or commas between them.
fn parse_ids(text: &str) -> anyhow::Result<Vec<u32>> {
    let words = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse()
                .map_err(|_| anyhow!("stdin: {word:?} is not a token id"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_apart_at_spaces_and_commas() {
        assert_eq!(parse_ids(" 1 2,3,\n4\n").unwrap(), [1, 2, 3, 4]);
        assert_eq!(parse_ids("").unwrap(), [0u32; 0]);
        assert!(
            parse_ids("1 -2")
                .unwrap_err()
                .to_string()
                .contains("\"-2\"")
        );
    }
}
