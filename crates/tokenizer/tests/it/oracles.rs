//! Ids and counts that other software published or made.

use std::fs;
use std::path::Path;

use llm_tokenizer::Tokenizer;
use serde_json::Value;

use crate::data_dir;

pub(crate) fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[track_caller]
fn check_cases(tokenizer: &Tokenizer, cases: &Value, key: &str) {
    let cases = cases.as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let expected = ids(&case[key]);
        assert_eq!(tokenizer.encode(text).unwrap(), expected, "{text:?}");
        assert_eq!(tokenizer.encode_with_special(text).unwrap(), expected);
        assert_eq!(tokenizer.decode(&expected).unwrap(), text, "{expected:?}");
    }
}

#[test]
fn gpt2_gives_the_ids_of_llama_cpp_and_tiktoken() {
    let Some(data) = data_dir() else { return };
    let gpt2 = Tokenizer::load(&data.join("tokenizers/gpt2")).unwrap();
    assert_eq!(gpt2.describe(), "byte-level BPE, 50257 tokens");
    assert_eq!((gpt2.bos(), gpt2.eos()), (Some(50256), Some(50256)));

    let cases = json(data.join("oracles/tokenizer_cases.json"));
    check_cases(&gpt2, &cases["cases"], "gpt2");
    let cases = json(data.join("oracles/tiktoken_gpt2_cases.json"));
    check_cases(&gpt2, &cases["plain"], "ids");

    for case in cases["with_special_endoftext"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(gpt2.encode_with_special(text).unwrap(), ids(&case["ids"]));
        let plain = gpt2.encode(text).unwrap();
        assert!(!plain.contains(&50256));
        assert_eq!(gpt2.decode(&plain).unwrap(), text);
    }
}

#[test]
fn gpt2_gives_the_ids_of_the_llama_cpp_vocabulary_test() {
    let Some(data) = data_dir() else { return };
    let gpt2 = Tokenizer::load(&data.join("tokenizers/gpt2/vocab.bpe")).unwrap();
    let folder = data.join("oracles/llama.cpp");
    let texts = fs::read_to_string(folder.join("ggml-vocab.inp")).unwrap();
    let expected = fs::read_to_string(folder.join("gpt2.out")).unwrap();
    let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").collect();
    let expected: Vec<_> = expected.lines().collect();
    assert!(expected.len() > 40);
    for (text, line) in texts.iter().zip(expected) {
        let ids: Vec<u32> = line
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        assert_eq!(gpt2.encode(text).unwrap(), ids, "{text:?}");
    }
}

#[test]
fn mistral_gives_the_ids_of_sentencepiece() {
    let Some(data) = data_dir() else { return };
    let mistral = Tokenizer::load(&data.join("tokenizers/mistral/tokenizer.v1.json")).unwrap();
    assert_eq!(mistral.describe(), "BPE with byte fallback, 32000 tokens");
    assert_eq!((mistral.bos(), mistral.eos()), (Some(1), Some(2)));
    let cases = json(data.join("oracles/tokenizer_cases.json"));
    check_cases(&mistral, &cases["cases"], "mistral_v1");
    assert_eq!(
        mistral.encode_with_special("<s>a</s>").unwrap(),
        [1, 264, 2]
    );
    assert!(!mistral.encode("<s>a</s>").unwrap().contains(&1));
}

#[test]
fn training_finds_the_merges_of_hugging_face() {
    let Some(data) = data_dir() else { return };
    let oracle = json(data.join("oracles/bpe_train_tinyshakespeare_hf.json"));
    let text = fs::read_to_string(data.join("corpora/tinyshakespeare.txt")).unwrap();
    let lines = text.split_inclusive('\n').map(str::to_owned);
    let tokenizer = Tokenizer::train_bpe(lines, 1000).unwrap();

    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let saved = json(folder.path().join("tokenizer.json"));
    let merges = saved["model"]["merges"].as_array().unwrap();
    let merges: Vec<_> = merges
        .iter()
        .map(|pair| {
            format!(
                "{} {}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(Value::from(merges), oracle["merges"]);

    let tokens = oracle["vocab_in_id_order"].as_array().unwrap();
    assert_eq!(tokenizer.vocab_size(), tokens.len());
    for (id, token) in (0u32..).zip(tokens) {
        assert_eq!(tokenizer.token(id).as_deref(), token.as_str());
    }
    let sample = oracle["sample_text"].as_str().unwrap();
    assert_eq!(
        tokenizer.encode(sample).unwrap(),
        ids(&oracle["sample_ids"])
    );
    let all = tokenizer.encode(&text).unwrap();
    assert_eq!(all.len() as u64, oracle["whole_file_token_count"]);
    assert_eq!(tokenizer.decode(&all).unwrap(), text);
}

#[test]
fn published_counts_are_met() {
    let Some(data) = data_dir() else { return };
    let counts = json(data.join("oracles/published_counts.json"));
    let gpt2 = Tokenizer::load(&data.join("tokenizers/gpt2/encoder.json")).unwrap();
    let tokens = |text: &str| gpt2.encode(text).unwrap().len() as u64;

    let text = fs::read_to_string(data.join("corpora/tinyshakespeare.txt")).unwrap();
    // The text is ASCII, so characters are bytes.
    let (train, validation) = text.split_at(text.len() * 9 / 10);
    assert_eq!(tokens(train), counts["tinyshakespeare"]["gpt2_train"]);
    assert_eq!(tokens(validation), counts["tinyshakespeare"]["gpt2_val"]);
    let characters = Tokenizer::train_characters([&text]).unwrap();
    let distinct = counts["tinyshakespeare"]["distinct_chars"]
        .as_u64()
        .unwrap();
    assert_eq!(characters.vocab_size() as u64, distinct + 1);
    assert_eq!(characters.describe(), "character level, 66 tokens");

    let verdict = fs::read_to_string(data.join("corpora/the-verdict.txt")).unwrap();
    assert_eq!(tokens(&verdict), counts["the_verdict"]["gpt2_tokens"]);
}

#[test]
fn real_texts_are_encoded_as_by_the_library() {
    let Some(data) = data_dir() else { return };
    let mistral = data.join("tokenizers/mistral/tokenizer.v1.json");
    let stories = data.join("models/stories260K/hf/tokenizer.json");
    let gpt2 = tempfile::tempdir().unwrap();
    let pair = Tokenizer::load(&data.join("tokenizers/gpt2")).unwrap();
    pair.save(gpt2.path()).unwrap();
    for file in [mistral, stories, gpt2.path().join("tokenizer.json")] {
        let ours = Tokenizer::load(&file).unwrap();
        let theirs = tokenizers::Tokenizer::from_file(&file).unwrap();
        for language in ["eng", "jpn", "tha", "rus", "hin"] {
            let path = data.join(format!("corpora/udhr/{language}.txt"));
            let text = fs::read_to_string(path).unwrap();
            let expected = theirs.encode_fast(text.as_str(), false).unwrap();
            let ids = ours.encode(&text).unwrap();
            assert_eq!(ids, expected.get_ids(), "{language} {}", file.display());
            assert_eq!(
                ours.decode(&ids).unwrap(),
                theirs.decode(&ids, true).unwrap()
            );
        }
    }
}

#[test]
fn models_that_want_a_beginning_are_recognised() {
    let Some(data) = data_dir() else { return };
    let begins = |file: &str| {
        let tokenizer = Tokenizer::load(&data.join(file)).unwrap();
        (tokenizer.begins_with_bos(), tokenizer.bos())
    };
    assert_eq!(
        begins("models/stories260K/hf/tokenizer.json"),
        (true, Some(1))
    );
    assert_eq!(
        begins("tokenizers/mistral/tokenizer.v1.json"),
        (true, Some(1))
    );
    assert_eq!(begins("tokenizers/gpt2"), (false, Some(50256)));
}
