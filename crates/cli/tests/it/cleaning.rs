//! `llm data stats`, `clean`, `split` and `prepare`, and text of every kind in.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Place, json};

const STORY: &str =
    "Once upon a time there was a cat who lived in a house by the sea and liked fish very much.";

/// Forty documents: one twice, one nearly twice, one of signs, one in Greek.
fn messy() -> String {
    let mut lines: Vec<String> = (0..36)
        .map(|i| {
            format!(
                "Number {i} is about {} and nothing else, {}.",
                i * 37,
                i * i
            )
        })
        .collect();
    lines.push(lines[3].clone());
    lines.push(format!("{STORY}\u{200b}  It  slept."));
    lines.push("#### ---- //// ==== ++++ $$$$ %%%% &&&& !!!! ????".to_owned());
    lines.push("Καλημέρα σε όλο τον κόσμο από εδώ".to_owned());
    let object = |line: &String| serde_json::json!({ "text": line }).to_string() + "\n";
    lines.iter().map(object).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn cleaning_tells_what_it_removed_and_why() {
    let place = Place::new();
    place.write("messy.jsonl", messy());
    let clean = ["data", "clean", "--data", "messy.jsonl"];
    let only_latin = ["--set", "data.clean.documents.scripts=[\"Latin\"]"];
    let ended = place.run(&[&clean[..], &["--output", "c.jsonl", "--report", "r.json"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("duplicate"), "{}", ended.stderr);
    let report = json(&place.read("r.json"));
    assert_eq!(report["documents_in"], 40);
    assert_eq!(report["documents_out"], 38, "{report}");
    assert_eq!(place.read("c.jsonl").lines().count(), 38);
    assert!(place.read("c.jsonl").contains("very much. It slept."));
    // Without a file it goes to stdout; keys of one's own take the place of the recommended ones, one by one.
    let text = place.ok(&[&clean[..], &only_latin].concat());
    assert_eq!(text.lines().count(), 37);
    assert!(!text.contains("Καλημέρα"));
    // A file of settings is taken as it is.
    let recommended = place.ok(&["data", "clean", "--recommended"]);
    place.write("c.toml", recommended);
    let again = place.ok(&[&clean[..], &["--config", "c.toml"]].concat());
    assert_eq!(again, place.read("c.jsonl"));
    place.write("off.toml", "[data.clean]\ntrim = false\n");
    place.refused(
        &[&clean[..], &["--config", "off.toml"]].concat(),
        2,
        &["data.clean", "--recommended"],
    );
    for (extra, code, part) in [
        (&["--output", "c.jsonl"][..], 1, "--force"),
        (&["--output", "c.csv"], 2, ".jsonl"),
        (
            &["--output", "x.jsonl", "--report", "x.jsonl"],
            2,
            "--report",
        ),
        (&["--set", "data.clean.permutations=1"], 2, "permutations"),
        (
            &["--set", "data.clean.duplicates.permutations=1"],
            2,
            "permutations",
        ),
        (
            &["--set", "data.clean.documents.scripts=[\"Latn\"]"],
            2,
            "Latn",
        ),
    ] {
        place.refused(&[&clean[..], extra].concat(), code, &[part]);
    }
    for command in ["stats", "clean"] {
        place.refused(&["data", command], 2, &["--data"]);
    }
    place.refused(&["data", "split", "--output-dir", "s"], 2, &["--data"]);
    place.refused(
        &["data", "clean", "--data", "none.jsonl"],
        1,
        &["none.jsonl"],
    );
}

#[test]
fn a_run_is_trained_on_clean_text() {
    let place = Place::new();
    place.write("messy.jsonl", messy());
    let prepare = [
        "data",
        "prepare",
        "--data",
        "messy.jsonl",
        "--set",
        "tokenizer.kind=character",
        "--json",
    ];
    let documents = |arguments: &[&str]| {
        let report = json(&place.ok(&[&prepare[..], arguments].concat()));
        let of = |part: &str| report[part]["documents"].as_u64().unwrap();
        (of("train") + of("validation"), report["from_cache"] == true)
    };
    let exact = ["--set", "data.clean.duplicates.exact=true"];
    assert_eq!(documents(&[]), (40, false));
    assert_eq!(
        documents(&exact),
        (39, false),
        "another text, another folder"
    );
    assert_eq!(documents(&exact), (39, true));
    let train = [
        "train",
        "--data",
        "messy.jsonl",
        "--output-dir",
        "r",
        "--max-steps",
        "1",
        "--set",
        "tokenizer.kind=character",
        "--set",
        "model.max_seq_len=16",
    ];
    let all = ["--set", "data.clean.documents.min_words=1000"];
    place.refused(&[&train[..], &all].concat(), 1, &["data.clean", "40"]);
    let ended = place.run(&[&train[..], &exact].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("duplicate"), "{}", ended.stderr);
}

#[test]
fn every_kind_of_text_is_read() {
    let place = Place::new();
    let text = STORY.repeat(3);
    let utf16 = "\u{feff}".to_owned() + &"Grüße aus Köln. ".repeat(20);
    let utf16: Vec<u8> = utf16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    place
        .write("a.txt", &text)
        .write("a.md", format!("# Title\n\n{text}\n"))
        .write("a.html", format!("<html><head><title>t</title><script>x()</script></head><body><p>{text}</p></body></html>"))
        .write("a.jsonl", format!("{{\"meta\": {{\"body\": \"{text}\"}}}}\n"))
        .write("a.json", format!("[{{\"meta\": {{\"body\": \"{text}\"}}}}]"))
        .write("a.csv", format!("id,body\n1,\"{text}, and\nmore\"\n"))
        .write("a.tsv", format!("1\t{text}\n"))
        .write("a.txt.gz", gzip(&text))
        .write("utf16.txt", utf16)
        .write("latin1.txt", b"Gr\xfc\xdfe aus K\xf6ln, sch\xf6ne Gr\xfc\xdfe und alles Gute f\xfcr die Reise.");
    let bytes = |arguments: &[&str], stdin: &str| {
        let stats = [&["data", "stats", "--json", "--data"][..], arguments].concat();
        let ended = place.run_with(&stats, stdin);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stdout.contains("x()"));
        json(&ended.stdout)["bytes"].as_u64().unwrap()
    };
    let n = text.len() as u64;
    for file in ["a.txt", "a.txt.gz", "a.html"] {
        let found = bytes(&[file], "");
        assert!(found <= n && n <= found + 1, "{file}: {found} of {n}");
    }
    assert!(bytes(&["a.md"], "") > n);
    for file in ["a.jsonl", "a.json"] {
        assert_eq!(bytes(&[file, "--set", "data.text_field=meta.body"], ""), n);
    }
    assert_eq!(
        bytes(&["a.csv", "--set", "data.text_field=body"], ""),
        n + 10
    );
    assert_eq!(bytes(&["a.tsv", "--set", "data.text_field=#2"], ""), n);
    assert_eq!(bytes(&["-"], &text), n);
    let line = format!("{{\"text\": \"{text}\"}}\n");
    assert_eq!(bytes(&["-", "--set", "data.format=jsonl"], &line), n);
    assert_eq!(bytes(&["utf16.txt"], ""), 20 * 19);
    let latin1 = bytes(&["latin1.txt"], "");
    assert_eq!(latin1, 58 + 7);
    place.refused(
        &[
            "data",
            "stats",
            "--data",
            "latin1.txt",
            "--set",
            "data.encoding=utf-8",
        ],
        1,
        &["latin1.txt:1", "encoding"],
    );
    place.refused(
        &[
            "data",
            "stats",
            "--data",
            "a.txt",
            "--set",
            "data.encoding=klingon",
        ],
        2,
        &["data.encoding", "klingon"],
    );
    if !cfg!(feature = "parquet") {
        place.write("a.parquet", b"PAR1");
        place.refused(
            &["data", "stats", "--data", "a.parquet"],
            1,
            &["--features parquet"],
        );
    }
    assert!(
        place
            .ok(&["data", "stats", "--data", "a.txt"])
            .contains("Latin")
    );
}

#[test]
fn bad_records_stop_or_are_skipped_and_counted() {
    let place = Place::new();
    place.write(
        "a.jsonl",
        "{\"text\": \"one good line of text\"}\n{\"text\": \n{\"body\": \"x\"}\n{\"text\": \"another good line\"}\n",
    );
    let stats = ["data", "stats", "--data", "a.jsonl"];
    place.refused(&stats, 1, &["a.jsonl:2", "JSON"]);
    let skip = [&stats[..], &["--json", "--set", "data.on_error=skip"]].concat();
    let ended = place.run(&skip);
    assert_eq!(json(&ended.stdout)["documents"], 2);
    for part in ["2 records", "a.jsonl:2", "a.jsonl:3", "`text`"] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
}

#[test]
fn a_split_is_written_as_two_files() {
    let place = Place::new();
    place.write("a.jsonl", messy());
    let split = ["data", "split", "--data", "a.jsonl", "--output-dir", "s"];
    place.ok(&[&split[..], &["--set", "data.validation=0.25"]].concat());
    let lines = |name: &str| {
        place
            .read(name)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (train, validation) = (lines("s/train.jsonl"), lines("s/validation.jsonl"));
    assert_eq!(train.len() + validation.len(), 40);
    assert!((9..=11).contains(&validation.len()), "{}", validation.len());
    let mut all = [train, validation].concat();
    all.sort();
    let mut given: Vec<String> = messy().lines().map(str::to_owned).collect();
    given.sort();
    assert_eq!(all, given);
    place.refused(&split, 1, &["--force"]);
    let lines = [
        "--force",
        "--format",
        "txt",
        "--set",
        "data.document_separator=----",
    ];
    place.ok(&[&split[..], &lines].concat());
    assert!(place.read("s/train.txt").contains("\n----\n"));
}

#[test]
fn weights_repeat_a_source_for_training_only() {
    let place = Place::new();
    let lines = |word: &str| -> String {
        let line = |i| format!("{{\"text\": \"{word} number {i} of this kind\"}}\n");
        (0..40).map(line).collect()
    };
    place
        .write("a.jsonl", lines("apple"))
        .write("b.jsonl", lines("berry"));
    place.write(
        "c.toml",
        "[data]\nsources = [\"a.jsonl\", { path = \"b.jsonl\", weight = 3.0 }]\n",
    );
    place.ok(&["data", "split", "--config", "c.toml", "--output-dir", "s"]);
    let count = |name: &str, word: &str| {
        let text = place.read(name);
        text.lines().filter(|line| line.contains(word)).count()
    };
    let berries = count("s/validation.jsonl", "berry");
    assert_eq!(count("s/train.jsonl", "berry"), 3 * (40 - berries));
    assert_eq!(
        count("s/train.jsonl", "apple") + count("s/validation.jsonl", "apple"),
        40
    );
    place.write(
        "d.toml",
        "[data]\nsources = [{ path = \"a.jsonl\", wieght = 2.0 }]\n",
    );
    place.refused(
        &["data", "stats", "--config", "d.toml"],
        1,
        &["d.toml", "wieght"],
    );
}

#[test]
fn every_command_that_reads_text_reads_it_clean() {
    let place = Place::new();
    place.write(
        "a.txt",
        "same words\n<|endoftext|>\nother words\n<|endoftext|>\nsame words\n",
    );
    let once = [
        "--data",
        "a.txt",
        "--set",
        "data.clean.duplicates.exact=true",
    ];
    let with = |start: &[&str], more: &[&str]| {
        let arguments: Vec<_> = start.iter().chain(&once).chain(more).copied().collect();
        place.ok(&arguments)
    };
    let stats = json(&with(&["data", "stats"], &["--json"]));
    assert_eq!(stats["documents"], 2);
    with(
        &["tokenizer", "train", "--kind", "character"],
        &["--output-dir", "t"],
    );
    let report = json(&with(
        &["tokenizer", "eval", "--tokenizer", "t"],
        &["--json"],
    ));
    let bytes = "same words\nother words".len();
    assert_eq!(report["total"]["bytes"], bytes, "{report}");
}
