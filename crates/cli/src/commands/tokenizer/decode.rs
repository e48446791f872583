//! `llm tokenizer decode`: from token ids to text.

use anyhow::anyhow;
use llm_tokenizer::TokenizerError;

use super::TokenizerArg;
use crate::failure::as_usage;
use crate::printer::Printer;
use crate::{input, named_model};

/// Arguments of `llm tokenizer decode`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tokenizer: TokenizerArg,
    /// Token ids; without any they are read from stdin
    #[arg(value_name = "ID")]
    ids: Vec<u32>,
}

/// Runs the command.
///
/// # Errors
/// The tokenizer can't be read, or has no such token.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let tokenizer = named_model::load_tokenizer(&args.tokenizer.tokenizer)?;
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
