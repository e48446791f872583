//! The tokenizer of the `tokenizers` crate out of a definition.
//!
//! That crate reads a model by copying it four times over. So the vocabulary and the merges of a BPE, which are nearly all of a definition, are
//! moved past it: it reads what is left, and the model is put in afterwards. What is not of the usual form goes its way as a whole, so that it is
//! the crate that judges it.

use std::mem;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::tokenizer::Engine;

/// An entry of `added_tokens`.
#[derive(Deserialize)]
struct Added {
    #[serde(rename = "id")]
    _id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

/// Reads a definition, whose ids have been checked. The vocabulary and the merges of a BPE are taken out of it.
pub(crate) fn read(definition: &mut Value) -> Result<Engine, tokenizers::Error> {
    let Some((vocab, merges)) = definition.get_mut("model").and_then(take_tokens) else {
        return Ok(Engine::deserialize(&*definition)?);
    };
    let settings = BPE::deserialize(&definition["model"])?;
    let mut builder = BPE::builder().vocab_and_merges(vocab, merges);
    // Merges are put together without it.
    if let Some(prefix) = settings.continuing_subword_prefix {
        builder = builder.continuing_subword_prefix(prefix);
    }
    let mut model = builder.build()?;
    model.dropout = settings.dropout;
    model.unk_token = settings.unk_token;
    model.end_of_word_suffix = settings.end_of_word_suffix;
    model.fuse_unk = settings.fuse_unk;
    model.byte_fallback = settings.byte_fallback;
    model.ignore_merges = settings.ignore_merges;

    // Their ids are told by the model.
    let mut tokens = Vec::new();
    if let Some(Value::Array(added)) = definition.get_mut("added_tokens") {
        tokens = mem::take(added);
    }
    let mut engine = Engine::deserialize(&*definition)?;
    engine.with_model(model);
    let added = tokens
        .iter()
        .map(|token| Ok(Added::deserialize(token)?.token));
    engine.add_tokens(&added.collect::<Result<Vec<_>, serde_json::Error>>()?);
    if let Some(Value::Array(added)) = definition.get_mut("added_tokens") {
        *added = tokens;
    }
    Ok(engine)
}

/// What stands in the canonical definition of `engine` beside the model and the post-processor.
pub(crate) fn parts(engine: &Engine) -> Result<Value, serde_json::Error> {
    let mut parts = Map::new();
    for (name, part) in [
        (
            "added_tokens",
            serde_json::to_value(engine.get_added_vocabulary())?,
        ),
        ("normalizer", serde_json::to_value(engine.get_normalizer())?),
        (
            "pre_tokenizer",
            serde_json::to_value(engine.get_pre_tokenizer())?,
        ),
        ("decoder", serde_json::to_value(engine.get_decoder())?),
    ] {
        parts.insert(name.to_owned(), part);
    }
    Ok(Value::Object(parts))
}

/// Takes the vocabulary and the merges out of a BPE of the usual form.
fn take_tokens(model: &mut Value) -> Option<(Vocab, Merges)> {
    if model["type"] != "BPE" || !model["vocab"].is_object() {
        return None;
    }
    let list = model.get_mut("merges")?.as_array_mut()?;
    let is_pair = |merge: &Value| {
        let halves = merge.as_array().map(Vec::as_slice);
        matches!(halves, Some([Value::String(_), Value::String(_)]))
    };
    // Older files write a merge as one text.
    let is_text = |merge: &Value| {
        let text = merge.as_str();
        text.is_some_and(|text| text.matches(' ').count() == 1 && !text.starts_with("#version"))
    };
    if !list.iter().all(is_pair) && !list.iter().all(is_text) {
        return None;
    }
    let merges = mem::take(list).into_iter().filter_map(halves).collect();
    let vocab = mem::take(model.get_mut("vocab")?.as_object_mut()?);
    let vocab = vocab.into_iter();
    let vocab = vocab.filter_map(|(token, id)| Some((token, u32::try_from(id.as_u64()?).ok()?)));
    Some((vocab.collect(), merges))
}

/// The halves of a merge.
fn halves(merge: Value) -> Option<(String, String)> {
    match merge {
        Value::Array(halves) => match <[Value; 2]>::try_from(halves) {
            Ok([Value::String(left), Value::String(right)]) => Some((left, right)),
            _ => None,
        },
        Value::String(text) => {
            let (left, right) = text.split_once(' ')?;
            Some((left.to_owned(), right.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Reads a changed definition in both ways.
    #[track_caller]
    fn check(usable: bool, change: impl FnOnce(&mut Value)) {
        let added = |id: usize, content: &str| {
            json!({"id": id, "content": content, "single_word": false,
            "lstrip": false, "rstrip": true, "normalized": false, "special": id == 5})
        };
        let mut definition = json!({
            "version": "1.0",
            "added_tokens": [added(5, "<s>"), added(6, "<tool>")],
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {
                "type": "BPE", "dropout": 0.5, "unk_token": "a", "continuing_subword_prefix": "#", "end_of_word_suffix": "</w>",
                "fuse_unk": true, "byte_fallback": true, "ignore_merges": true,
                "vocab": {"a": 0, "#b": 1, "ab": 2, "#ab": 4, "aab": 3}, "merges": [["a", "#b"], ["a", "#ab"]],
            },
        });
        change(&mut definition);
        let expected = Engine::deserialize(&definition).ok();
        let tokens = definition["added_tokens"].clone();
        let found = read(&mut definition).ok();
        assert_eq!(found.is_some(), usable);
        let text = |engine: Option<Engine>| engine.map(|engine| engine.to_string(false).unwrap());
        assert_eq!(text(found), text(expected));
        if usable {
            assert_eq!(definition["added_tokens"], tokens);
        }
    }

    #[test]
    fn what_is_moved_past_the_library_comes_out_as_if_it_had_gone_through() {
        check(true, |_| {});
        check(true, |d| d["model"]["merges"] = json!([]));
        check(true, |d| d["model"]["merges"] = json!(["a #b", "a #ab"]));
        check(true, |d| {
            d["model"]["merges"] = json!(["#version: 0.2", "a #b"])
        });
        check(true, |d| {
            d["model"].as_object_mut().unwrap().remove("type");
        });
        for setting in [
            "dropout",
            "unk_token",
            "end_of_word_suffix",
            "fuse_unk",
            "byte_fallback",
            "ignore_merges",
        ] {
            check(true, |d| d["model"][setting] = Value::Null);
        }
        check(true, |d| d["added_tokens"] = json!([]));
        check(true, |d| {
            d.as_object_mut().unwrap().remove("added_tokens");
        });
    }

    #[test]
    fn what_the_library_refuses_is_refused() {
        check(false, |d| d["model"]["merges"] = Value::Null);
        check(false, |d| {
            d["model"]["merges"] = json!([["a", "#b"], "a #b"])
        });
        check(false, |d| d["model"]["merges"] = json!([["a", "#b", "c"]]));
        check(false, |d| d["model"]["merges"] = json!(["a #b c"]));
        check(false, |d| d["model"]["merges"] = json!([["a", "#c"]]));
        check(false, |d| d["model"]["vocab"] = json!([]));
        check(false, |d| d["model"]["dropout"] = json!(2));
        check(false, |d| d["added_tokens"] = Value::Null);
        check(false, |d| d["added_tokens"][1]["id"] = Value::Null);
        check(false, |d| d["pre_tokenizer"]["type"] = json!("None"));
    }
}
