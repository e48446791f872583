//! The skeleton of a `tokenizer.json` with a BPE model, for those who make one from other files or from text.

use serde_json::{Map, Value, json};

/// A definition with this vocabulary and these merges and nothing around them: no normalizer, pre-tokenizer, post-processor or decoder.
pub(crate) fn bpe(
    added_tokens: Vec<Value>,
    vocab: Map<String, Value>,
    merges: Vec<[String; 2]>,
) -> Value {
    let mut definition = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens,
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": null,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": null,
            "merges": null,
        },
    });
    // `json!` would copy them.
    definition["model"]["vocab"] = Value::Object(vocab);
    let merges = merges.into_iter();
    let merges = merges.map(|halves| Value::Array(Vec::from(halves.map(Value::String))));
    definition["model"]["merges"] = merges.collect();
    definition
}

/// An entry of `added_tokens` that is looked for in the text as it was given, and nothing else.
pub(crate) fn added_token(id: u32, content: &str, special: bool) -> Value {
    json!({
        "id": id,
        "content": content,
        "single_word": false,
        "lstrip": false,
        "rstrip": false,
        "normalized": false,
        "special": special,
    })
}

/// The pre-tokenizer of GPT-2, which is its decoder too; `use_regex` says whether it cuts the text into words itself.
pub(crate) fn byte_level(use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": true,
        "use_regex": use_regex,
    })
}
