//! No key and no flag is inert: changing it changes something that can be observed.
//!
//! Each row of a table names a key or a flag, what it needs beside it, and another value. The program runs with and without the change, and
//! what it leaves must differ: its exit code, its stdout, or a file other than the saved configuration, the log and the model card, which
//! repeat the settings. A test holds the tables against the list of all keys and flags, so a new one without a row fails.

mod flags;
mod keys;
mod numbers;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::{Ended, Place};

/// Files that repeat the settings, or hold times in a form that is not taken apart here: `metrics.jsonl` has the same records.
const REPEATS: [&str; 8] = [
    "search_results.json",
    "study.jsonl",
    "report.html",
    "config.toml",
    "log.txt",
    "README.md",
    "metrics.csv",
    ".lock",
];
/// Fields that differ from run to run.
const TIMES: [&str; 8] = [
    "seconds",
    "tokens_per_s",
    "rss_bytes",
    "rss_mb",
    "flops_per_s",
    "mfu",
    "time",
    "model_flop_utilisation",
];

/// The lines of a table, without comments and empty ones.
fn rows(table: &str) -> impl Iterator<Item = &str> {
    let lines = table.lines().map(str::trim_end);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The three columns of a row; the last may be empty.
fn columns(row: &str) -> [&str; 3] {
    let (row, end) = match row.strip_suffix(" |") {
        Some(row) => (row, Some("")),
        None => (row, None),
    };
    let mut columns = row.splitn(3, " | ").chain(end);
    [(); 3].map(|()| {
        columns
            .next()
            .unwrap_or_else(|| panic!("three columns: {row}"))
    })
}

/// The dotted key and the value of every line of `configs/default.toml`, which has all keys: a test of its own holds it to that.
fn default_keys() -> Vec<(String, &'static str)> {
    let mut table = "";
    let mut keys = Vec::new();
    for line in include_str!("../../../../../configs/default.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            table = name;
        } else if let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ")
            && key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            keys.push((format!("{table}.{key}"), value));
        }
    }
    keys
}

/// What a run of the program leaves.
#[derive(Debug, PartialEq)]
struct Observed {
    code: i32,
    stdout: String,
    /// Those whose paths begin with `out`.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Observed {
    fn new(ended: Ended, folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in walk(folder) {
            let name = entry.strip_prefix(folder).unwrap().to_owned();
            if !name.to_string_lossy().starts_with("out") {
                continue;
            }
            let file = entry.file_name().unwrap().to_string_lossy().into_owned();
            if REPEATS.contains(&&*file) || file.starts_with("events.out.tfevents") {
                continue;
            }
            let mut bytes = std::fs::read(&entry).unwrap();
            if file.ends_with(".jsonl") {
                bytes = without_times(&bytes);
            }
            files.insert(name, bytes);
        }
        Self {
            code: ended.code,
            stdout: ended.stdout,
            files,
        }
    }
}

/// All files below `folder`; the folder may be a file itself, or not be there.
fn walk(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .flat_map(|entry| walk(&entry.unwrap().path()))
        .collect()
}

fn without_times(lines: &[u8]) -> Vec<u8> {
    let lines = String::from_utf8_lossy(lines).into_owned();
    let records = lines.lines().map(|line| {
        let Ok(Value::Object(mut record)) = serde_json::from_str(line) else {
            return line.to_owned();
        };
        TIMES.iter().for_each(|field| {
            record.remove(*field);
        });
        Value::Object(record).to_string()
    });
    records.collect::<Vec<_>>().join("\n").into_bytes()
}

/// Runs the program on some files, and remembers what each command line left.
struct Observatory {
    place: Place,
    seen: RefCell<HashMap<Vec<String>, Rc<Observed>>>,
}

impl Observatory {
    fn new(place: Place) -> Self {
        Self {
            place,
            seen: RefCell::default(),
        }
    }

    /// Runs the program in a copy of the files, so that runs do not see each other; what it writes goes to `out…`.
    fn observe(&self, arguments: &[&str]) -> Rc<Observed> {
        let key: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        if let Some(seen) = self.seen.borrow().get(&key) {
            return Rc::clone(seen);
        }
        let alone = Place::new();
        copy(self.place.path(), alone.path());
        let ended = alone.run(arguments);
        let (code, stderr) = (ended.code, &ended.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(
            code == 0 || last.starts_with("error: "),
            "{arguments:?}: code {code}: {stderr}"
        );
        let observed = Rc::new(Observed::new(ended, alone.path()));
        self.seen.borrow_mut().insert(key, Rc::clone(&observed));
        observed
    }

    /// What is wrong, unless the two command lines leave different things and at least one of them ends well.
    fn fault(&self, what: &str, one: &[&str], other: &[&str]) -> Option<String> {
        let observed = [one, other].map(|arguments| self.observe(arguments));
        if observed.iter().all(|observed| observed.code != 0) {
            return Some(format!("{what}: neither ends well: {one:?} {other:?}"));
        }
        (observed[0] == observed[1]).then(|| {
            let stdout = &observed[0].stdout;
            format!("{what} changes nothing: {one:?} {other:?}\n{stdout}")
        })
    }
}

fn copy(from: &Path, to: &Path) {
    for file in walk(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&file, copy).unwrap();
    }
}
