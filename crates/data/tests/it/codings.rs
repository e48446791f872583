//! Character codings: found, named, and wrong.

use llm_data::{DataConfig, Source};

use crate::{Folder, fails_as, read_as, skipping};

fn coded(encoding: &str) -> DataConfig {
    DataConfig {
        encoding: encoding.to_owned(),
        ..DataConfig::default()
    }
}

const FRENCH: &str =
    "D\u{e9}j\u{e0} vu, \u{e0} la carte, \u{ab} voil\u{e0} \u{bb}, tr\u{e8}s bien\n";

fn latin() -> Vec<u8> {
    FRENCH.chars().map(|char| char as u8).collect()
}

fn utf16(bytes: fn(u16) -> [u8; 2], mark: &str) -> Vec<u8> {
    format!("{mark}{FRENCH}")
        .encode_utf16()
        .flat_map(bytes)
        .collect()
}

#[test]
fn codings_are_found() {
    let folder = Folder::new();
    let auto = DataConfig::default();
    for (name, bytes) in [
        ("utf-8", FRENCH.as_bytes().to_vec()),
        ("mark", format!("\u{feff}{FRENCH}").into_bytes()),
        ("latin", latin()),
        ("little", utf16(u16::to_le_bytes, "\u{feff}")),
        ("big", utf16(u16::to_be_bytes, "\u{feff}")),
        ("bare-little", utf16(u16::to_le_bytes, "")),
        ("bare-big", utf16(u16::to_be_bytes, "")),
    ] {
        let file = folder.file(&format!("{name}.txt"), &bytes);
        assert_eq!(read_as(file, &auto).expect(name), [FRENCH], "{name}");
        let packed = folder.gzip(&format!("{name}.txt.gz"), &bytes);
        assert_eq!(read_as(packed, &auto).expect(name), [FRENCH], "{name}");
    }
    let table = folder.file(
        "a.csv",
        [b"text,n\n\"".as_slice(), &latin(), b"\",1\n"].concat(),
    );
    assert_eq!(read_as(table, &auto).expect("a table"), [FRENCH]);
    let json: Vec<u8> = "\u{feff}{\"text\": \"na\u{ef}ve\"}\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        read_as(folder.file("a.jsonl", json), &auto).expect("a line"),
        ["na\u{ef}ve"]
    );
}

#[test]
fn a_coding_can_be_named() {
    let folder = Folder::new();
    // Windows-1251 for a file that could be Latin as well.
    let file = folder.file("a.txt", b"\xcc\xe8\xf0");
    let mir = ["\u{41c}\u{438}\u{440}"];
    assert_eq!(read_as(&*file, &coded("windows-1251")).expect("text"), mir);
    let source = Source {
        encoding: Some("cp1251".to_owned()),
        ..Source::from(&file)
    };
    assert_eq!(read_as(source, &coded("utf-8")).expect("text"), mir);
    let big = folder.file("b.txt", utf16(u16::to_be_bytes, "\u{feff}"));
    assert_eq!(read_as(big, &coded("utf-16")).expect("text"), [FRENCH]);

    let error = read_as(&*file, &coded("klingon"))
        .expect_err("no coding")
        .to_string();
    assert!(
        error.contains("`klingon`") && error.contains("\"windows-1252\""),
        "{error}"
    );
}

#[test]
fn a_bad_byte_is_named_in_its_line() {
    let folder = Folder::new();
    let mut text = "plain text\n".repeat(100_000).into_bytes();
    let bad = text.len() + 4;
    text.extend(b"caf\xc3 noir\n");
    let file = folder.file("a.txt", &text);
    let parts = ["a.txt:100001", &format!("byte {}", bad - 1), "`encoding`"];
    fails_as(&file, &coded("auto"), &parts);
    let good = ["plain text\n".repeat(100_000)];
    let (texts, skipped) = skipping(&file, &coded("auto"));
    assert_eq!(texts, good);
    assert_eq!(skipped[0].0, "a.txt:100001");

    let shift_jis = folder.file("b.txt", b"\x82\xa0\n\x82\n\x82\xa2");
    fails_as(
        &shift_jis,
        &coded("shift_jis"),
        &["b.txt:2", "coding Shift_JIS", "`encoding`"],
    );
    let (texts, skipped) = skipping(&shift_jis, &coded("shift_jis"));
    assert_eq!(
        (&*texts, skipped.len()),
        (&["\u{3042}\n\u{3044}".to_owned()][..], 1)
    );

    let lines = folder.file(
        "c.jsonl",
        b"{\"text\": \"one\"}\n{\"text\": \"\xe9\"}\n{\"text\": \"two\"}\n",
    );
    fails_as(&lines, &coded("auto"), &["c.jsonl:2", "byte 26"]);
    assert_eq!(skipping(&lines, &coded("auto")).0, ["one", "two"]);
    let json = folder.file("d.json", b"[\"one\",\n\"\xe9\", \"two\"]");
    fails_as(&json, &coded("auto"), &["d.json:2", "byte 9"]);
    assert_eq!(skipping(&json, &coded("auto")).0, ["one", "two"]);
    let table = folder.file("e.csv", b"text\none\n\xe9\ntwo\n");
    fails_as(&table, &coded("utf-8"), &["e.csv:3"]);
    assert_eq!(skipping(&table, &coded("utf-8")).0, ["one", "two"]);
    let page = folder.file("f.html", b"<p>\n\xe9");
    fails_as(&page, &coded("utf-8"), &["f.html:2", "byte 4"]);
}

#[test]
fn binary_files_are_refused() {
    let folder = Folder::new();
    let noise: Vec<u8> = (0..3000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 22) as u8)
        .collect();
    for bytes in [
        &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
        &noise,
        &b"%PDF-1.4\0"[..],
    ] {
        for name in ["a.txt", "a.jsonl", "a.csv"] {
            let file = folder.file(name, bytes);
            fails_as(&file, &coded("auto"), &["looks binary"]);
            let (texts, skipped) = skipping(&file, &coded("auto"));
            assert!(texts.is_empty() && skipped[0].0 == name, "{skipped:?}");
        }
    }
}
