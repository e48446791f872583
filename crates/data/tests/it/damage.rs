//! Damaged, cut short and oversized files, refused or passed over.

use std::fs;

use llm_data::{ByteSize, DataConfig, OnError, prepare};
use llm_tokenizer::TokenizerConfig;

use crate::{Folder, fails_as, of, read_as, skipping};

#[test]
fn bad_records_are_skipped_and_listed() {
    let folder = Folder::new();
    let auto = DataConfig::default();
    let lines = "{\"text\": \"one\"}\n{\"text\": \n5\n{\"body\": \"x\"}\n{\"text\": 1}\n{\"text\": \"two\"}\n";
    let (texts, skipped) = skipping(&folder.file("a.jsonl", lines), &auto);
    assert_eq!(texts, ["one", "two"]);
    let places: Vec<_> = skipped.iter().map(|(place, _)| &**place).collect();
    assert_eq!(places, ["a.jsonl:2", "a.jsonl:3", "a.jsonl:4", "a.jsonl:5"]);
    assert!(
        skipped[0].1.starts_with("not valid JSON, in column "),
        "{skipped:?}"
    );

    let json =
        "[{\"text\": \"one\"}, {\"text\": tru},\n7, {\"text\": \"two\"} {\"text\": \"lost\"}]";
    let (texts, skipped) = skipping(&folder.file("b.json", json), &auto);
    assert_eq!((texts.len(), skipped.len()), (2, 3), "{skipped:?}");
    assert!(skipped[2].1.contains("expected `,` or `]`"), "{skipped:?}");

    let table = "id,text\n1,one\n2\n3,two,x\n4,three\n5,\"four\n";
    let (texts, skipped) = skipping(&folder.file("c.csv", table), &auto);
    assert_eq!(texts, ["one", "three"]);
    let places: Vec<_> = skipped.iter().map(|(place, _)| &**place).collect();
    assert_eq!(places, ["c.csv:3", "c.csv:4", "c.csv:6"]);
}

#[test]
fn a_json_fault_is_named_by_its_line_in_the_file() {
    let folder = Folder::new();
    let lines = "{\"text\": \"one\"}\n{\"text\": \"two\" 3}\n";
    fails_as(
        &folder.file("a.jsonl", lines),
        &DataConfig::default(),
        &["a.jsonl:2: not valid JSON, in column 16: expected"],
    );
    let list = "[\n  {\"text\": \"one\"},\n  {\n    \"text\": two\n  }\n]\n";
    fails_as(
        &folder.file("b.json", list),
        &DataConfig::default(),
        &["b.json:4: not valid JSON, in column 14: expected"],
    );
}

#[test]
#[cfg(unix)]
fn a_dangling_link_stops_or_is_skipped() {
    let folder = Folder::new();
    folder.file("texts/a.txt", "one");
    let link = folder.path().join("texts/b.txt");
    std::os::unix::fs::symlink("nowhere", &link).expect("a link");
    let texts = folder.path().join("texts");
    fails_as(&texts, &DataConfig::default(), &["b.txt"]);
    let (read, skipped) = skipping(&texts, &DataConfig::default());
    assert_eq!(read, ["one"]);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].0, "b.txt");

    let data = DataConfig {
        on_error: OnError::Skip,
        ..of([texts])
    };
    folder.file("texts/c.txt", "two and three");
    let prepared =
        prepare(&data, &TokenizerConfig::default(), folder.path()).expect("two good files");
    assert_eq!(prepared.skipped.total(), 1, "counted once");
}

#[test]
fn of_a_damaged_file_what_stands_before_the_damage_is_read() {
    let folder = Folder::new();
    let line = |i: u32| format!("{{\"text\": \"{i} {}\"}}\n", i.wrapping_mul(2_654_435_761));
    let text: String = (0..200_000).map(line).collect();
    for (name, packed) in [
        (
            "a.jsonl.gz",
            fs::read(folder.gzip("w.gz", &text)).expect("a file"),
        ),
        (
            "a.jsonl.zst",
            fs::read(folder.zstd("w.zst", &text)).expect("a file"),
        ),
    ] {
        for cut in [packed.len() / 2, packed.len() - 3] {
            let file = folder.file(name, &packed[..cut]);
            fails_as(&file, &DataConfig::default(), &["damaged or cut short"]);
            let (texts, skipped) = skipping(&file, &DataConfig::default());
            assert!(texts.len() > 50_000, "{name} cut at {cut}: {}", texts.len());
            assert_eq!(skipped.len(), 1);
            assert_eq!(skipped[0].0, name);
        }
        let mut flipped = packed.clone();
        let at = packed.len() - if name.ends_with("gz") { 8 } else { 2 };
        flipped[at] ^= 16;
        fails_as(
            &folder.file(name, flipped),
            &DataConfig::default(),
            &["damaged or cut short"],
        );
    }
    // Half of a short file is no document.
    let packed = fs::read(folder.gzip("w.txt.gz", text.repeat(2))).expect("a file");
    let file = folder.file("b.txt.gz", &packed[..packed.len() / 2]);
    let (texts, skipped) = skipping(&file, &DataConfig::default());
    assert_eq!((texts.len(), skipped.len()), (0, 1));
}

#[test]
fn a_record_has_a_longest_length() {
    let folder = Folder::new();
    let data = DataConfig {
        max_document_bytes: ByteSize(100),
        ..DataConfig::default()
    };
    let long = "x".repeat(200_000);
    for (name, content, place) in [
        ("a.txt", format!("one\n{long}\ntwo\n"), "a.txt:2"),
        (
            "a.jsonl",
            format!("\"one\"\n\"{long}\"\n\"two\"\n"),
            "a.jsonl:2",
        ),
        (
            "a.json",
            format!("[\"one\",\n\"{long}\", \"two\"]"),
            "a.json:2",
        ),
        (
            "a.csv",
            format!("text,n\none,1\n\"{long}\n\",1\ntwo,1\n"),
            "a.csv:3",
        ),
        ("a.html", format!("<p>{long}"), "a.html:1"),
    ] {
        let file = folder.file(name, content);
        fails_as(
            &file,
            &data,
            &[place, "longer than 100B", "data.max_document_bytes"],
        );
        let (texts, skipped) = skipping(&file, &data);
        let left: Vec<_> = texts.iter().flat_map(|text| text.lines()).collect();
        let expected: &[_] = if name == "a.html" {
            &[]
        } else {
            &["one", "two"]
        };
        assert_eq!((&*left, skipped.len()), (expected, 1), "{name}");
        assert_eq!(skipped[0].0, place);
    }
    // The limit itself is allowed, and a text of many lines has none.
    let fits = format!("{}\n", "x".repeat(100)).repeat(5);
    assert_eq!(
        read_as(folder.file("b.txt", &fits), &data).expect("good lines"),
        [fits]
    );
}

#[test]
fn skipped_records_are_told_of_cached_data_too() {
    let folder = Folder::new();
    let lines = "{\"text\": \"some text that is long enough\"}\n5\n".repeat(30);
    let data = DataConfig {
        on_error: OnError::Skip,
        validation_sources: vec![folder.file("b.jsonl", "\"some text\"\n7\n").into()],
        ..of([folder.file("a.jsonl", lines), folder.file("c.txt", " ")])
    };
    let prepare = |data: &DataConfig| prepare(data, &TokenizerConfig::default(), folder.path());
    let first = prepare(&data).expect("good records");
    let second = prepare(&data).expect("good records");
    assert!(!first.from_cache && second.from_cache);
    assert_eq!(first.skipped, second.skipped);
    assert_eq!(first.skipped.counts["not a JSON object"], 31);
    assert_eq!(first.skipped.counts["file without text"], 1);
    assert_eq!((first.skipped.total(), first.skipped.first.len()), (32, 20));
    assert!(first.skipped.first[0].place.ends_with("a.jsonl:2"));

    let strict = DataConfig {
        on_error: OnError::Stop,
        ..data.clone()
    };
    assert!(prepare(&strict).is_err());
    let nothing = DataConfig {
        validation_sources: Vec::new(),
        ..DataConfig {
            sources: vec![folder.file("d.jsonl", "5\n6\n").into()],
            ..data
        }
    };
    let error = prepare(&nothing).expect_err("no text").to_string();
    for part in [
        "no text is left",
        "2 not a JSON object",
        "d.jsonl:1",
        "found a number",
    ] {
        assert!(error.contains(part), "{error}");
    }
}
