//! Ranks of tiktoken against tiktoken itself.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data_dir;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiktoken.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn lines(golden: &Value) -> Vec<String> {
    serde_json::from_value(golden["ranks"].clone()).unwrap()
}

/// Loads these lines beside a configuration.
fn load(lines: &[String], config: Value) -> Result<Tokenizer, TokenizerError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.model");
    fs::write(&path, lines.join("\n")).unwrap();
    if !config.is_null() {
        fs::write(
            folder.path().join("tokenizer_config.json"),
            config.to_string(),
        )
        .unwrap();
    }
    Tokenizer::load(folder.path())
}

#[track_caller]
fn check_ids(tokenizer: &Tokenizer, golden: &Value, encoding: &str) {
    let texts: Vec<String> = serde_json::from_value(golden["texts"].clone()).unwrap();
    let ids: Vec<Vec<u32>> = serde_json::from_value(golden["ids"][encoding].clone()).unwrap();
    assert_eq!(texts.len(), ids.len());
    for (text, ids) in texts.iter().zip(&ids) {
        assert_eq!(
            tokenizer.encode(text).unwrap(),
            *ids,
            "{encoding}: {text:?}"
        );
        assert_eq!(tokenizer.decode(ids).unwrap(), *text, "{encoding}");
    }
}

#[test]
fn the_named_encoding_cuts_words_as_tiktoken_does_also_once_saved() {
    let golden = golden();
    for encoding in ["r50k_base", "cl100k_base", "o200k_base", "llama3"] {
        let config = json!({"tiktoken_encoding": encoding,
            "added_tokens_decoder": {"700": {"content": "<|end|>", "special": true}, "701": {"content": "<tool>"}}});
        let tokenizer = load(&lines(&golden), config).unwrap();
        check_ids(&tokenizer, &golden, encoding);
        assert_eq!(tokenizer.id_of("<|end|>"), Some(700));
        assert_eq!(tokenizer.encode("<tool>").unwrap(), [701]);
        assert_eq!(tokenizer.encode_with_special("<|end|>").unwrap(), [700]);
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let again = Tokenizer::load(folder.path()).unwrap();
        assert_eq!(again.hash(), tokenizer.hash());
        check_ids(&again, &golden, encoding);
    }
}

/// As many ranks as an encoding has: those of the golden file, and then tokens that no text has.
fn filled(golden: &Value, ranks: usize, skip: Option<usize>) -> Vec<String> {
    let mut lines = lines(golden);
    let first = lines.len();
    for rank in (first..).filter(|rank| Some(*rank) != skip) {
        if lines.len() == ranks {
            return lines;
        }
        let mut token = vec![0xFF, 0xFE];
        token.extend((rank as u32).to_be_bytes());
        lines.push(format!("{} {rank}", STANDARD.encode(token)));
    }
    lines
}

#[test]
fn encodings_are_known_by_the_number_of_their_ranks() {
    let golden = golden();
    let cases: [(_, _, _, &[(&str, u32)], _); 5] = [
        ("r50k_base", 50256, None, &[("<|endoftext|>", 50256)], false),
        (
            "r50k_base",
            50280,
            Some(50256),
            &[("<|endoftext|>", 50256)],
            false,
        ),
        (
            "cl100k_base",
            100_256,
            None,
            &[
                ("<|endoftext|>", 100_257),
                ("<|fim_prefix|>", 100_258),
                ("<|endofprompt|>", 100_276),
            ],
            false,
        ),
        (
            "o200k_base",
            199_998,
            None,
            &[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)],
            false,
        ),
        (
            "llama3",
            128_000,
            None,
            &[
                ("<|begin_of_text|>", 128_000),
                ("<|eot_id|>", 128_009),
                ("<|reserved_special_token_247|>", 128_255),
            ],
            true,
        ),
    ];
    for (encoding, ranks, skip, special, begins) in cases {
        let started = std::time::Instant::now();
        let tokenizer = load(&filled(&golden, ranks, skip), Value::Null).unwrap();
        assert!(
            started.elapsed().as_secs() < 60,
            "{encoding}: {:?}",
            started.elapsed()
        );
        check_ids(&tokenizer, &golden, encoding);
        for (token, id) in special {
            assert_eq!(tokenizer.id_of(token), Some(*id), "{encoding}");
            assert_eq!(
                tokenizer.encode_with_special(token).unwrap(),
                [*id],
                "{encoding}"
            );
            assert!(!tokenizer.encode(token).unwrap().contains(id), "{encoding}");
        }
        let last = special.last().unwrap().1.max(ranks as u32 - 1);
        let last = if skip.is_some() { 50280 } else { last };
        assert_eq!(tokenizer.vocab_size(), last as usize + 1, "{encoding}");
        assert_eq!(tokenizer.begins_with_bos(), begins, "{encoding}");
        assert!(tokenizer.eos().is_some(), "{encoding}");
    }
}

#[test]
fn gpt2_as_ranks_gives_the_ids_that_tiktoken_publishes() {
    let Some(data) = data_dir() else { return };
    let gpt2 = Tokenizer::load(&data.join("tokenizers/gpt2")).unwrap();
    let bytes = |token: String| -> Vec<u8> {
        let symbols = (0..=255u8).map(|byte| (gpt2_symbol(byte), byte));
        let symbols: std::collections::HashMap<char, u8> = symbols.collect();
        token.chars().map(|symbol| symbols[&symbol]).collect()
    };
    let ranks =
        (0..50256).map(|id| format!("{} {id}", STANDARD.encode(bytes(gpt2.token(id).unwrap()))));
    let ranks = load(&ranks.collect::<Vec<_>>(), Value::Null).unwrap();
    assert_eq!((ranks.vocab_size(), ranks.eos()), (50257, Some(50256)));

    let text = fs::read_to_string(data.join("oracles/tiktoken_gpt2_cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    for (key, special) in [("plain", false), ("with_special_endoftext", true)] {
        for case in cases[key].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let found = if special {
                ranks.encode_with_special(text)
            } else {
                ranks.encode(text)
            };
            assert_eq!(found.unwrap(), ids, "{text:?}");
        }
    }
    for file in [
        "corpora/the-verdict.txt",
        "corpora/udhr/rus.txt",
        "corpora/udhr/cmn_hans.txt",
    ] {
        let text = fs::read_to_string(data.join(file)).unwrap();
        assert_eq!(
            ranks.encode(&text).unwrap(),
            gpt2.encode(&text).unwrap(),
            "{file}"
        );
    }
}

/// The character that stands for a byte in the files of GPT-2: itself where it can be seen, and otherwise the next free one from U+0100 on.
fn gpt2_symbol(byte: u8) -> char {
    let seen = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if seen(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !seen(*byte)).count();
    char::from_u32(0x100 + before as u32).unwrap()
}

#[test]
fn wrong_lines_are_named() {
    let golden = golden();
    let named = || json!({"tiktoken_encoding": "cl100k_base"});
    #[track_caller]
    fn check(lines: &[String], config: Value, expected: &str) {
        let error = load(lines, config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let whole = lines(&golden);
    let with = |line: &str| [&whole[..], &[line.to_owned()]].concat();
    check(
        &with("!!!! 700"),
        named(),
        "tokenizer.model:701: expected a token in base64",
    );
    check(
        &with("YWFhYWFhYWE= 12"),
        named(),
        ":701: expected a rank that no line before has",
    );
    check(
        &with("YQ== 700"),
        named(),
        ":701: expected a token that no line before has",
    );
    check(
        &with("YWFhYWFhYWE="),
        named(),
        ":701: expected a token in base64, a space and a rank",
    );
    check(
        &with("YWFhYWFhYWE= -1"),
        named(),
        ":701: expected a rank below",
    );
    check(
        &with("YWFhYWFhYWE= 99999999999"),
        named(),
        ":701: expected a rank below",
    );
    check(
        &with(" 700"),
        named(),
        ":701: expected a token that is not empty",
    );
    check(&with("YWFhYWFhYWE= 8388607"), named(), "none of 700");
    let mut lacking = whole.clone();
    lacking.retain(|line| !line.starts_with("YQ== "));
    check(&lacking, named(), "no token for the byte 0x61");
    check(
        &whole,
        Value::Null,
        "has 700 tokens, as no known encoding has: r50k_base (50256)",
    );
    check(
        &whole,
        json!({"tiktoken_encoding": "gpt5"}),
        "tiktoken_encoding must be r50k_base,",
    );
    let listed =
        json!({"tiktoken_encoding": "llama3", "added_tokens_decoder": {"700": {"content": "a"}}});
    check(&whole, listed, "\"a\"");
    let listed =
        json!({"tiktoken_encoding": "llama3", "added_tokens_decoder": {"x": {"content": "<a>"}}});
    check(&whole, listed, "added_tokens_decoder");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_files_of_ranks_never_panic(cut in 0usize..8000, damage in prop::collection::vec((0usize..8000, any::<u8>()), 0..4)) {
        let mut bytes = lines(&golden()).join("\n").into_bytes();
        for (place, byte) in damage {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        bytes.truncate(cut);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.tiktoken"), &bytes).unwrap();
        fs::write(folder.path().join("tokenizer_config.json"), r#"{"tiktoken_encoding": "o200k_base"}"#).unwrap();
        if let Ok(tokenizer) = Tokenizer::load(&folder.path().join("a.tiktoken")) {
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode("the fox é").unwrap()).unwrap(), "the fox é");
        }
    }
}
