//! Cache entries: found again, told apart, repaired, and safe from each other.

use std::fs;
use std::path::Path;

use llm_data::{DataConfig, Prepared, SplitBy, prepare};
use llm_tokenizer::{TokenizerConfig, TokenizerKind};

use crate::{Folder, of, stories};

fn characters(data: &DataConfig, cache: &Path) -> Prepared {
    prepare(data, &TokenizerConfig::default(), cache).expect("good data")
}

fn all(prepared: &Prepared) -> (Vec<u32>, Vec<u32>) {
    let (train, validation) = (&prepared.train, &prepared.validation);
    (
        train.tokens(0..train.len()),
        validation.tokens(0..validation.len()),
    )
}

#[test]
fn the_same_data_is_found_again() {
    let folder = Folder::new();
    let first = characters(&stories(30_000), folder.path());
    let second = characters(&stories(30_000), folder.path());
    assert!(!first.from_cache && second.from_cache);
    assert_eq!(first.folder, second.folder);
    assert_eq!(all(&first), all(&second));
    assert_eq!(first.validation_floor, second.validation_floor);
    assert_eq!(first.train.document_ends(), second.train.document_ends());
    assert_eq!(first.validation.bytes(), second.validation.bytes());
    assert_eq!(first.tokenizer.hash(), second.tokenizer.hash());
    let mut names: Vec<_> = fs::read_dir(&first.folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect();
    names.retain(|name| name != "tokenizer_config.json");
    names.sort();
    let expected = [
        "header.json",
        "tokenizer.json",
        "train.ends",
        "train.tokens",
        "validation.ends",
        "validation.tokens",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_setting_that_matters_makes_another_entry() {
    let folder = Folder::new();
    let file = folder.file("a.txt", "some text that is long enough\n--\nand more of it");
    let base = of([file.clone()]);
    let mut seen = vec![characters(&base, folder.path()).folder];
    let mut check = |data: &DataConfig, tokenizer: &TokenizerConfig| {
        let prepared = prepare(data, tokenizer, folder.path()).expect("good data");
        assert!(!prepared.from_cache, "{data:?}");
        assert!(!seen.contains(&prepared.folder));
        seen.push(prepared.folder);
    };
    let character = TokenizerConfig::default();
    check(
        &DataConfig {
            validation: 0.2,
            ..base.clone()
        },
        &character,
    );
    check(
        &DataConfig {
            split: SplitBy::Tail,
            ..base.clone()
        },
        &character,
    );
    check(
        &DataConfig {
            document_separator: "--".to_owned(),
            ..base.clone()
        },
        &character,
    );
    check(
        &DataConfig {
            validation_sources: vec![file.clone().into()],
            ..base.clone()
        },
        &character,
    );
    check(
        &DataConfig {
            sources: vec![file.clone().into(), file.clone().into()],
            ..base.clone()
        },
        &character,
    );
    for vocab_size in [258, 260] {
        check(
            &base,
            &TokenizerConfig {
                kind: TokenizerKind::Bpe,
                vocab_size,
                path: None,
            },
        );
    }
    check(&stories(5000), &character);
    check(&stories(6000), &character);
    fs::write(&file, "some text that is long enough\n--\nand more of iT").expect("a file");
    check(&base, &character);

    let moved = folder.file("moved.txt", fs::read(&file).expect("a file"));
    assert!(characters(&of([moved]), folder.path()).from_cache);
}

#[test]
fn a_damaged_entry_is_made_again() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("a shard cut short", |entry| {
            let path = entry.join("train.tokens");
            let tokens = fs::read(&path).expect("a shard");
            fs::write(path, &tokens[..tokens.len() - 1]).expect("a cut");
        }),
        ("ends cut short", |entry| {
            fs::write(entry.join("validation.ends"), [0; 8]).expect("a cut")
        }),
        ("a broken header", |entry| {
            let path = entry.join("header.json");
            let mut header = fs::read(&path).expect("a header");
            header[0] ^= 1;
            fs::write(path, header).expect("a flip");
        }),
        ("another count", |entry| {
            let path = entry.join("header.json");
            let header = fs::read_to_string(&path).expect("a header");
            let flipped = header.replacen("\"tokens\": ", "\"tokens\": 1", 1);
            assert_ne!(header, flipped);
            fs::write(path, flipped).expect("a flip");
        }),
        ("another tokenizer", |entry| {
            let other = llm_tokenizer::Tokenizer::train_characters(["xyz"]).expect("characters");
            other.save(entry).expect("saved");
        }),
        ("a missing file", |entry| {
            fs::remove_file(entry.join("train.ends")).expect("removed")
        }),
    ];
    for (name, damage) in damages {
        let folder = Folder::new();
        let first = characters(&stories(20_000), folder.path());
        let tokens = all(&first);
        let entry = first.folder.clone();
        drop(first);
        damage(&entry);
        let second = characters(&stories(20_000), folder.path());
        assert!(!second.from_cache, "{name}");
        assert_eq!(all(&second), tokens, "{name}");
        assert!(
            characters(&stories(20_000), folder.path()).from_cache,
            "{name}"
        );
        let left = fs::read_dir(folder.path().join("tokens"))
            .expect("a folder")
            .count();
        assert_eq!(left, 1, "{name}: leftovers");
    }
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let folder = Folder::new();
    let tokenizer = llm_tokenizer::Tokenizer::train_characters(["abc"]).expect("characters");
    let data = of([folder.file("a.txt", "abcabcabc and an unknown letter")]);
    assert!(llm_data::prepare_with(&data, &tokenizer, folder.path()).is_err());
    let left = fs::read_dir(folder.path().join("tokens"))
        .expect("a folder")
        .count();
    assert_eq!(left, 0);
}

#[test]
fn two_at_once_agree() {
    let folder = Folder::new();
    for damaged in [false, true] {
        if damaged {
            let entry = characters(&stories(60_000), folder.path()).folder;
            fs::remove_file(entry.join("header.json")).expect("removed");
        }
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| all(&characters(&stories(60_000), folder.path()))))
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("no panic"))
                .collect()
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
        assert!(characters(&stories(60_000), folder.path()).from_cache);
        let left = fs::read_dir(folder.path().join("tokens"))
            .expect("a folder")
            .count();
        assert_eq!(left, 1);
    }
}
