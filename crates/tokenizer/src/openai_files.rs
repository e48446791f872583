//! The pairs of files in which GPT and GPT-2 were published: a vocabulary in JSON and a list of merges, one a line, in the order they are applied.
//!
//! - GPT-2: byte-level, with its own splitting rule. `<|endoftext|>` is its one special token.
//! - GPT of 2018: lower case without accents, cut at spaces and punctuation; the last token of a word ends with `</w>`, and spaces are lost but
//!   for those. `<unk>` is its one special token. The words are those of BERT, as in transformers: the program it was published with leaves
//!   them to ftfy and spaCy, which cut a few words in another way.
//!
//! Which of them a pair is can be seen in its vocabulary, so that the files may have either name.
//!
//! Source: `encoder.py` of GPT-2, <https://github.com/openai/gpt-2/blob/master/src/encoder.py>; `text_utils.py` of GPT,
//! <https://github.com/openai/finetune-transformer-lm/blob/master/text_utils.py>, and `OpenAIGPTConverter` of
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py>.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::assemble::check_vocab;
use crate::byte_level;
use crate::definition;
use crate::error::TokenizerError;
use crate::load;
use crate::tokenizer::Tokenizer;

/// Names of vocabulary and merges that belong together.
const PAIRS: [(&str, &str); 3] = [
    ("encoder.json", "vocab.bpe"),
    ("vocab.json", "merges.txt"),
    ("encoder_bpe_40000.json", "vocab_40000.bpe"),
];

/// What ends a word in the tokens of GPT.
const END_OF_WORD: &str = "</w>";
/// What stands for characters without a token there.
const UNKNOWN: &str = "<unk>";

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
    check_vocab(&tokens, "the vocabulary", vocab)?;
    let pairs = read_merges(merges, &tokens, vocab)?;

    let gpt = ends_words(&tokens);
    let special = if gpt { UNKNOWN } else { Tokenizer::END_OF_TEXT };
    // `check_vocab` has seen that ids are such numbers.
    let added = tokens.get(special).and_then(Value::as_u64);
    let added = added.and_then(|id| u32::try_from(id).ok());
    let added = added.map(|id| definition::added_token(id, special, true));
    let mut definition = definition::bpe(added.into_iter().collect(), tokens, pairs);
    if gpt {
        definition["normalizer"] = json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": true,
            "strip_accents": null,
            "lowercase": true,
        });
        definition["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
        definition["decoder"] = json!({"type": "BPEDecoder", "suffix": END_OF_WORD});
        definition["model"]["unk_token"] = json!(UNKNOWN);
        definition["model"]["end_of_word_suffix"] = json!(END_OF_WORD);
    } else {
        definition["pre_tokenizer"] = definition::byte_level(true);
        definition["decoder"] = definition::byte_level(true);
    }
    Ok(definition)
}

/// Whether these are the tokens of GPT: some end words, and none spells a space in the way of GPT-2.
fn ends_words(tokens: &Map<String, Value>) -> bool {
    let space = byte_level::symbol(b' ');
    tokens.keys().any(|token| token.ends_with(END_OF_WORD))
        && !tokens.keys().any(|token| token.contains(space))
}

/// Reads the merges and checks that the vocabulary holds their symbols and what they make.
fn read_merges(
    path: &Path,
    tokens: &Map<String, Value>,
    vocab: &Path,
) -> Result<Vec<[String; 2]>, TokenizerError> {
    let text = load::read_text(path)?;
    let mut merges = Vec::new();
    let mut made = String::new();
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
        made.clear();
        made.extend([first, second]);
        for token in [first, second, &made] {
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
