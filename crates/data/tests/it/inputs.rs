//! Good and bad sources.

use std::path::Path;

use llm_data::{DataConfig, Documents, SEPARATOR, StoryGenerator, write_corpus};

use crate::{Folder, fails_as, field, read_as};

#[track_caller]
fn check(source: &Path, expected: &[&str]) {
    let read = read_as(source, &DataConfig::default());
    assert_eq!(read.expect("good sources"), expected);
}

#[track_caller]
fn fails(source: &Path, parts: &[&str]) {
    fails_as(source, &DataConfig::default(), parts);
}

#[test]
fn text_is_one_document_or_several() {
    let folder = Folder::new();
    check(&folder.file("a.txt", "one\n\ntwo\n"), &["one\n\ntwo\n"]);
    check(
        &folder.file("b.txt", "\u{feff}one\r\ntwo\rx"),
        &["one\ntwo\rx"],
    );
    check(
        &folder.file(
            "c.TXT",
            "one\n<|endoftext|>\r\n \n<|endoftext|>\ntwo\n\n<|endoftext|>\n",
        ),
        &["one", "two\n"],
    );
    check(
        &folder.file("d.txt", "a <|endoftext|> b\n"),
        &["a <|endoftext|> b\n"],
    );
    check(
        &folder.gzip("e.txt.gz", "one\n<|endoftext|>\ntwo"),
        &["one", "two"],
    );
}

#[test]
fn an_empty_separator_parts_nothing() {
    let folder = Folder::new();
    let file = folder.file("a.txt", "one\n\n<|endoftext|>\n");
    let data = DataConfig {
        document_separator: String::new(),
        ..DataConfig::default()
    };
    assert_eq!(read_as(file, &data).expect("a good source").len(), 1);
}

#[test]
fn json_lines_have_a_document_each() {
    let folder = Folder::new();
    let lines = "\u{feff}{\"text\": \"one\\n\", \"id\": 1}\n\n  \r\n{\"text\": \"two\"}\r\n{\"text\": \" \"}";
    check(&folder.file("a.jsonl", lines), &["one\n", "two"]);
    check(&folder.gzip("a.jsonl.gz", lines), &["one\n", "two"]);
    let other = folder.file("b.jsonl", "{\"body\": \"x\"}");
    let mut documents = Documents::open(&[other.into()], &field("body")).expect("a good source");
    let document = documents.next().expect("a document").expect("a good line");
    assert_eq!(document.text, "x");
    assert!(
        document.origin.ends_with("b.jsonl:1"),
        "{}",
        document.origin
    );
}

#[test]
fn folders_are_read_by_path_and_other_kinds_passed_over() {
    let folder = Folder::new();
    folder.file("z/b.txt", "2");
    folder.file("z/a/c.jsonl", "{\"text\": \"1\"}");
    folder.file("z/notes.rst", "no");
    folder.file("z/.hidden.txt", "no");
    folder.file("z/.git/a.txt", "no");
    folder.gzip("z/c.txt.gz", "3");
    folder.file("z/d.md", "4");
    check(&folder.path().join("z"), &["1", "2", "3", "4"]);
    check(&folder.path().join("z/.git"), &["no"]);
}

#[test]
fn a_written_corpus_is_read_back_story_by_story() {
    let folder = Folder::new();
    let mut corpus = Vec::new();
    write_corpus(5, 30_000, &mut corpus).expect("writing to memory");
    assert_eq!(DataConfig::default().document_separator, SEPARATOR);
    let read = read_as(folder.file("stories.txt", corpus), &DataConfig::default());
    let read = read.expect("good sources");
    let made: Vec<_> = StoryGenerator::new(5)
        .take(read.len())
        .map(|s| s.text)
        .collect();
    assert_eq!(read, made);
    assert!(read.len() > 20);
}

#[test]
fn bad_files_are_named() {
    let folder = Folder::new();
    let file = |name: &str, content: &[u8]| folder.file(name, content);
    fails(&folder.path().join("none.txt"), &["no such file"]);
    fails(&file("a.pdf", b"x"), &[".txt", ".jsonl", ".gz"]);
    fails(&file("a.docx.gz", b"x"), &[".txt"]);
    fails(&file("a.gz", b"x"), &[".txt", "`format`"]);
    fails(&file("README", b"x"), &[".txt"]);
    fails(&file("empty.txt", b""), &["no text"]);
    fails(&file("blank.txt", b" \n<|endoftext|>\n\n"), &["no text"]);
    fails(&file("blank.jsonl", b"\n\n"), &["no text"]);
    let strict = DataConfig {
        encoding: "utf-8".to_owned(),
        ..DataConfig::default()
    };
    fails_as(
        &file("latin.txt", b"one\ntw\xe9 x\n"),
        &strict,
        &["latin.txt:2", "byte 6", "UTF-8", "`encoding`"],
    );
    fails_as(
        &folder.gzip("latin.txt.gz", b"\xff"),
        &strict,
        &["latin.txt.gz:1", "byte 0"],
    );
    fails(&file("plain.txt.gz", b"this is not gzip"), &["gzip"]);
    fails(&file("hollow.txt.gz", b""), &["gzip"]);
    fails(&file("plain.txt.zst", b"this is not zstd"), &["zstd"]);
    let whole =
        std::fs::read(folder.gzip("whole.txt.gz", "some text ".repeat(500))).expect("a file");
    fails(
        &file("cut.txt.gz", &whole[..whole.len() - 9]),
        &["cut short"],
    );
    std::fs::create_dir(folder.path().join("hollow")).expect("a folder");
    fails(
        &folder.path().join("hollow"),
        &["folder holds no file", ".txt"],
    );
}

#[test]
fn bad_json_lines_are_named() {
    let folder = Folder::new();
    let good = "{\"text\": \"x\"}\n\n";
    let check = |line: &str, parts: &[&str]| {
        let source = folder.file("a.jsonl", format!("{good}{line}\n{good}"));
        fails(&source, parts);
        fails(&source, &["a.jsonl:3"]);
    };
    check("{\"text\": ", &["not valid JSON"]);
    check(
        "{\"body\": \"x\", \"id\": 1}",
        &["no key `text`", "`body`, `id`", "text_field"],
    );
    check("{}", &["no key `text`", "empty object"]);
    check("{\"text\": 5}", &["`text` must be a string", "a number"]);
    check("{\"text\": null}", &["null"]);
    check("[\"x\"]", &["expected an object", "a list"]);
}

#[test]
fn nothing_follows_an_error() {
    let folder = Folder::new();
    let bad = folder.file("a.jsonl", "{\"text\": \"x\"}\n5\n{\"text\": \"y\"}\n");
    let good = folder.file("b.txt", "z");
    let documents = Documents::open(&[bad.into(), good.into()], &DataConfig::default());
    let documents: Vec<_> = documents.expect("sources").collect();
    assert_eq!(documents.len(), 2);
    assert!(documents[0].is_ok() && documents[1].is_err());
}
