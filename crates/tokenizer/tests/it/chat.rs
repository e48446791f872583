//! Rendered templates, against transformers and against what mistral-common publishes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::{Duration, SystemTime};

use llm_tokenizer::{ChatTemplate, Conversation, Message, TokenizerError};
use serde_json::{Map, Value};

use crate::data_dir;

/// Made by `xtask/golden/chat_templates.py`.
const GOLDEN: &str = include_str!("../golden/chat_templates.json");

fn golden() -> Value {
    serde_json::from_str(GOLDEN).unwrap()
}

fn special_tokens() -> BTreeMap<String, String> {
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
    tokens
        .map(|(name, token)| (name.to_owned(), token.to_owned()))
        .into()
}

fn messages(value: &Value) -> Vec<Message> {
    serde_json::from_value(value.clone()).unwrap()
}

fn list(value: &Value) -> Option<Vec<Value>> {
    value.as_array().cloned()
}

#[track_caller]
fn check(template: &ChatTemplate, case: &Value, now: &Value) {
    let name = &case["name"];
    let conversation = Conversation {
        messages: messages(&case["messages"]),
        tools: list(&case["tools"]),
        documents: list(&case["documents"]),
        add_generation_prompt: case["generate"] == true,
        variables: case["variables"]
            .as_object()
            .cloned()
            .unwrap_or_else(Map::new),
        now: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_u64().unwrap())),
    };
    match template.render(&conversation, &special_tokens()) {
        Ok(text) => assert_eq!(Some(text.as_str()), case["text"].as_str(), "{name}"),
        Err(TokenizerError::ChatRefused { message }) => {
            assert_eq!(Some(message.as_str()), case["refused"].as_str(), "{name}");
        }
        Err(error) => panic!("{name}: {error}: {:?}", error.source()),
    }
}

#[test]
fn built_in_templates_make_the_text_of_transformers() {
    let golden = golden();
    let cases = golden["builtin"].as_array().unwrap();
    for name in ChatTemplate::BUILTIN {
        let template = ChatTemplate::builtin(name).unwrap();
        let cases: Vec<_> = cases
            .iter()
            .filter(|case| case["builtin"] == name)
            .collect();
        assert!(cases.len() > 10, "{name}");
        for case in cases {
            check(&template, case, &golden["now"]);
        }
    }
}

#[test]
fn templates_behave_as_in_transformers() {
    let golden = golden();
    for case in golden["templates"].as_array().unwrap() {
        let template = ChatTemplate::parse(case["template"].as_str().unwrap()).unwrap();
        check(&template, case, &golden["now"]);
    }
}

#[test]
fn what_fails_in_transformers_fails_with_its_line() {
    let golden = golden();
    for case in golden["failures"].as_array().unwrap() {
        let template = ChatTemplate::parse(case["template"].as_str().unwrap()).unwrap();
        let conversation = Conversation::to_answer(vec![Message::new("user", "a")]);
        let error = template
            .render(&conversation, &special_tokens())
            .unwrap_err();
        let TokenizerError::ChatRender { line, .. } = error else {
            panic!("{}: {error}", case["name"]);
        };
        assert_eq!(line as u64, case["line"], "{}", case["name"]);
    }
    for case in golden["unreadable"].as_array().unwrap() {
        let error = ChatTemplate::parse(case["template"].as_str().unwrap()).unwrap_err();
        let TokenizerError::ChatSyntax { line, .. } = error else {
            panic!("{}: {error}", case["name"]);
        };
        assert_eq!(line as u64, case["line"], "{}", case["name"]);
    }
}

#[test]
fn errors_say_what_a_person_needs() {
    let error = ChatTemplate::parse("a\n{% if %}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat template:2: the chat template cannot be read; correct it, or choose another one"
    );
    let template = ChatTemplate::parse("{{ messages[0].name.first }}").unwrap();
    let conversation = Conversation::to_answer(vec![Message::new("user", "a")]);
    let error = template
        .render(&conversation, &special_tokens())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat template:1: the chat template cannot render this conversation"
    );
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("`messages[0].name` is undefined"), "{cause}");
    let template = ChatTemplate::parse("{{ raise_exception('no tools') }}").unwrap();
    let error = template
        .render(&conversation, &special_tokens())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the chat template refuses this conversation: no tools"
    );
}

#[test]
fn without_a_time_given_it_is_now() {
    let template = ChatTemplate::parse("{{ strftime_now('%Y') }}").unwrap();
    let year = template.render(&Conversation::default(), &special_tokens());
    assert!(year.unwrap().parse::<u32>().unwrap() >= 2026);
}

/// The format of tokenizer version 1, whose spaces are part of the text.
const MISTRAL_V1: &str = "{{ bos_token }}{% for m in messages %}\
    {% if m.role == 'user' %}{{ ' [INST] ' + m.content + ' [/INST]' }}{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";

/// The format of version 3 with its tools, which stand before the last message of the user.
const MISTRAL_V3_TOOLS: &str = "{{ bos_token }}{% set ns = namespace(last=0) %}\
    {% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}\
    {% for m in messages %}\
    {% if m.role == 'user' %}\
        {% if loop.index0 == ns.last and tools %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}\
        [INST] {{ m.content }}[/INST]\
    {% elif m.tool_calls is defined %}\
        [TOOL_CALLS] [{% for call in m.tool_calls %}\
        {{ {'name': call.function.name, 'arguments': call.function.arguments, 'id': call.id} | tojson }}\
        {% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}\
    {% elif m.role == 'tool' %}\
        [TOOL_RESULTS] {{ {'content': m.content, 'call_id': m.tool_call_id} | tojson }}[/TOOL_RESULTS]\
    {% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}";

/// A sample of mistral-common, and the text it makes of it with tokenizer version `version`.
fn mistral_sample(name: &str, version: u32) -> Option<(Conversation, String)> {
    let folder = data_dir()?.join("oracles/mistral-common").join(name);
    let sample = fs::read_to_string(folder.join("sample.json")).unwrap();
    let sample: Value = serde_json::from_str(&sample).unwrap();
    let text = fs::read_to_string(folder.join(format!("text_v{version}.txt"))).unwrap();
    let conversation = Conversation {
        messages: messages(&sample["messages"]),
        tools: list(&sample["tools"]),
        ..Conversation::default()
    };
    // Spaces are shown as in the vocabulary there.
    Some((conversation, text.replace('▁', " ")))
}

#[test]
fn mistral_makes_the_text_of_mistral_common() {
    let Some((conversation, expected)) = mistral_sample("no_tools", 3) else {
        return;
    };
    let mistral = ChatTemplate::builtin("mistral").unwrap();
    let text = mistral.render(&conversation, &special_tokens()).unwrap();
    assert_eq!(text, expected);

    let (conversation, expected) = mistral_sample("no_tools", 1).unwrap();
    let first = ChatTemplate::parse(MISTRAL_V1).unwrap();
    let text = first.render(&conversation, &special_tokens()).unwrap();
    assert_eq!(text, expected);
}

#[test]
fn tools_and_calls_are_written_as_by_mistral_common() {
    for name in ["get_weather_no_system_prompt", "parallel_calls"] {
        let Some((mut conversation, expected)) = mistral_sample(name, 3) else {
            return;
        };
        // mistral-common reads what is JSON in these texts.
        let read = |text: &Value| {
            text.as_str()
                .and_then(|text| serde_json::from_str(text).ok())
        };
        for message in &mut conversation.messages {
            if message.get("role") == Some(&"tool".into())
                && let Some(content) = message.get("content").and_then(read)
            {
                *message = message.clone().with("content", content);
            }
            if let Some(Value::Array(mut calls)) = message.get("tool_calls").cloned() {
                for call in &mut calls {
                    let arguments = read(&call["function"]["arguments"]).unwrap();
                    call["function"]["arguments"] = arguments;
                }
                *message = message.clone().with("tool_calls", calls.into());
            }
        }
        let template = ChatTemplate::parse(MISTRAL_V3_TOOLS).unwrap();
        let text = template.render(&conversation, &special_tokens()).unwrap();
        assert_eq!(text, expected, "{name}");
    }
}
