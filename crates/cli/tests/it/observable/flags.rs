//! Every flag of every command, by the rows of `flags.table`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Observatory, rows};
use crate::Place;
use crate::runs::{TINY, text};

/// Flags of all commands, checked once.
const GLOBAL: [&str; 3] = ["help", "quiet", "threads"];
/// How a row begins whose flag changes nothing that two runs leave; the name of the tests that see it follows.
const ELSEWHERE: &str = "elsewhere: ";

/// A flag of a command.
struct Row {
    command: Vec<String>,
    /// The flag and its value.
    flag: Vec<String>,
    /// What stands beside it in both runs; none for a flag that is tested elsewhere.
    beside: Option<Vec<String>>,
}

impl Row {
    /// The command and the flag's name.
    fn name(&self) -> (String, String) {
        (self.command.join(" "), self.flag[0][2..].to_owned())
    }
}

fn table() -> Vec<Row> {
    let tiny = TINY[1..].iter().map(|word| (*word).to_owned()).collect();
    let mut groups = BTreeMap::from([("$TINY".to_owned(), tiny)]);
    let mut table = Vec::new();
    for line in rows(include_str!("flags.table")) {
        if let Some((name, words_of_group)) =
            line.split_once(" = ").filter(|_| line.starts_with('$'))
        {
            groups.insert(name.to_owned(), words(words_of_group, &groups));
            continue;
        }
        let [command, flag, beside] = super::columns(line);
        table.push(Row {
            command: words(command, &groups),
            flag: words(flag, &groups),
            beside: (!beside.starts_with(ELSEWHERE)).then(|| words(beside, &groups)),
        });
    }
    table
}

/// The words of a part of a line: between spaces, or in quotes. A group stands for its words.
fn words(text: &str, groups: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        match groups.get(word) {
            Some(group) => words.extend(group.iter().cloned()),
            None => words.push(word.to_owned()),
        }
        rest = after.trim_start();
    }
    words
}

fn place() -> Place {
    let place = Place::new();
    place
        .write("text.txt", text(60))
        .write("other.txt", text(70).replace("cat", "bird"))
        .write("search.toml", crate::search::TINY)
        .write(
            "search-other.toml",
            crate::search::TINY.replace("[8, 16]", "[12]"),
        )
        .write("prompts.txt", "a dog\nThe cat\n")
        .write(
            "strings.txt",
            "\"One is a string.\"\n\"Two is a string.\"\n".repeat(30),
        )
        .write("sizes.toml", "[model]\nvocab_size = 100\n")
        .write("there.html", "old")
        .write("there.svg", "old")
        .write(
            "talk.json",
            r#"[{"role": "user", "content": "a dog"}, {"role": "assistant", "content": "sat"}]"#,
        )
        .write(
            "strings.toml",
            "[data]\nformat = \"jsonl\"\n[data.clean]\ntrim = true\n",
        )
        .write(
            "c.toml",
            "[data]\nvalidation = 0.4\n[train]\nseed = 9\n[generate]\nseed = 9\n",
        );
    // Any character, for chat templates.
    let bytes = "--set tokenizer.kind=bpe --set tokenizer.vocab_size=280 --set train.max_steps=300";
    let bytes: Vec<_> = bytes.split(' ').collect();
    place.train("run", &bytes);
    // A template and an answer take more than the context of the others.
    let longer = [
        "--set",
        "model.max_seq_len=256",
        "--set",
        "train.seq_len=16",
    ];
    place.train("talker", &[&bytes[..], &longer].concat());
    place.train(
        "deep",
        &[&bytes[..], &["--set", "model.n_layers=3"]].concat(),
    );
    place.train("other", &[&bytes[..], &["--data", "other.txt"]].concat());
    place
}

/// The long flags that `llm COMMAND --help` lists.
fn flags(place: &Place, command: &[&str]) -> BTreeSet<String> {
    let help = place.ok(&[command, &["--help"]].concat());
    let of_line = |line: &str| {
        let flag = line.trim_start();
        let flag = match flag.strip_prefix('-') {
            Some(short) if short.get(1..3) == Some(", ") => &short[3..],
            _ => flag,
        };
        let name = flag.strip_prefix("--")?;
        let end = name.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        Some(name[..end.unwrap_or(name.len())].to_owned())
    };
    help.lines().filter_map(of_line).collect()
}

/// Every command, asked of the program itself.
fn commands(place: &Place) -> Vec<String> {
    let below = |command: &[&str]| -> Vec<String> {
        let help = place.ok(&[command, &["--help"]].concat());
        help.lines()
            .skip_while(|line| !line.starts_with("Commands:"))
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(|name| [command, &[name]].concat().join(" "))
            .collect()
    };
    let tops = below(&[]);
    assert!(tops.len() > 8, "{tops:?}");
    tops.into_iter()
        .flat_map(|top| match below(&[&top])[..] {
            [] => vec![top],
            // A command with others below it can have flags of its own.
            ref inner => [&[top], inner].concat(),
        })
        .collect()
}

#[test]
fn every_flag_has_a_row() {
    let place = Place::new();
    let mut there = BTreeSet::new();
    for command in commands(&place) {
        let words: Vec<_> = command.split(' ').collect();
        let flags = flags(&place, &words);
        assert!(flags.contains("help"), "{command}: {flags:?}");
        let own = flags.into_iter().filter(|flag| !GLOBAL.contains(&&**flag));
        there.extend(own.map(|flag| (command.clone(), flag)));
    }
    let rows: BTreeSet<_> = table().iter().map(Row::name).collect();
    let missing: Vec<_> = there.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&there).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a row: {missing:?}, without a flag: {unknown:?}"
    );
}

#[test]
fn every_flag_changes_something() {
    let here = Observatory::new(place());
    let fault = |row: &Row| {
        let beside = row.beside.as_ref()?;
        let without: Vec<_> = row.command.iter().chain(beside).map(|w| &**w).collect();
        let flag = row.flag.iter().map(|word| &**word);
        let with: Vec<_> = without.iter().copied().chain(flag).collect();
        here.fault(&row.name().1, &without, &with)
    };
    let faults: Vec<_> = table().iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn less_talk_and_other_threads_change_no_result() {
    let place = place();
    let generate = ["generate", "--model", "run", "--prompt", "The"];
    let more = |more: &[&str]| place.run(&[&generate[..], more].concat());
    let plain = more(&[]);
    let quiet = more(&["--quiet"]);
    assert_eq!(plain.stdout, quiet.stdout);
    assert_eq!(quiet.stderr, "");
    assert_eq!(plain.stdout, more(&["--threads", "1"]).stdout);
    for n in ["0", "-1", "nan", "1e9", "99999999999999999999"] {
        place.refused(
            &[&generate[..], &["--threads", n]].concat(),
            2,
            &["--threads"],
        );
    }
}
