//! `llm tokenizer train`, `encode` and `decode`.

use std::fs;
use std::path::Path;

use crate::{Place, json};

const TEXT: &str = "the cat sat on the mat.\nthe dog sat on the log.\nthe café is open.\n";

fn place() -> Place {
    let place = Place::new();
    place.write("a.txt", TEXT);
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--kind",
        "character",
        "--output_dir",
        "chars",
    ]);
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "a.txt",
        "--vocab_size=270",
        "--output-dir",
        "bpe",
    ]);
    place
}

#[test]
fn text_comes_back_from_its_ids() {
    let place = place();
    for tokenizer in ["chars", "bpe", "bpe/tokenizer.json"] {
        let by_text = place.ok(&[
            "tokenizer",
            "encode",
            "--tokenizer",
            tokenizer,
            "--text",
            TEXT,
        ]);
        let by_file = place.ok(&[
            "tokenizer",
            "encode",
            "--tokenizer",
            tokenizer,
            "--file",
            "a.txt",
        ]);
        let by_stdin = place.run_with(&["tokenizer", "encode", "--tokenizer", tokenizer], TEXT);
        assert_eq!(
            (by_text.as_str(), by_text.as_str()),
            (by_file.as_str(), by_stdin.stdout.as_str())
        );

        let ids: Vec<&str> = by_text.split_whitespace().collect();
        let mut decode = vec!["tokenizer", "decode", "--tokenizer", tokenizer];
        assert_eq!(place.run_with(&decode, by_text.as_str()).stdout, TEXT);
        decode.extend(&ids);
        assert_eq!(place.ok(&decode), TEXT);

        let encoded = place.ok(&[
            "tokenizer",
            "encode",
            "--tokenizer",
            tokenizer,
            "--file",
            "a.txt",
            "--json",
        ]);
        let encoded = json(&encoded);
        let found: Vec<String> = encoded["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ids);
        assert_eq!(encoded["tokens"].as_array().unwrap().len(), ids.len());
    }
}

#[test]
fn nothing_is_encoded_as_nothing() {
    let place = place();
    assert_eq!(
        place.ok(&["tokenizer", "encode", "--tokenizer", "bpe", "--text", ""]),
        "\n"
    );
    assert_eq!(
        place.ok(&["tokenizer", "encode", "--tokenizer", "bpe"]),
        "\n"
    );
    assert_eq!(place.ok(&["tokenizer", "decode", "--tokenizer", "bpe"]), "");
    assert_eq!(
        json(&place.ok(&[
            "tokenizer",
            "encode",
            "--tokenizer",
            "bpe",
            "--text",
            "",
            "--json"
        ]))["ids"],
        json("[]")
    );
}

#[test]
fn a_text_may_begin_with_a_hyphen() {
    let place = place();
    let ids = place.ok(&[
        "tokenizer",
        "encode",
        "--tokenizer",
        "bpe",
        "--text",
        "--text",
    ]);
    assert_eq!(
        place
            .run_with(&["tokenizer", "decode", "--tokenizer", "bpe"], ids)
            .stdout,
        "--text"
    );
}

#[test]
fn quiet_means_quiet() {
    let place = Place::new();
    place.write("a.txt", TEXT);
    let train = [
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--output-dir",
        "bpe",
        "--vocab-size",
        "300",
    ];
    assert!(!place.run(&train).stderr.is_empty());
    let quiet = place.run(&[&train[..], &["--force", "--quiet"]].concat());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn bad_input_is_refused_with_its_name() {
    let place = place();
    place
        .write("empty.txt", "")
        .write(
            "binary.txt",
            b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x03\x00\x3e\x00",
        )
        .write("broken.json", "{\"a\": ");
    let train = |arguments: &[&'static str]| {
        [
            &["tokenizer", "train", "--output-dir", "new"][..],
            arguments,
        ]
        .concat()
    };
    place.refused(&train(&["--data", "none.txt"]), 1, &["none.txt"]);
    place.refused(&train(&["--data", "a.txt", "none.txt"]), 1, &["none.txt"]);
    place.refused(&train(&["--data", "empty.txt"]), 1, &["empty.txt"]);
    place.refused(
        &train(&["--data", "binary.txt"]),
        1,
        &["binary.txt", "binary"],
    );
    place.refused(
        &train(&["--data", "a.txt", "--kind", "wordpiece"]),
        2,
        &["--kind", "bpe", "character"],
    );
    place.refused(
        &train(&[
            "--data",
            "a.txt",
            "--kind",
            "character",
            "--vocab-size",
            "300",
        ]),
        2,
        &["--vocab-size"],
    );
    place.refused(
        &train(&["--data", "a.txt", "--vocab-size", "256"]),
        2,
        &["--vocab-size", "256", "257"],
    );
    place.refused(
        &train(&["--data", "a.txt", "--vocab-size", "many"]),
        2,
        &["--vocab-size", "many"],
    );
    place.refused(&train(&["--data", "broken.json"]), 1, &["broken.json"]);
    assert!(!place.path().join("new").exists());

    place.refused(
        &[
            "tokenizer",
            "train",
            "--data",
            "a.txt",
            "--output-dir",
            "bpe",
        ],
        1,
        &["bpe", "--force"],
    );
    place.refused(
        &[
            "tokenizer",
            "train",
            "--data",
            "a.txt",
            "--output-dir",
            "a.txt",
        ],
        1,
        &["a.txt", "is a file"],
    );
    place.refused(
        &[
            "tokenizer",
            "train",
            "--data",
            "a.txt",
            "--output-dir",
            "a.txt/where",
        ],
        1,
        &["a.txt/where", "a.txt is a file"],
    );
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--output-dir",
        "bpe",
        "--force",
    ]);

    let encode = |arguments: &[&'static str]| [&["tokenizer", "encode"][..], arguments].concat();
    place.refused(
        &encode(&["--tokenizer", "none", "--text", "a"]),
        1,
        &["none"],
    );
    place.refused(
        &encode(&["--tokenizer", "broken.json", "--text", "a"]),
        1,
        &["broken.json"],
    );
    place.refused(
        &encode(&["--tokenizer", "chars", "--text", "Q"]),
        2,
        &["--text", "'Q'"],
    );
    place.refused(
        &encode(&["--tokenizer", "chars", "--text", "a", "--file", "a.txt"]),
        2,
        &["--text", "--file"],
    );
    place.refused(
        &encode(&["--tokenizer", "chars", "--file", "none.txt"]),
        1,
        &["none.txt"],
    );
    place.refused(
        &encode(&["--tokenizer", "chars", "--file", "bpe"]),
        1,
        &["bpe", "folder"],
    );
    place.refused_with(
        &encode(&["--tokenizer", "chars"]),
        "Q",
        1,
        &["stdin", "'Q'"],
    );
    place.refused_with(
        &encode(&["--tokenizer", "bpe"]),
        b"\xff".to_vec(),
        1,
        &["stdin", "UTF-8"],
    );

    let decode = |arguments: &[&'static str]| {
        [
            &["tokenizer", "decode", "--tokenizer", "bpe"][..],
            arguments,
        ]
        .concat()
    };
    place.refused(&decode(&["1", "999999"]), 2, &["999999"]);
    place.refused(&decode(&["one"]), 2, &["one"]);
    place.refused(&decode(&["-1"]), 2, &["-1"]);
    place.refused_with(&decode(&[]), "1 x", 1, &["stdin", "\"x\""]);
    place.refused_with(&decode(&[]), "999999", 1, &["999999"]);
}

#[test]
fn texts_are_cut_as_transformers_cuts_them() {
    // Folders of models trained here, and the ids that transformers reads with them (`xtask/golden/trained_here.py`).
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/trained");
    let place = Place::new();
    for family in ["gpt", "gpt2", "llama", "mistral"] {
        let folder = golden.join(family);
        let expected = json(&fs::read_to_string(folder.join("expected.json")).unwrap());
        let (folder, text) = (folder.to_str().unwrap(), expected["text"].as_str().unwrap());
        let encode = [
            "tokenizer",
            "encode",
            "--tokenizer",
            folder,
            "--text",
            text,
            "--json",
        ];
        assert_eq!(
            json(&place.ok(&encode))["ids"],
            expected["ids"][0],
            "{family}"
        );
    }
}

#[test]
fn training_has_the_options_of_its_peers() {
    let place = Place::new();
    let text =
        "low low low low low lower lower widest widest widest newest newest 12345\n".repeat(3);
    place.write("a.txt", &text);
    let train = |folder: &str, more: &[&str]| {
        let arguments = [
            "tokenizer",
            "train",
            "--data",
            "a.txt",
            "--vocab-size",
            "270",
            "--output-dir",
            folder,
        ];
        place.ok(&[&arguments[..], more].concat())
    };
    train("plain", &[]);
    train("special", &["--special", "<|user|>"]);
    train("rare", &["--min-frequency", "1000"]);
    train("gpt4", &["--pattern", "gpt4"]);
    train("regex", &["--regex", "[a-z]+|[0-9]"]);
    train("ties", &["--ties", "cs336"]);
    train("short", &["--max-token-length", "2"]);
    train("small", &["--word-memory", "1KB"]);
    let vocabulary = |folder: &str| json(&place.read(&format!("{folder}/tokenizer.json")));
    let merges = |folder: &str| {
        vocabulary(folder)["model"]["merges"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (merges("plain"), merges("special"), merges("rare")),
        (13, 12, 0)
    );
    let token =
        |folder: &str, id: &str| place.ok(&["tokenizer", "decode", "--tokenizer", folder, id]);
    assert_eq!(token("special", "258"), token("plain", "257"));
    for folder in ["gpt4", "regex", "ties", "short"] {
        assert_ne!(vocabulary(folder), vocabulary("plain"), "{folder}");
    }
    let refuse = |more: &[&str], part: &str| {
        let arguments = [
            "tokenizer",
            "train",
            "--data",
            "a.txt",
            "--output-dir",
            "no",
        ];
        place.refused(&[&arguments[..], more].concat(), 2, &[part]);
    };
    refuse(&["--regex", "("], "--regex");
    refuse(&["--special", ""], "--special");
    refuse(&["--vocab-size", "256"], "--vocab-size");
    refuse(&["--max-token-length", "1"], "--max-token-length");
    refuse(&["--word-memory", "much"], "--word-memory");
    refuse(&["--kind", "character", "--ties", "hf"], "--ties");
}

#[test]
fn words_may_reach_over_line_ends() {
    let place = Place::new();
    place.write("a.txt", "one\n\n\ntwo\n\n\n".repeat(40));
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--vocab-size",
        "262",
        "--output-dir",
        "t",
    ]);
    let tokenizer = place.read("t/tokenizer.json");
    assert!(tokenizer.contains("ĊĊ"), "{tokenizer}");
}

#[test]
fn tokens_are_shown_and_measured() {
    let place = Place::new();
    place.write("a.txt", "the cat and the hat\n".repeat(20));
    place.write("b.txt", "Ελλάδα 猫\n");
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--vocab-size",
        "280",
        "--output-dir",
        "t",
    ]);
    let inspect = [
        "tokenizer",
        "inspect",
        "--tokenizer",
        "t",
        "--text",
        "the hat 猫",
    ];
    let plain = place.ok(&inspect);
    assert!(
        plain.contains("the│␣hat") && !plain.contains('\u{1b}'),
        "{plain}"
    );
    let coloured = place.ok(&[&inspect[..], &["--colour", "always"]].concat());
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    let pieces = json(&place.ok(&[&inspect[..], &["--json"]].concat()));
    assert_eq!(pieces["tokens"][0]["text"], "the");
    assert_eq!(pieces["tokens"][0]["range"], json("[0, 3]"));
    let eval = [
        "tokenizer",
        "eval",
        "--tokenizer",
        "t",
        "--data",
        "a.txt",
        "b.txt",
    ];
    let table = place.ok(&eval);
    for part in ["a.txt", "b.txt", "Greek", "Han", "Latin"] {
        assert!(table.contains(part), "no {part} in {table}");
    }
    let report = json(&place.ok(&[&eval[..], &["--json"]].concat()));
    assert_eq!(report["total"]["exact"], true);
    assert_eq!(report["texts"][1]["bytes"], 17);
}

#[test]
fn a_vocabulary_is_extended() {
    let place = Place::new();
    place.write("a.txt", "the cat and the hat\n".repeat(20));
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "a.txt",
        "--vocab-size",
        "262",
        "--output-dir",
        "t",
    ]);
    let extend = [
        "tokenizer",
        "extend",
        "--tokenizer",
        "t",
        "--output-dir",
        "e",
        "--add",
        "<|user|>",
    ];
    let out = place.ok(&[&extend[..], &["--special"]].concat());
    assert!(out.contains("262  <|user|>"), "{out}");
    let special = [
        "tokenizer",
        "inspect",
        "--tokenizer",
        "e",
        "--special",
        "--json",
        "--text",
        "<|user|>the",
    ];
    assert_eq!(json(&place.ok(&special))["tokens"][0]["id"], 262);
    let ids = place.ok(&[
        "tokenizer",
        "encode",
        "--tokenizer",
        "e",
        "--text",
        "<|user|>",
    ]);
    assert_ne!(ids.trim(), "262", "text never becomes a special token");
    place.refused(&extend, 1, &["--force"]);
    let again = [
        "tokenizer",
        "extend",
        "--tokenizer",
        "e",
        "--output-dir",
        "f",
        "--add",
        "<|user|>",
    ];
    place.refused(&again, 2, &["<|user|>"]);
}
