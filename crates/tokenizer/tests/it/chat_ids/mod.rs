//! Ids of conversations: special tokens are those that the template writes, and no others.

mod guarded;
mod limits;
mod whole;

use std::fs;

use llm_tokenizer::{ChatTemplate, Conversation, EncodedChat, Message, Tokenizer};
use serde_json::{Value, json};

use crate::{bpe, openai_gpt};

const TOKENS: [&str; 4] = ["<|im_start|>", "<|im_end|>", "<s>", "</s>"];
const JOIN: &str = "{% for m in messages %}{{ m.content }}{% endfor %}";
const TURNS: &str =
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}";

/// `base` with the tokens of [`TOKENS`], each changed by `change`, and then the whole definition by `finish`.
fn with_tokens(
    base: &Tokenizer,
    change: impl Fn(&mut Value),
    finish: impl Fn(&mut Value),
) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    base.save(folder.path()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut definition: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for (index, token) in TOKENS.iter().enumerate() {
        let mut token = json!({"id": base.vocab_size() + index, "content": token, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": true});
        change(&mut token);
        definition["added_tokens"]
            .as_array_mut()
            .unwrap()
            .push(token);
    }
    finish(&mut definition);
    fs::write(&path, definition.to_string()).unwrap();
    let config = json!({"bos_token": "<s>", "eos_token": "</s>"});
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

fn characters() -> Tokenizer {
    let all: String = (' '..='~').chain("\nÄäéł▁\u{FDD0}".chars()).collect();
    Tokenizer::train_characters([all]).unwrap()
}

/// One tokenizer for each way in which texts are encoded.
fn tokenizers() -> Vec<(&'static str, Tokenizer)> {
    let as_is = |_: &mut Value| {};
    let set = |key: &'static str, value: bool| move |token: &mut Value| token[key] = json!(value);
    let metaspace = |scheme: &'static str| {
        move |definition: &mut Value| {
            let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
            definition["pre_tokenizer"] = metaspace.clone();
            definition["decoder"] = metaspace;
        }
    };
    let lowercase = |definition: &mut Value| {
        definition["normalizer"] = json!({"type": "Lowercase"});
        definition["added_tokens"][0]["normalized"] = json!(true);
    };
    let other = |definition: &mut Value| {
        let mut token = definition["added_tokens"][0].clone();
        token["id"] = json!(definition["added_tokens"].as_array().unwrap().len() + 339);
        token["content"] = json!("<tool>");
        token["special"] = json!(false);
        definition["added_tokens"]
            .as_array_mut()
            .unwrap()
            .push(token);
    };
    vec![
        ("characters", with_tokens(&characters(), as_is, as_is)),
        ("byte-level", with_tokens(&bpe(), as_is, as_is)),
        (
            "byte-level, tokens that swallow space",
            with_tokens(&bpe(), set("lstrip", true), as_is),
        ),
        (
            "byte-level, tokens that swallow space after",
            with_tokens(&bpe(), set("rstrip", true), as_is),
        ),
        (
            "byte-level, with a token that is not special",
            with_tokens(&bpe(), as_is, other),
        ),
        (
            "a space before the first word",
            with_tokens(&characters(), as_is, metaspace("first")),
        ),
        (
            "a space before every part",
            with_tokens(&characters(), as_is, metaspace("always")),
        ),
        (
            "words that end",
            with_tokens(&openai_gpt::plain(), as_is, as_is),
        ),
        (
            "lower case",
            with_tokens(&bpe(), set("normalized", true), lowercase),
        ),
    ]
}

fn conversation(contents: &[&str]) -> Conversation {
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages = contents.iter().zip(roles);
    Conversation::to_answer(
        messages
            .map(|(content, role)| Message::new(role, content))
            .collect(),
    )
}

fn encode(tokenizer: &Tokenizer, template: &str, contents: &[&str]) -> EncodedChat {
    let template = ChatTemplate::parse(template).unwrap();
    tokenizer
        .encode_chat(&template, &conversation(contents))
        .unwrap()
}

/// Ids of special tokens among `ids`, in order.
fn special(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<u32> {
    let special = [&TOKENS[..], &[Tokenizer::END_OF_TEXT]].concat();
    let special: Vec<_> = special
        .iter()
        .filter_map(|token| tokenizer.id_of(token))
        .collect();
    ids.iter()
        .copied()
        .filter(|id| special.contains(id))
        .collect()
}
