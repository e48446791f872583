//! Splits, separators, tokenizers and floors of prepared data.

use llm_data::{
    DataConfig, Prepared, Source, SplitBy, StoryGenerator, TokenShard, prepare, prepare_with,
    read_tokens, write_corpus,
};
use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};
use proptest::prelude::*;

use crate::{Folder, of, stories};

fn characters(data: &DataConfig, folder: &Folder) -> Prepared {
    prepare(data, &TokenizerConfig::default(), folder.path()).expect("good data")
}

fn text(prepared: &Prepared, shard: &TokenShard) -> String {
    let tokens: Vec<_> = shard
        .tokens(0..shard.len())
        .into_iter()
        .map(|token| {
            if Some(token) == prepared.tokenizer.eos() {
                None
            } else {
                Some(token)
            }
        })
        .collect();
    tokens
        .split(Option::is_none)
        .map(|tokens| {
            let tokens: Vec<_> = tokens.iter().flatten().copied().collect();
            prepared.tokenizer.decode(&tokens).expect("known tokens")
        })
        .collect::<Vec<_>>()
        .join("|")
}

#[test]
fn one_document_has_no_separator() {
    let folder = Folder::new();
    let prepared = characters(&of([folder.file("a.txt", "0123456789")]), &folder);
    assert_eq!(text(&prepared, &prepared.train), "012345678");
    assert_eq!(text(&prepared, &prepared.validation), "9");
    assert_eq!(prepared.validation_floor, None);
}

#[test]
fn a_separator_stands_before_each_document_that_starts_in_a_part() {
    let folder = Folder::new();
    let file = folder.file("a.txt", "ab\n<|endoftext|>\ncdef\n<|endoftext|>\ngh\u{e9}");
    let data = DataConfig {
        validation: 0.5,
        ..of([file])
    };
    let prepared = characters(&data, &folder);
    assert_eq!(text(&prepared, &prepared.train), "|ab|cd");
    assert_eq!(text(&prepared, &prepared.validation), "ef|gh\u{e9}");
    assert_eq!(prepared.train.document_ends(), [3, 6]);
    assert_eq!(prepared.validation.document_ends(), [2, 6]);
    assert_eq!(
        (prepared.validation.chars(), prepared.validation.bytes()),
        (5, 6)
    );
    assert_eq!(prepared.train.documents(), 2);
}

#[test]
fn validation_sources_take_the_place_of_a_split() {
    let folder = Folder::new();
    let data = DataConfig {
        validation_sources: vec![folder.file("v.txt", "xyz").into()],
        ..of([folder.file("a.txt", "ab"), folder.file("b.txt", "c")])
    };
    let prepared = characters(&data, &folder);
    assert_eq!(text(&prepared, &prepared.train), "|ab|c");
    assert_eq!(text(&prepared, &prepared.validation), "xyz");
}

#[test]
fn a_split_by_documents_keeps_each_whole() {
    let folder = Folder::new();
    let lines: String = (0..300)
        .map(|i| format!("{{\"text\": \"<{i}>\"}}\n"))
        .collect();
    let prepared = characters(&of([folder.file("a.jsonl", lines)]), &folder);
    let (train, validation) = (
        text(&prepared, &prepared.train),
        text(&prepared, &prepared.validation),
    );
    let mut all: Vec<_> = train
        .split('|')
        .chain(validation.split('|'))
        .filter(|d| !d.is_empty())
        .collect();
    all.sort_by_key(|d| {
        d.trim_matches(['<', '>'])
            .parse::<u32>()
            .expect("a whole document")
    });
    assert_eq!(
        all.concat(),
        (0..300).map(|i| format!("<{i}>")).collect::<String>()
    );
    assert!(
        (15..=45).contains(&prepared.validation.documents()),
        "{}",
        prepared.validation.documents()
    );

    let one = DataConfig {
        split: SplitBy::Documents,
        ..of([folder.file("one.txt", "one document")])
    };
    let error =
        prepare(&one, &TokenizerConfig::default(), folder.path()).expect_err("one document");
    assert!(
        error.to_string().contains("data.split = \"tail\""),
        "{error}"
    );
}

#[test]
fn stories_have_a_floor() {
    let folder = Folder::new();
    let prepared = characters(&stories(300_000), &folder);
    let floor = prepared.validation_floor.expect("stories");
    let (mut nats, mut chars) = (0.0, 0.0);
    for story in StoryGenerator::new(3).take(2000) {
        nats += story.nats;
        chars += story.text.len() as f64;
    }
    let expected: f64 = nats / chars;
    assert!(
        (floor - expected).abs() < 0.1 * expected,
        "{floor} against {expected}"
    );
    let share = prepared.validation.chars() as f64
        / (prepared.validation.chars() + prepared.train.chars()) as f64;
    assert!((0.05..0.15).contains(&share), "{share}");
    // A separator for each story, a token for each character.
    let shard = &prepared.validation;
    assert_eq!(shard.len() as u64, shard.chars() + shard.documents() as u64);

    // Foreign validation text has no floor.
    let foreign = DataConfig {
        validation_sources: vec![folder.file("v.txt", "Some text.").into()],
        ..stories(10_000)
    };
    assert_eq!(characters(&foreign, &folder).validation_floor, None);
}

#[test]
fn the_floor_of_a_tail_counts_whole_stories() {
    let folder = Folder::new();
    let summary = write_corpus(3, 20_000, &mut Vec::new()).expect("writing to memory");
    let cut = (summary.chars as f64 * 0.9).floor() as usize;
    let (mut start, mut nats, mut chars) = (0, 0.0, 0);
    for story in StoryGenerator::new(3).take(summary.stories as usize) {
        if start >= cut {
            nats += story.nats;
            chars += story.text.len();
        }
        start += story.text.len();
    }
    let tail = DataConfig {
        split: SplitBy::Tail,
        ..stories(20_000)
    };
    let floor = characters(&tail, &folder)
        .validation_floor
        .expect("stories");
    assert!((floor - nats / chars as f64).abs() < 1e-12, "{floor}");
}

#[test]
fn a_bpe_learns_from_the_training_part_only() {
    let folder = Folder::new();
    let data = DataConfig {
        validation_sources: vec![folder.file("v.txt", "zqzqzqzqzq ".repeat(500)).into()],
        ..of([folder.file("a.txt", "the cat and the hat\n".repeat(500))])
    };
    let config = TokenizerConfig {
        kind: TokenizerKind::Bpe,
        vocab_size: 270,
        path: None,
    };
    let prepared = prepare(&data, &config, folder.path()).expect("good data");
    assert!(prepared.train.len() < 500 * 15, "{}", prepared.train.len());
    assert_eq!(prepared.validation.len(), 500 * 11);
    assert_eq!(
        text(&prepared, &prepared.train),
        "the cat and the hat\n".repeat(500)
    );
}

#[test]
fn a_bpe_does_not_see_the_tail() {
    let folder = Folder::new();
    let text = format!(
        "{}--\n{}",
        "the cat and the hat\n".repeat(500),
        "zqzqzqzqzq\n".repeat(500)
    );
    let data = DataConfig {
        validation: 5500.0 / 15_499.0,
        split: SplitBy::Tail,
        document_separator: "--".to_owned(),
        ..of([folder.file("a.txt", text)])
    };
    let config = TokenizerConfig {
        kind: TokenizerKind::Bpe,
        vocab_size: 270,
        path: None,
    };
    let prepared = prepare(&data, &config, folder.path()).expect("good data");
    assert_eq!(prepared.validation.chars(), 5500);
    assert_eq!(prepared.validation.len(), 5500);
}

#[test]
fn a_given_tokenizer_and_its_file_share_a_cache_entry() {
    let folder = Folder::new();
    let tokenizer = Tokenizer::train_characters(["abc0123"]).expect("characters");
    tokenizer
        .save(&folder.path().join("tokenizer"))
        .expect("saved");
    let data = of([folder.file("a.txt", "abcabcabcabc")]);
    let first = prepare_with(&data, &tokenizer, folder.path()).expect("good data");
    assert_eq!(first.tokenizer.hash(), tokenizer.hash());
    let config = TokenizerConfig {
        kind: TokenizerKind::File,
        path: Some(folder.path().join("tokenizer")),
        ..TokenizerConfig::default()
    };
    let second = prepare(&data, &config, folder.path()).expect("good data");
    assert!(second.from_cache && second.folder == first.folder);
    assert_eq!(second.tokenizer.hash(), tokenizer.hash());

    let other = of([folder.file("b.txt", "abc\nxyz and more")]);
    let error = prepare_with(&other, &tokenizer, folder.path()).expect_err("unknown characters");
    assert!(error.to_string().contains("b.txt:1"), "{error}");
}

#[test]
fn a_wrong_configuration_fails_before_anything_is_read() {
    let folder = Folder::new();
    let data = DataConfig {
        validation: 1.0,
        ..of([folder.path().join("none.txt")])
    };
    let error = prepare(&data, &TokenizerConfig::default(), folder.path()).expect_err("no share");
    assert!(error.to_string().contains("data.validation"), "{error}");
    let config = TokenizerConfig {
        kind: TokenizerKind::File,
        ..TokenizerConfig::default()
    };
    assert!(prepare(&stories(1000), &config, folder.path()).is_err());
}

#[test]
fn read_tokens_makes_one_row() {
    let folder = Folder::new();
    let tokenizer = Tokenizer::train_characters(["ab\u{e9}"]).expect("characters");
    let eos = tokenizer.eos().expect("an end-of-text token");
    let data = DataConfig {
        document_separator: "--".to_owned(),
        ..DataConfig::default()
    };
    let read = |sources: &[_]| read_tokens(sources, &data, &tokenizer);
    let one = Source::from(folder.file("one.txt", "ab\u{e9}"));
    let several = folder.file("several.txt", "a\n--\nb").into();

    let alone = read(std::slice::from_ref(&one)).expect("good text");
    assert_eq!(
        (
            alone.tokens.len(),
            alone.bytes,
            alone.chars,
            alone.documents
        ),
        (3, 4, 3, 1)
    );
    let all = read(&[one, several]).expect("good text");
    assert_eq!(
        (all.tokens.len(), all.bytes, all.chars, all.documents),
        (8, 6, 5, 3)
    );
    let separators: Vec<_> = (0..8).filter(|&i| all.tokens[i] == eos).collect();
    assert_eq!(separators, [0, 4, 6]);

    let mut data = data.clone();
    data.clean.duplicates.exact = true;
    let twice = Source::from(folder.file("twice.txt", "a\n--\nb\n--\na"));
    let cleaned = read_tokens(&[twice], &data, &tokenizer).expect("good text");
    assert_eq!((cleaned.tokens.len(), cleaned.documents), (4, 2));
    assert!(read(&[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_text_is_lost(documents in prop::collection::vec("[a-z\u{e9}\u{4e2d} ]{0,8}[a-z]", 1..40), share in 0.1..0.9) {
        let folder = Folder::new();
        let lines: String = documents
            .iter()
            .map(|d| format!("{}\n", serde_json::json!({ "text": d })))
            .collect();
        let data = DataConfig {
            split: SplitBy::Tail,
            validation: share,
            ..of([folder.file("a.jsonl", lines)])
        };
        let all = documents.concat();
        let n = all.chars().count() as u64;
        prop_assume!(n > 12);
        let prepared = characters(&data, &folder);
        let row = (text(&prepared, &prepared.train) + &text(&prepared, &prepared.validation)).replace('|', "");
        prop_assert_eq!(row, all);
        prop_assert_eq!(prepared.train.chars() + prepared.validation.chars(), n);
    }
}
