//! Every key of the configuration, by the rows of `keys.table`.

use std::collections::BTreeSet;

use super::{Observatory, columns, default_keys, rows};
use crate::Place;
use crate::runs::{TINY, text};

/// A key, and what it is changed to.
struct Row {
    key: &'static str,
    value: &'static str,
    /// Settings that it needs to mean something, in both runs.
    needs: Vec<&'static str>,
}

/// The rows of the part of the table that is called so; all without a name.
fn table(part: Option<&str>) -> Vec<Row> {
    let mut name = "";
    let mut table = Vec::new();
    for line in rows(include_str!("keys.table")) {
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name = heading;
        } else if part.is_none_or(|part| part == name) {
            let [key, value, needs] = columns(line);
            let needs = needs.split_whitespace().collect();
            table.push(Row { key, value, needs });
        }
    }
    assert!(!table.is_empty(), "no part {part:?}");
    table
}

#[test]
fn every_key_has_a_row() {
    let rows: BTreeSet<String> = table(None).iter().map(|row| row.key.to_owned()).collect();
    let keys: BTreeSet<String> = default_keys().into_iter().map(|(key, _)| key).collect();
    assert!(keys.len() > 90, "{keys:?}");
    let missing: Vec<_> = keys.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&keys).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a row: {missing:?}, without a key: {unknown:?}"
    );
}

/// A place with texts for whatever a row asks for.
fn place() -> Place {
    let place = Place::new();
    place
        .write("text.txt", text(60))
        .write("other.txt", text(80).to_uppercase())
        .write("lines.jsonl", lines(false))
        .write("broken.jsonl", lines(true))
        .write(
            "strings.txt",
            "\"One is a string.\"\n\"Two is a string.\"\n".repeat(30),
        )
        .write(
            "latin.txt",
            b"Caf\xe9 na\xefve \xfcber gro\xdf. ".repeat(40),
        )
        .write(
            "parted.txt",
            "First of all.\n--\nThen the second.\n--\n".repeat(20),
        );
    place
}

fn lines(broken: bool) -> String {
    let line = |i: usize| match i {
        7 if broken => "{\"text\": \n".to_owned(),
        _ => format!("{{\"text\": \"Line {i} has a text.\", \"body\": \"Body of {i}, other.\"}}\n"),
    };
    (0..40).map(line).collect()
}

fn with<'a>(start: &[&'a str], settings: &[&'a str]) -> Vec<&'a str> {
    let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
    start.iter().copied().chain(settings).collect()
}

/// Fails unless every row changes something; `start` is the command line that a row adds to.
#[track_caller]
fn check<'a>(here: &Observatory, rows: &[Row], start: impl Fn(&Row) -> Vec<&'a str>) {
    let fault = |row: &Row| {
        let one = with(&start(row), &row.needs);
        let changed = format!("{}={}", row.key, row.value);
        let other = with(&one, &[&changed]);
        here.fault(row.key, &one, &other)
    };
    let faults: Vec<_> = rows.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_key_of_the_model_changes_the_run() {
    check_runs("model");
}

#[test]
fn every_key_of_the_text_changes_the_run() {
    check_runs("text");
}

#[test]
fn every_key_of_the_steps_changes_the_run() {
    check_runs("steps");
}

#[test]
fn every_key_of_the_optimizer_changes_the_run() {
    check_runs("optimizer");
}

/// Trains a tiny model for a few steps by every row of a part.
fn check_runs(part: &str) {
    let place = place();
    for (folder, data) in [("one", "text.txt"), ("two", "other.txt")] {
        place.ok(&[
            "tokenizer",
            "train",
            "--kind",
            "character",
            "--data",
            "text.txt",
            data,
            "--output-dir",
            folder,
        ]);
    }
    let here = Observatory::new(place);
    let start = [TINY, &["--output-dir", "out", "--set", "train.max_steps=4"]].concat();
    check(&here, &table(Some(part)), |row| {
        let names_its_data = row
            .needs
            .iter()
            .any(|need| need.starts_with("data.sources"));
        let data: &[&str] = if names_its_data {
            &[]
        } else {
            &["data.sources=[\"text.txt\"]"]
        };
        with(&start, data)
    });
}

/// Documents of which each has something that one of the rows removes.
fn dirty() -> String {
    let words =
        |from: usize, to: usize| (from..to).map(|i| format!("word{i} ")).collect::<String>();
    let mut documents = vec![
        "The \u{fb01}rst document has a ligature, and a zero\u{200b}width space.".to_owned(),
        "Licence\n*** START\nThe text of a book that stands between two lines.\n*** END\nMore licence".to_owned(),
        "Two  spaces   here, \n\n\n\n\nblank lines above, and white space at the end.   ".to_owned(),
        "a\nThis line is a good deal longer than any of the other lines that stand in this text, so that it is cut.\n=== --- === --- ===".to_owned(),
        "Tiny.".to_owned(),
        "a b c d e f g h i j k l m n o p".to_owned(),
        "Incomprehensibilities notwithstanding counterrevolutionaries".to_owned(),
        "!!! ??? ... ;;; ::: --- +++ === ((( ))) word".to_owned(),
        "Всё это написано совсем другими буквами, чем остальное.".to_owned(),
        "Half of this is латинскими буквами, half is not.".to_owned(),
        "the same line\n".repeat(12),
        "One paragraph, twice.\n\nOne paragraph, twice.\n\nOne paragraph, twice.".to_owned(),
        "again and again and again and again and again and again and again".to_owned(),
        "An exact duplicate of the one below.".to_owned(),
        "An exact duplicate of the one below.".to_owned(),
        words(0, 60),
        words(0, 58) + "then it ends otherwise",
        words(20, 70),
    ];
    // Pairs of many similarities, most of them about 0.93, for the settings of the search for duplicates.
    let far = (70..94).step_by(4);
    let near = (0..60).flat_map(|_| 96..99);
    for (pair, same) in far.chain(near).enumerate() {
        let own =
            |side: &str| -> String { (same..100).map(|i| format!("{side}{pair}x{i} ")).collect() };
        let common: String = (0..same).map(|i| format!("p{pair}x{i} ")).collect();
        documents.extend(["left", "right"].map(|side| format!("{common}{}", own(side))));
    }
    documents
        .iter()
        .map(|text| serde_json::json!({ "text": text }).to_string() + "\n")
        .collect()
}

#[test]
fn every_key_of_cleaning_changes_what_is_read() {
    let place = Place::new();
    place.write("dirty.jsonl", dirty());
    let here = Observatory::new(place);
    let start = ["data", "stats", "--data", "dirty.jsonl", "--json"];
    check(&here, &table(Some("read")), |_| start.to_vec());
}

#[test]
fn every_key_of_generation_changes_the_text() {
    let place = place();
    place.train("run", &["--set", "train.max_steps=30"]);
    let here = Observatory::new(place);
    let start = [
        "generate",
        "--model",
        "run",
        "--prompt",
        "The cat",
        "--set",
        "generate.max_new_tokens=30",
        "--json",
    ];
    check(&here, &table(Some("generate")), |_| start.to_vec());
}
