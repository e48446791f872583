//! The tokens that a `tokenizer_config.json` lists beside a vocabulary, under `added_tokens_decoder`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::definition;
use crate::error::TokenizerError;
use crate::load::{CONFIG, wrong_key};

/// A token of the list.
pub(crate) struct Listed {
    pub(crate) id: u32,
    pub(crate) text: String,
    pub(crate) special: bool,
}

/// The tokens that `config` lists, by id; none where it has no list. `path` names a file beside it.
///
/// # Errors
/// [`TokenizerError::Key`] for entries that are no tokens with ids.
pub(crate) fn of_config(
    config: &Map<String, Value>,
    path: &Path,
) -> Result<Option<Vec<Listed>>, TokenizerError> {
    const KEY: &str = "added_tokens_decoder";
    let path = path.with_file_name(CONFIG);
    let Some(list) = config.get(KEY) else {
        return Ok(None);
    };
    let wrong = |key: &str| wrong_key(&path, key, "tokens with their content, by ids");
    let list = list.as_object().ok_or_else(|| wrong(KEY))?;
    let mut tokens = Vec::with_capacity(list.len());
    for (id, token) in list {
        let key = format!("{KEY}[{id:?}]");
        let text = token["content"].as_str().filter(|text| !text.is_empty());
        let (Ok(id), Some(text)) = (id.parse(), text) else {
            return Err(wrong(&key));
        };
        tokens.push(Listed {
            id,
            text: text.to_owned(),
            special: token["special"] == true,
        });
    }
    tokens.sort_by_key(|token| token.id);
    Ok(Some(tokens))
}

/// Adds to a definition the tokens that `config` lists after its vocabulary of `vocab_size` tokens.
///
/// # Errors
/// Those of [`of_config`]; where ids are not free, or leave some out, the definition itself is found wrong later.
pub(crate) fn append(
    definition: &mut Value,
    config: &Map<String, Value>,
    vocab_size: usize,
    path: &Path,
) -> Result<(), TokenizerError> {
    let listed = of_config(config, path)?.unwrap_or_default().into_iter();
    let new = listed.filter(|token| token.id as usize >= vocab_size);
    let new = new.map(|token| definition::added_token(token.id, &token.text, token.special));
    if let Some(added) = definition["added_tokens"].as_array_mut() {
        added.extend(new);
    }
    Ok(())
}
