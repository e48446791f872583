//! Tokenizers with more tokens.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_tokenizer::Tokenizer;
use serde_json::Value;

use crate::{TEXT, bpe};

fn tokens(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A tokenizer of SentencePiece out of its golden file.
fn sentencepiece(name: &str) -> Tokenizer {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sentencepiece.json");
    let golden: Value = serde_json::from_str(&fs::read_to_string(golden).unwrap()).unwrap();
    let model = golden["models"][name]["model"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("tokenizer.model"),
        STANDARD.decode(model).unwrap(),
    )
    .unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

fn saved(tokenizer: &Tokenizer) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

#[test]
fn new_tokens_follow_the_old_ones_also_once_saved() {
    let characters = Tokenizer::train_characters(TEXT.lines().map(str::to_owned)).unwrap();
    for old in [
        bpe(),
        sentencepiece("bpe_llama"),
        sentencepiece("unigram"),
        sentencepiece("bpe_symbols"),
        characters,
    ] {
        let size = old.vocab_size() as u32;
        let new = old
            .extended(&tokens(&["<|user|>", "<|end|>"]), true)
            .unwrap();
        assert_eq!(new.vocab_size() as u32, size + 2, "{old:?}");
        assert_ne!(new.hash(), old.hash());
        for new in [&new, &saved(&new)] {
            assert_eq!(new.id_of("<|user|>"), Some(size));
            assert_eq!(new.token(size + 1).as_deref(), Some("<|end|>"));
            assert_eq!((new.bos(), new.eos()), (old.bos(), old.eos()));
            for id in 0..size {
                assert_eq!(new.token(id), old.token(id));
            }
            let ids = new.encode_with_special("<|user|>the fox<|end|>").unwrap();
            let fox = old.encode("the fox").unwrap();
            assert_eq!(ids, [&[size][..], &fox, &[size + 1]].concat());
            assert_eq!(new.decode(&ids).unwrap(), old.decode(&fox).unwrap());
            assert_eq!(new.encode("the fox").unwrap(), fox);
            if let Ok(expected) = old.encode("<|user|>") {
                assert_eq!(new.encode("<|user|>").unwrap(), expected);
            }
        }
    }
}

#[test]
fn tokens_that_are_not_special_are_found_in_every_text() {
    for old in [
        bpe(),
        sentencepiece("bpe_llama"),
        sentencepiece("unigram_bytes"),
    ] {
        let size = old.vocab_size() as u32;
        let new = old.extended(&tokens(&["foxes!"]), false).unwrap();
        for new in [&new, &saved(&new)] {
            let ids = new.encode("the foxes! run").unwrap();
            let parts = [
                old.encode("the ").unwrap(),
                vec![size],
                old.encode(" run").unwrap(),
            ];
            assert_eq!(ids, parts.concat(), "{old:?}");
            let again = new.extended(&tokens(&["<|user|>"]), true).unwrap();
            assert_eq!(again.id_of("<|user|>"), Some(size + 1));
            assert_eq!(again.encode("the foxes! run").unwrap(), ids);
        }
    }
}

#[test]
fn tokens_that_cannot_be_added_are_named() {
    #[track_caller]
    fn check(tokenizer: &Tokenizer, texts: &[&str], special: bool, expected: &str) {
        let error = tokenizer
            .extended(&tokens(texts), special)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let tokenizer = bpe();
    check(
        &tokenizer,
        &["<a>", ""],
        true,
        "\"\" cannot be added to the vocabulary: it is empty",
    );
    check(
        &tokenizer,
        &["<a>", "<a>"],
        true,
        "\"<a>\" cannot be added to the vocabulary: it is listed twice",
    );
    check(
        &tokenizer,
        &["<|endoftext|>"],
        true,
        "it is in the vocabulary already",
    );
    check(&tokenizer, &["a"], false, "it is in the vocabulary already");
    let characters = Tokenizer::train_characters(TEXT.lines().map(str::to_owned)).unwrap();
    check(&characters, &["<a>"], false, "special tokens only");
    assert_eq!(
        tokenizer.extended(&[], true).unwrap().hash(),
        tokenizer.hash()
    );
}
