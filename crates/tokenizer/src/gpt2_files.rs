//! The pair of files in which GPT-2 was published: a vocabulary in JSON and a list of merges, one a line, in the order they are applied.
//!
//! Only the byte-level kind with the splitting rule of GPT-2 is written this way here. `<|endoftext|>` is its one special token.
//!
//! Source: `encoder.py` of GPT-2, <https://github.com/openai/gpt-2/blob/master/src/encoder.py>.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::TokenizerError;
use crate::load;
use crate::tokenizer::Tokenizer;

/// Names of vocabulary and merges that belong together.
const PAIRS: [(&str, &str); 2] = [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")];

/// The pair that `folder` holds, at least one half of it.
pub(crate) fn find(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let pairs = || PAIRS.map(|(vocab, merges)| (folder.join(vocab), folder.join(merges)));
    let whole = pairs().into_iter().find(|(v, m)| v.exists() && m.exists());
    whole.or_else(|| pairs().into_iter().find(|(v, m)| v.exists() || m.exists()))
}

/// The pair to which a file belongs by its name.
pub(crate) fn pair_of(file: &Path) -> Option<(PathBuf, PathBuf)> {
    let name = file.file_name()?.to_str()?;
    let (vocab, merges) = PAIRS
        .iter()
        .find(|(vocab, merges)| [*vocab, *merges].contains(&name))?;
    Some((file.with_file_name(vocab), file.with_file_name(merges)))
}

/// Reads a pair as the definition that a `tokenizer.json` would hold.
pub(crate) fn read(vocab: &Path, merges: &Path) -> Result<Value, TokenizerError> {
    for (path, partner) in [(vocab, merges), (merges, vocab)] {
        if !partner.exists() {
            return Err(TokenizerError::NoPartner {
                path: path.to_owned(),
                partner: partner.to_owned(),
            });
        }
    }
    let Value::Object(tokens) = load::read_json(vocab)? else {
        return Err(TokenizerError::Key {
            path: vocab.to_owned(),
            key: "the file".to_owned(),
            expected: "a JSON object of tokens and ids",
        });
    };
    load::check_vocab(&tokens, "the vocabulary", vocab)?;
    let pairs = read_merges(merges, &tokens, vocab)?;

    let added = tokens.get(Tokenizer::END_OF_TEXT).map(|id| {
        json!({
            "id": id,
            "content": Tokenizer::END_OF_TEXT,
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": true,
        })
    });
    let byte_level = json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": true,
        "use_regex": true,
    });
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added.into_iter().collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": tokens,
            "merges": pairs,
        },
    }))
}

/// Reads the merges and checks that the vocabulary holds their symbols and what they make.
fn read_merges(
    path: &Path,
    tokens: &Map<String, Value>,
    vocab: &Path,
) -> Result<Vec<[String; 2]>, TokenizerError> {
    let text = load::read_text(path)?;
    let mut merges = Vec::new();
    for (index, line) in text.trim_end().lines().enumerate() {
        if index == 0 && line.starts_with("#version") {
            continue;
        }
        let number = index + 1;
        let pair = line.split_once(' ');
        let pair = pair.filter(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains(' '));
        let Some((first, second)) = pair else {
            return Err(TokenizerError::MergeLine {
                path: path.to_owned(),
                line: number,
                found: line.to_owned(),
            });
        };
        for token in [first, second, &format!("{first}{second}")] {
            if !tokens.contains_key(token) {
                return Err(TokenizerError::MergeToken {
                    path: path.to_owned(),
                    line: number,
                    vocab: vocab.to_owned(),
                    token: token.to_owned(),
                });
            }
        }
        merges.push([first.to_owned(), second.to_owned()]);
    }
    Ok(merges)
}
