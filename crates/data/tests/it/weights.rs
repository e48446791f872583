//! Sources that count more than once, or less.

use std::path::Path;

use llm_data::{DataConfig, Prepared, Source, SplitBy, prepare};
use llm_tokenizer::{TokenizerConfig, TokenizerKind};

use crate::{Folder, of};

fn weighted(path: &Path, weight: f64) -> Source {
    Source {
        weight,
        ..Source::from(path)
    }
}

/// The documents of a part; the end-of-text token stands before each.
fn documents(prepared: &Prepared, part: &llm_data::TokenShard) -> Vec<String> {
    let tokens = part.tokens(0..part.len());
    let eos = prepared.tokenizer.eos().expect("an end-of-text token");
    let documents = tokens.split(|token| *token == eos);
    let documents = documents.map(|tokens| prepared.tokenizer.decode(tokens).expect("known"));
    documents.filter(|text| !text.is_empty()).collect()
}

fn characters(data: &DataConfig, folder: &Folder) -> Prepared {
    prepare(data, &TokenizerConfig::default(), folder.path()).expect("good data")
}

#[test]
fn documents_appear_as_often_as_their_weight_says() {
    let folder = Folder::new();
    let lines =
        |letter: char| -> String { (0..400).map(|i| format!("\"{letter}{i}\"\n")).collect() };
    let [a, b, c] =
        ['a', 'b', 'c'].map(|letter| folder.file(&format!("{letter}.jsonl"), lines(letter)));
    let data = DataConfig {
        sources: vec![weighted(&a, 2.5), weighted(&b, 1.0), weighted(&c, 0.25)],
        split: SplitBy::Documents,
        ..DataConfig::default()
    };
    let plain = characters(&of([a.clone(), b.clone(), c.clone()]), &folder);
    let prepared = characters(&data, &folder);
    assert_ne!(plain.folder, prepared.folder);

    let validation = documents(&prepared, &prepared.validation);
    assert_eq!(validation, documents(&plain, &plain.validation));
    let train = documents(&prepared, &prepared.train);
    let once = documents(&plain, &plain.train);
    assert!(train.iter().all(|document| !validation.contains(document)));
    let count = |letter: char, documents: &[String]| {
        documents
            .iter()
            .filter(|document| document.starts_with(letter))
            .count() as f64
    };
    for (letter, weight, slack) in [('a', 2.5, 40.0), ('b', 1.0, 0.0), ('c', 0.25, 40.0)] {
        let (found, expected) = (count(letter, &train), weight * count(letter, &once));
        assert!(
            (found - expected).abs() <= slack,
            "{letter}: {found}, not {expected}"
        );
    }
    for document in &once {
        let n = train.iter().filter(|found| *found == document).count();
        let allowed = match document.as_bytes()[0] {
            b'a' => 2..=3,
            b'b' => 1..=1,
            _ => 0..=1,
        };
        assert!(allowed.contains(&n), "{document}: {n}");
    }
    // Pass after pass: the copies of the first source stand behind everything else.
    let last_c = train.iter().rposition(|document| document.starts_with('c'));
    let again = train.iter().rposition(|document| *document == train[0]);
    assert!(again > last_c, "{again:?} {last_c:?}");
    let tokens: u64 = prepared.train.bytes() + prepared.train.documents() as u64;
    assert_eq!(tokens, prepared.train.len() as u64);
    assert_eq!(prepared.train.documents(), train.len());
}

#[test]
fn a_tail_is_never_repeated() {
    let folder = Folder::new();
    let file = folder.file("a.txt", "0123456789");
    let data = DataConfig {
        sources: vec![weighted(&file, 3.0)],
        ..DataConfig::default()
    };
    let prepared = characters(&data, &folder);
    assert_eq!(documents(&prepared, &prepared.train), ["012345678"; 3]);
    assert_eq!(documents(&prepared, &prepared.validation), ["9"]);
    assert_eq!(prepared.train.document_ends(), [10, 20, 30]);
    assert_eq!(prepared.validation.len(), 1);
}

#[test]
fn a_bpe_learns_from_the_copies_too() {
    let folder = Folder::new();
    let a = folder.file("a.txt", "abababababababababababab\n".repeat(3));
    let b = folder.file("b.txt", "cdcdcdcdcdcdcdcdcdcdcdcd\n".repeat(4));
    let tokenizer = |weight| {
        let data = DataConfig {
            sources: vec![weighted(&a, weight), weighted(&b, 1.0)],
            validation_sources: vec![Source::from(&b)],
            ..DataConfig::default()
        };
        let config = TokenizerConfig {
            kind: TokenizerKind::Bpe,
            vocab_size: 258,
            path: None,
        };
        prepare(&data, &config, folder.path())
            .expect("good data")
            .tokenizer
    };
    assert!(tokenizer(1.0).id_of("cd").is_some());
    assert!(tokenizer(2.0).id_of("ab").is_some());
}

#[test]
fn wrong_weights_are_refused() {
    let folder = Folder::new();
    let file = folder.file("a.txt", "0123456789");
    let check = |data: DataConfig, part: &str| {
        let error = prepare(&data, &TokenizerConfig::default(), folder.path());
        let error = error.expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    };
    for weight in [0.0, -1.0, 101.0, f64::NAN] {
        let sources = vec![weighted(&file, weight)];
        check(
            DataConfig {
                sources,
                ..DataConfig::default()
            },
            "above 0 and at most 100",
        );
    }
    let validation_sources = vec![weighted(&file, 2.0)];
    check(
        DataConfig {
            validation_sources,
            ..of([file.clone()])
        },
        "data.validation_sources",
    );
    let sources = vec![weighted(&file, 1e-9)];
    check(
        DataConfig {
            sources,
            ..DataConfig::default()
        },
        "leave no document to train on",
    );
}
