//! A short text for a model to read in one pass: given as text, or as token ids.

use clap::ArgGroup;

use crate::failure::{as_usage, usage};
use crate::named_model::NamedModel;

/// Which text is read.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("input").required(true).args(["text", "tokens"])))]
pub(crate) struct TokenInput {
    /// Text to read
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// Token ids to read, with commas between them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    tokens: Vec<u32>,
    /// Put the token that begins a text before it, unless it is there
    #[arg(long)]
    bos: bool,
}

impl TokenInput {
    /// The tokens, at least one, at most as many as the model's context, and all of its vocabulary.
    ///
    /// # Errors
    /// They are not; ends with exit code 2.
    pub(crate) fn read(&self, named: &NamedModel) -> anyhow::Result<Vec<u32>> {
        let mut tokens = match &self.text {
            Some(text) => named.tokenizer.encode(text).map_err(as_usage)?,
            None => self.tokens.clone(),
        };
        if self.bos {
            let bos = named.tokenizer.bos();
            let bos =
                bos.ok_or_else(|| usage("--bos: the tokenizer has no token that begins a text"))?;
            if tokens.first() != Some(&bos) {
                tokens.insert(0, bos);
            }
        }
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
        Ok(tokens)
    }
}
