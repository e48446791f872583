//! The tokenizer between the metadata of a GGUF file, which the model crate carries as values, and the tokenizer crate, which knows what
//! they mean.

use std::path::Path;

use anyhow::Context;
use llm_models::checkpoint::gguf::{Metadata, MetadataValue as V};
use llm_tokenizer::{GgufVocabulary, Tokenizer};

/// What the keys of the tokenizer begin with.
const KEYS: &str = "tokenizer.ggml";
/// The key of the template, which has another beginning.
const TEMPLATE: &str = "tokenizer.chat_template";

/// The tokenizer that the metadata of the file `path` describes.
///
/// # Errors
/// Names the key that is missing or of another type, or what is wrong with the vocabulary.
pub(crate) fn read(metadata: &Metadata, path: &Path) -> anyhow::Result<Tokenizer> {
    let file = path.display();
    let wrong = |key: &str, what: &str| format!("{file}: the key {KEYS}.{key} {what}");
    let get = |key: &str| metadata.get(&format!("{KEYS}.{key}"));
    let text = |key: &str| get(key).and_then(V::as_str).map(str::to_owned);
    let id = |key: &str| {
        get(key)
            .and_then(V::as_u64)
            .and_then(|id| u32::try_from(id).ok())
    };
    let flag = |key: &str| get(key).and_then(V::as_bool);
    let list = |key: &str| get(key).and_then(V::as_array).unwrap_or_default();
    let texts = |key: &str| -> anyhow::Result<Vec<String>> {
        let texts = list(key).iter().map(|v| v.as_str().map(str::to_owned));
        texts
            .collect::<Option<_>>()
            .with_context(|| wrong(key, "must be a list of texts"))
    };
    let numbers = |key: &str| -> anyhow::Result<Vec<f64>> {
        let number = |v: &V| v.as_f64().or_else(|| v.as_i64().map(|n| n as f64));
        let numbers = list(key).iter().map(number);
        numbers
            .collect::<Option<_>>()
            .with_context(|| wrong(key, "must be a list of numbers"))
    };
    let vocabulary = GgufVocabulary {
        model: text("model").with_context(|| wrong("model", "is missing: it has no tokenizer"))?,
        pre: text("pre"),
        tokens: texts("tokens")?,
        scores: numbers("scores")?.into_iter().map(|n| n as f32).collect(),
        token_types: numbers("token_type")?
            .into_iter()
            .map(|n| n as i32)
            .collect(),
        merges: texts("merges")?,
        bos: id("bos_token_id"),
        eos: id("eos_token_id"),
        unknown: id("unknown_token_id"),
        padding: id("padding_token_id"),
        add_bos: flag("add_bos_token"),
        add_eos: flag("add_eos_token"),
        add_space_prefix: flag("add_space_prefix"),
        chat_template: metadata
            .get(TEMPLATE)
            .and_then(V::as_str)
            .map(str::to_owned),
    };
    Ok(Tokenizer::from_gguf(vocabulary, path)?)
}

/// The metadata for `tokenizer` in the file of a model with `vocab_size` tokens.
///
/// # Errors
/// The tokenizer is of a kind that the format does not have.
pub(crate) fn write(tokenizer: &Tokenizer, vocab_size: usize) -> anyhow::Result<Metadata> {
    let vocabulary = tokenizer.to_gguf(vocab_size)?;
    let texts = |texts: Vec<String>| V::Array(texts.into_iter().map(V::String).collect());
    let scores = vocabulary.scores.into_iter().map(V::F32).collect();
    let types = vocabulary.token_types.into_iter().map(V::I32).collect();
    let lists = [
        ("tokens", texts(vocabulary.tokens)),
        ("scores", V::Array(scores)),
        ("token_type", V::Array(types)),
        ("merges", texts(vocabulary.merges)),
    ];
    // llama.cpp refuses byte-level BPE without the key, empty as its list may be.
    let keeps = vocabulary.model == "gpt2";
    let is_left_out = |key: &str, value: &V| {
        let is_empty = value.as_array().is_some_and(<[_]>::is_empty);
        is_empty && !(keeps && key == "merges")
    };
    let others = [
        ("model", Some(V::String(vocabulary.model))),
        ("pre", vocabulary.pre.map(V::String)),
        ("bos_token_id", vocabulary.bos.map(V::U32)),
        ("eos_token_id", vocabulary.eos.map(V::U32)),
        ("unknown_token_id", vocabulary.unknown.map(V::U32)),
        ("padding_token_id", vocabulary.padding.map(V::U32)),
        ("add_bos_token", vocabulary.add_bos.map(V::Bool)),
        ("add_eos_token", vocabulary.add_eos.map(V::Bool)),
        ("add_space_prefix", vocabulary.add_space_prefix.map(V::Bool)),
    ];
    let mut metadata: Metadata = lists
        .into_iter()
        .filter(|(key, value)| !is_left_out(key, value))
        .chain(
            others
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .map(|(key, value)| (format!("{KEYS}.{key}"), value))
        .collect();
    if let Some(template) = vocabulary.chat_template {
        metadata.insert(TEMPLATE.to_owned(), V::String(template));
    }
    Ok(metadata)
}
