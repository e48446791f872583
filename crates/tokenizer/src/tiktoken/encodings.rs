//! The encodings that are published as ranks.
//!
//! The expressions are those of the published code without its possessive quantifiers, which the library of Python takes for something else; what
//! they find is the same.
//!
//! Source: <https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py> and
//! <https://github.com/meta-llama/llama-models/blob/main/models/llama3/tokenizer.py>; names of special tokens that have changed between
//! versions of Llama 3 are those of the files on Hugging Face.

use serde_json::{Value, json};

use crate::definition;
use crate::gguf::pre_tokenizers;
use crate::split::GPT4;

/// An encoding.
#[derive(Debug)]
pub(super) struct Encoding {
    name: &'static str,
    /// Number of ranks, by which it is recognised.
    pub(super) ranks: usize,
    /// Cuts a text into words; none stands for the rule of GPT-2.
    words: Option<&'static str>,
    pub(super) bos: Option<&'static str>,
    pub(super) eos: Option<&'static str>,
    /// Whether texts begin with the token of `bos`.
    pub(super) begins_texts: bool,
    /// Ids and texts of special tokens.
    special: &'static [(u32, &'static str)],
    /// Where reserved tokens fill up the ids: the first such id, the one after the last, and the number that the first has in its name.
    reserved: (u32, u32, u32),
}

const END: &str = "<|endoftext|>";

// A white space up to the end of a text is one word, other than in Llama 3.
const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+|\s+(?!\S)|\s+";

const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// What a configuration may name.
pub(super) const EXPECTED: &str = "r50k_base, p50k_base, cl100k_base, o200k_base or llama3";

const GPT: Encoding = Encoding {
    name: "r50k_base",
    ranks: 50256,
    words: None,
    bos: Some(END),
    eos: Some(END),
    begins_texts: false,
    special: &[(50256, END)],
    reserved: (0, 0, 0),
};

static ALL: [Encoding; 5] = [
    GPT,
    Encoding {
        name: "p50k_base",
        ranks: 50280,
        ..GPT
    },
    Encoding {
        name: "cl100k_base",
        ranks: 100256,
        words: Some(CL100K),
        special: &[
            (100257, END),
            (100258, "<|fim_prefix|>"),
            (100259, "<|fim_middle|>"),
            (100260, "<|fim_suffix|>"),
            (100276, "<|endofprompt|>"),
        ],
        ..GPT
    },
    Encoding {
        name: "o200k_base",
        ranks: 199998,
        words: Some(O200K),
        special: &[(199999, END), (200018, "<|endofprompt|>")],
        ..GPT
    },
    Encoding {
        name: "llama3",
        ranks: 128000,
        words: Some(GPT4),
        bos: Some("<|begin_of_text|>"),
        eos: Some("<|end_of_text|>"),
        begins_texts: true,
        special: &[
            (128000, "<|begin_of_text|>"),
            (128001, "<|end_of_text|>"),
            (128002, "<|reserved_special_token_0|>"),
            (128003, "<|reserved_special_token_1|>"),
            (128004, "<|finetune_right_pad_id|>"),
            (128005, "<|reserved_special_token_2|>"),
            (128006, "<|start_header_id|>"),
            (128007, "<|end_header_id|>"),
            (128008, "<|eom_id|>"),
            (128009, "<|eot_id|>"),
            (128010, "<|python_tag|>"),
        ],
        reserved: (128011, 128256, 3),
    },
];

/// The encoding of a name.
pub(super) fn named(name: &str) -> Option<&'static Encoding> {
    ALL.iter().find(|encoding| encoding.name == name)
}

/// The encoding that has so many ranks.
pub(super) fn of_size(ranks: usize) -> Option<&'static Encoding> {
    ALL.iter().find(|encoding| encoding.ranks == ranks)
}

/// All names with their numbers of ranks, for messages.
pub(super) fn names() -> String {
    let names = ALL
        .iter()
        .map(|encoding| format!("{} ({})", encoding.name, encoding.ranks));
    names.collect::<Vec<_>>().join(", ")
}

impl Encoding {
    /// Ids, texts and whether they are special, of all tokens beside the ranks.
    pub(super) fn special(&self) -> Vec<(u32, String, bool)> {
        let named = self
            .special
            .iter()
            .map(|(id, text)| (*id, (*text).to_owned(), true));
        let (first, end, number) = self.reserved;
        let reserved = (first..end).map(|id| {
            let number = id - first + number;
            (id, format!("<|reserved_special_token_{number}|>"), true)
        });
        named.chain(reserved).collect()
    }

    /// The pre-tokenizer of a definition.
    pub(super) fn pre_tokenizer(&self) -> Value {
        match self.words {
            None => definition::byte_level(true),
            Some(words) => json!({
                "type": "Sequence",
                "pretokenizers": [pre_tokenizers::split(words), definition::byte_level(false)],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_can_be_named_and_its_special_tokens_have_ids_of_their_own() {
        for encoding in &ALL {
            assert!(EXPECTED.contains(encoding.name));
            assert_eq!(
                named(encoding.name).map(|found| found.ranks),
                Some(encoding.ranks)
            );
            let special = encoding.special();
            assert!(special.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for name in [encoding.bos, encoding.eos] {
                assert!(
                    special
                        .iter()
                        .any(|(_, text, _)| Some(text.as_str()) == name)
                );
            }
        }
        assert_eq!(named("llama3").unwrap().special().len(), 256);
    }
}
