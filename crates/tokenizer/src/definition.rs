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

/// The post-processor that puts a token, by id and text, before and after each text; null where there is neither.
pub(crate) fn template(before: Option<(u32, &str)>, after: Option<(u32, &str)>) -> Value {
    if before.is_none() && after.is_none() {
        return Value::Null;
    }
    let around = |text: &str, type_id: usize| {
        let token = |(_, name)| json!({"SpecialToken": {"id": name, "type_id": type_id}});
        let text = json!({"Sequence": {"id": text, "type_id": type_id}});
        let parts = before.map(token).into_iter().chain([text]);
        parts.chain(after.map(token)).collect::<Vec<_>>()
    };
    let special: Map<_, _> = [before, after]
        .into_iter()
        .flatten()
        .map(|(id, name)| {
            let token = json!({"id": name, "ids": [id], "tokens": [name]});
            (name.to_owned(), token)
        })
        .collect();
    let pair = [around("A", 0), around("B", 1)].concat();
    json!({
        "type": "TemplateProcessing",
        "single": around("A", 0),
        "pair": pair,
        "special_tokens": special,
    })
}
