//! Ids of whole conversations, as others give them.

use std::fs;
use std::time::SystemTime;

use llm_tokenizer::{ChatTemplate, Conversation, Tokenizer};
use serde_json::Value;

use super::{conversation, with_tokens};
use crate::{bpe, data_dir};

#[test]
fn a_text_begins_with_one_token_at_most() {
    let Some(data) = data_dir() else { return };
    let mistral = Tokenizer::load(&data.join("tokenizers/mistral/tokenizer.v1.json")).unwrap();
    assert!(mistral.begins_with_bos());
    for (name, begins) in [
        ("llama-2", 1),
        ("llama-3", 1),
        ("mistral", 1),
        ("chatml", 0),
    ] {
        let template = ChatTemplate::builtin(name).unwrap();
        let chat = mistral
            .encode_chat(&template, &conversation(&["Hi <s>"]))
            .unwrap();
        let found = chat.ids.iter().filter(|id| Some(**id) == mistral.bos());
        assert_eq!(found.count(), begins, "{name}");
        assert_eq!(chat.ids.first() == mistral.bos().as_ref(), begins == 1);
    }
}

#[test]
fn mistral_gives_the_ids_of_mistral_common() {
    let Some(data) = data_dir() else { return };
    let mistral = Tokenizer::load(&data.join("tokenizers/mistral/tokenizer.v1.json")).unwrap();
    let folder = data.join("oracles/mistral-common/no_tools");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let expected: Vec<u32> =
        serde_json::from_value(read("tokens_v1.json")["tokens"].clone()).unwrap();
    // This tokenizer itself puts a space before a text that follows a special token.
    let template = ChatTemplate::parse(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
    );
    let conversation = Conversation {
        messages: serde_json::from_value(read("sample.json")["messages"].clone()).unwrap(),
        ..Conversation::default()
    };
    let chat = mistral
        .encode_chat(&template.unwrap(), &conversation)
        .unwrap();
    assert_eq!(chat.ids, expected);
}

#[test]
fn without_special_tokens_in_it_a_conversation_is_encoded_as_its_text() {
    let golden = include_str!("../../golden/chat_templates.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let tokenizer = with_tokens(&bpe(), |_| {}, |_| {});
    let mut compared = 0;
    for case in golden["builtin"].as_array().unwrap() {
        let Some(text) = case["text"].as_str() else {
            continue;
        };
        let conversation = Conversation {
            messages: serde_json::from_value(case["messages"].clone()).unwrap(),
            add_generation_prompt: case["generate"] == true,
            now: Some(SystemTime::UNIX_EPOCH),
            ..Conversation::default()
        };
        let template = ChatTemplate::builtin(case["builtin"].as_str().unwrap()).unwrap();
        let chat = tokenizer.encode_chat(&template, &conversation).unwrap();
        assert_eq!(chat.text, text);
        assert_eq!(chat.ids, tokenizer.encode_with_special(text).unwrap());
        compared += 1;
    }
    assert!(compared > 60);
}
