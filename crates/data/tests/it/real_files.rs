//! Published counts of known corpora, in the folder that `LLM_DATA_DIR` names.

use std::env;
use std::fs;
use std::path::PathBuf;

use llm_data::{Documents, check, prepare, read_tokens};
use llm_tokenizer::{Tokenizer, TokenizerConfig};
use serde_json::Value;

use crate::{Folder, of};

/// The folder of real files. Without one a test is skipped with a word on stderr; where `CI` is set, it fails.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn data_dir(test: &str) -> Option<PathBuf> {
    let folder = env::var_os("LLM_DATA_DIR").map(PathBuf::from);
    if folder.is_none() {
        assert!(
            env::var_os("CI").is_none(),
            "{test}: LLM_DATA_DIR must be set where CI is"
        );
        eprintln!("SKIPPED {test}: LLM_DATA_DIR is not set");
    }
    folder
}

fn published(folder: &std::path::Path) -> Value {
    let text =
        fs::read(folder.join("oracles/published_counts.json")).expect("the published counts");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn tiny_shakespeare_has_the_published_counts() {
    let Some(folder) = data_dir("tiny_shakespeare_has_the_published_counts") else {
        return;
    };
    let counts = &published(&folder)["tinyshakespeare"];
    let cache = Folder::new();
    let data = of([folder.join("corpora/tinyshakespeare.txt")]);
    let prepared = prepare(&data, &TokenizerConfig::default(), cache.path()).expect("good data");
    let (train, validation) = (&prepared.train, &prepared.validation);
    assert_eq!(counts["char_train"], train.len());
    assert_eq!(counts["char_val"], validation.len());
    assert_eq!(counts["chars"], train.chars() + validation.chars());
    // The 65 characters and the end of text.
    assert_eq!(
        counts["distinct_chars"],
        prepared.tokenizer.vocab_size() - 1
    );
    let start = prepared
        .tokenizer
        .decode(&train.tokens(0..14))
        .expect("known tokens");
    assert_eq!(start, "First Citizen:");
    let check = check(&fs::read_to_string(&data.sources[0]).expect("text")[..5000]);
    assert!(
        check.sentences > 50 && check.sentences_parsed == 0,
        "{check:?}"
    );
}

#[test]
fn gpt_2_counts_are_the_published_ones() {
    let Some(folder) = data_dir("gpt_2_counts_are_the_published_ones") else {
        return;
    };
    let Some(path) = ["tokenizers/gpt2", "models/gpt2"]
        .iter()
        .map(|p| folder.join(p))
        .find(|p| p.exists())
    else {
        panic!("no GPT-2 tokenizer in {}", folder.display());
    };
    let tokenizer = Tokenizer::load(&path).expect("the GPT-2 tokenizer");
    let counts = published(&folder);
    let verdict = read_tokens(
        &[folder.join("corpora/the-verdict.txt")],
        "text",
        "",
        &tokenizer,
    )
    .expect("text");
    assert_eq!(counts["the_verdict"]["gpt2_tokens"], verdict.tokens.len());
    assert_eq!(counts["the_verdict"]["chars"], verdict.chars);

    let cache = Folder::new();
    let data = of([folder.join("corpora/tinyshakespeare.txt")]);
    let prepared = llm_data::prepare_with(&data, &tokenizer, cache.path()).expect("good data");
    assert_eq!(
        counts["tinyshakespeare"]["gpt2_train"],
        prepared.train.len()
    );
    assert_eq!(
        counts["tinyshakespeare"]["gpt2_val"],
        prepared.validation.len()
    );
}

#[test]
fn books_are_read_packed() {
    let Some(folder) = data_dir("books_are_read_packed") else {
        return;
    };
    let documents: Vec<_> =
        Documents::open(&[folder.join("corpora/gutenberg")], "text", "<|endoftext|>")
            .expect("a folder of books")
            .map(|document| document.expect("a good book"))
            .collect();
    assert_eq!(documents.len(), 7);
    assert!(
        documents[0].origin.contains("david-copperfield"),
        "{}",
        documents[0].origin
    );
    assert_eq!(documents[0].text.len(), 1_975_094);
    assert!(documents[6].origin.contains("war-and-peace"));
    assert_eq!(documents[6].text.len(), 3_274_088);
}

#[test]
fn a_file_without_separators_is_one_document() {
    let Some(folder) = data_dir("a_file_without_separators_is_one_document") else {
        return;
    };
    let path = folder.join("corpora/tinystories_sample.txt");
    let documents: Vec<_> = Documents::open(std::slice::from_ref(&path), "text", "<|endoftext|>")
        .expect("a source")
        .map(|document| document.expect("good text").text)
        .collect();
    assert_eq!(documents, [fs::read_to_string(path).expect("text")]);
}
