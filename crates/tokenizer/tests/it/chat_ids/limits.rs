//! Where marks come to their limits: characters that are marks themselves, tokens that cannot be marked, places in errors.

use llm_tokenizer::{ChatTemplate, TokenizerError};
use serde_json::{Value, json};

use super::{JOIN, TURNS, characters, conversation, encode, with_tokens};
use crate::bpe;

#[test]
fn noncharacters_of_a_message_stay() {
    let tokenizer = with_tokens(&characters(), |_| {}, |_| {});
    let text = "a\u{FDD0}<s>\u{FDD0}";
    let chat = encode(&tokenizer, JOIN, &[text]);
    assert_eq!(chat.text, text);
    assert_eq!(chat.ids, tokenizer.encode(text).unwrap());

    let all: String = ('\u{FDD0}'..='\u{FDEF}').collect();
    let template = ChatTemplate::parse(JOIN).unwrap();
    let error = tokenizer
        .encode_chat(&template, &conversation(&[&all]))
        .unwrap_err();
    assert!(matches!(error, TokenizerError::ChatNoncharacters));
}

#[test]
fn what_cannot_be_guarded_is_refused() {
    // A mark stands between characters, and here is only one.
    let snowman = |token: &mut Value| {
        if token["content"] == "<|im_start|>" {
            token["content"] = json!("☃");
        }
    };
    let tokenizer = with_tokens(&bpe(), snowman, |_| {});
    let template = ChatTemplate::parse(JOIN).unwrap();
    let error = tokenizer
        .encode_chat(&template, &conversation(&["a ☃"]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the conversation has the text of the special token \"☃\", which this tokenizer would take for the token; remove it from the text"
    );
    assert!(
        tokenizer
            .encode_chat(&template, &conversation(&["a"]))
            .is_ok()
    );
}

#[test]
fn a_tokenizer_that_takes_the_marks_out_is_refused_what_needs_them() {
    let finish = |definition: &mut Value| {
        definition["normalizer"] =
            json!({"type": "Replace", "pattern": {"String": "\u{FDD0}"}, "content": ""});
    };
    let tokenizer = with_tokens(&bpe(), |token| token["normalized"] = json!(true), finish);
    let template = ChatTemplate::parse(JOIN).unwrap();
    for contents in [&["a <s>"][..], &["a <", "s>"]] {
        let error = tokenizer.encode_chat(&template, &conversation(contents));
        let error = error.unwrap_err();
        assert!(matches!(error, TokenizerError::ChatSpecial { token } if token == "<s>"));
    }
    let chat = encode(&tokenizer, TURNS, &["a <", "b"]);
    assert_eq!(chat.ids, tokenizer.encode_with_special(&chat.text).unwrap());
}

#[test]
fn an_unknown_character_is_counted_in_the_text() {
    let tokenizer = with_tokens(&characters(), |_| {}, |_| {});
    let template = ChatTemplate::parse(TURNS).unwrap();
    for contents in [["é", "aя"], ["<s>", "aя"]] {
        let error = tokenizer
            .encode_chat(&template, &conversation(&contents))
            .unwrap_err();
        let TokenizerError::UnknownCharacter {
            character: 'я',
            position,
        } = error
        else {
            panic!("{error}");
        };
        let text = format!("<s><|im_start|>{}<|im_end|><|im_start|>aя", contents[0]);
        assert_eq!(position, text.chars().count() - 1);
    }
}
