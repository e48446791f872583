//! The files of records that a run leaves, and `llm runs`, which reads them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::runs::names;
use crate::{Place, json};

/// Steps of the runs here, with evaluations and samples on the way.
const MORE: &[&str] = &[
    "--max-steps",
    "20",
    "--set",
    "train.eval_every=10",
    "--set",
    "train.checkpoint_every=10",
    "--set",
    "train.sample_every=10",
    "--set",
    "train.sample_tokens=8",
];

impl Place {
    /// A place with the runs `runs/a` and `runs/b`, which differ in one setting.
    fn with_runs() -> Self {
        let place = Self::with_text();
        fs::create_dir(place.path().join("runs")).unwrap();
        place.train("runs/a", MORE);
        let other = [MORE, &["--set", "optimizer.learning_rate=0.002"]].concat();
        place.train("runs/b", &other);
        place
    }
}

/// The scalars of an event file as TensorBoard's format has them: lengths and checksums are checked, the fields are searched for.
fn events(bytes: &[u8]) -> Vec<Vec<u8>> {
    let masked = |crc: u32| crc.rotate_right(15).wrapping_add(0xa282_ead8);
    let (mut at, mut events) = (0, Vec::new());
    while at < bytes.len() {
        let length: [u8; 8] = bytes[at..at + 8].try_into().unwrap();
        let data = at + 12..at + 12 + usize::try_from(u64::from_le_bytes(length)).unwrap();
        let checksum = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
        assert_eq!(checksum(at + 8), masked(crc32c(&length)));
        assert_eq!(checksum(data.end), masked(crc32c(&bytes[data.clone()])));
        events.push(bytes[data.clone()].to_vec());
        at = data.end + 4;
    }
    events
}

/// Bit by bit, as the polynomial says it.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn a_run_leaves_its_records_in_every_format() {
    let place = Place::with_text();
    place.train("run", MORE);
    let records = place.metrics("run");
    assert_eq!(records.len(), 22);
    for record in place.records("run", "train") {
        for field in ["flops_per_s", "utilisation", "time", "epoch"] {
            assert!(record[field].as_f64().unwrap() > 0.0, "{field}: {record}");
        }
        // Both are measured over the same time.
        let per_token =
            record["flops_per_s"].as_f64().unwrap() / record["tokens_per_s"].as_f64().unwrap();
        // One block: 12 d² weights and the head, tied; causal attention over 16 tokens.
        let tokens = {
            let config = place.read("run/model/config.json");
            json(&config)["vocab_size"].as_f64().unwrap()
        };
        let expected = 6.0 * (12.0 * 256.0 + tokens * 16.0) + 6.0 * 16.0 * 17.0;
        assert!(
            (per_token / expected - 1.0).abs() < 1e-6,
            "{per_token} {expected}"
        );
    }

    let table = place.read("run/metrics.csv");
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    for (line, record) in lines.zip(&records) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), head.len());
        for (name, cell) in head.iter().zip(cells) {
            let expected = match &record[*name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            assert_eq!(cell, expected, "{name}");
        }
    }
    assert_eq!(table.lines().count(), 23);

    let events = events(&place.bytes("run/tensorboard/events.out.tfevents.0.llm"));
    assert_eq!(events.len(), 23);
    let has = |event: &[u8], tag: &str| event.windows(tag.len()).any(|part| part == tag.as_bytes());
    assert!(has(&events[0], "brain.Event:2"));
    assert!(has(&events[1], "loss/train") && has(&events[1], "speed/tokens_per_s"));
    assert!(has(&events[11], "loss/validation") && !has(&events[11], "loss/train"));

    let samples = place.read("run/samples.jsonl");
    let steps: Vec<u64> = samples
        .lines()
        .map(|line| json(line)["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [10, 20]);
}

#[test]
fn resuming_leaves_every_file_as_if_it_never_stopped() {
    let place = Place::with_text();
    place.train("whole", MORE);
    place.train("stopped", MORE);
    // A crash behind the checkpoint of step 10: later records are there, the last cut short, and one file has been lost.
    for name in ["metrics.jsonl", "tensorboard/events.out.tfevents.0.llm"] {
        let path = place.path().join("stopped").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        fs::write(&path, bytes).unwrap();
    }
    fs::remove_file(place.path().join("stopped/metrics.csv")).unwrap();
    for entry in ["checkpoints/step-20", "model"] {
        fs::remove_dir_all(place.path().join("stopped").join(entry)).unwrap();
    }
    place.ok(&["train", "--resume", "stopped"]);
    place.assert_same_runs("whole", "stopped");
    assert_eq!(
        place.bytes("whole/samples.jsonl"),
        place.bytes("stopped/samples.jsonl")
    );
    let csv = place.read("stopped/metrics.csv");
    let steps = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap());
    let records = place.metrics("stopped");
    let expected: Vec<String> = records
        .iter()
        .map(|record| record["step"].to_string())
        .collect();
    assert_eq!(steps.collect::<Vec<_>>(), expected);
    let bytes = place.bytes("stopped/tensorboard/events.out.tfevents.0.llm");
    assert_eq!(events(&bytes).len(), records.len() + 1);
}

#[test]
fn list_show_and_compare_say_what_the_records_say() {
    let place = Place::with_runs();
    let last = place.records("runs/a", "validation").pop().unwrap();
    let loss = format!("{:.4}", last["loss"].as_f64().unwrap());

    let list = place.ok(&["runs", "list"]);
    assert_eq!(list.lines().count(), 3, "{list}");
    for words in ["run", "finished", "20/20", &loss, "gpt2"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    let list = json(&place.ok(&["runs", "list", "runs", "--json"]));
    let names: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["name"])
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(list[0]["validation_loss"], last["loss"]);
    assert_eq!(list[0]["state"], "finished");

    let show = place.ok(&["runs", "show", "a"]);
    for words in [
        &loss,
        "train.max_steps",
        "sample at step 20",
        "training",
        "validation",
    ] {
        assert!(show.contains(words), "{words}: {show}");
    }
    let show = json(&place.ok(&["runs", "show", "runs/a", "--json"]));
    assert_eq!(show["settings"]["train"]["max_steps"], 20);
    assert_eq!(show["samples"].as_array().unwrap().len(), 2);

    let compare = place.ok(&["runs", "compare", "a", "b"]);
    assert!(compare.contains("optimizer.learning_rate"), "{compare}");
    assert!(!compare.contains("train.max_steps"), "{compare}");
    let compare = json(&place.ok(&["runs", "compare", "a", "b", "--json"]));
    let settings = compare["settings"].as_object().unwrap();
    // The smallest rate follows from the largest only where it is not set.
    assert_eq!(
        settings["optimizer.learning_rate"],
        serde_json::json!([0.006, 0.002])
    );
    assert_eq!(settings.len(), 1, "{settings:?}");
    let same = place.ok(&["runs", "compare", "a", "a"]);
    assert!(same.contains("all settings are the same"), "{same}");
}

#[test]
fn plots_are_drawn_in_every_format() {
    let place = Place::with_runs();
    let plot = |more: &[&str]| place.ok(&[&["runs", "plot", "a", "b"], more].concat());
    let drawn = plot(&[]);
    assert!(
        drawn.contains("a, training") && drawn.contains("b, validation"),
        "{drawn}"
    );
    assert!(!drawn.contains('\x1b'), "no terminal, no colours");

    let points = json(&plot(&[
        "--json",
        "--metric",
        "grad_norm",
        "--against",
        "tokens",
        "--smooth",
        "1",
    ]));
    let records = place.records("runs/b", "train");
    let expected: Vec<Value> = records
        .iter()
        .map(|record| serde_json::json!([record["tokens"].as_f64(), record["grad_norm"]]))
        .collect();
    assert_eq!(points[0]["curves"][1]["run"], "b");
    assert_eq!(points[0]["curves"][1]["points"], Value::Array(expected));
    let smooth = json(&plot(&["--json", "--smooth", "5"]));
    assert_ne!(
        smooth[0]["curves"][0]["points"],
        json(&plot(&["--json", "--smooth", "1"]))[0]["curves"][0]["points"]
    );

    for (name, begins) in [
        ("p.svg", &b"<svg"[..]),
        ("p.png", b"\x89PNG"),
        ("p.html", b"<!doctype html>"),
    ] {
        plot(&["--metric", "loss,tokens_per_s", "--log", "--output", name]);
        assert!(place.bytes(name).starts_with(begins), "{name}");
        place.refused(
            &["runs", "plot", "a", "--output", name],
            1,
            &[name, "exists", "--force"],
        );
        place.ok(&["runs", "plot", "a", "--output", name, "--force"]);
    }
    assert!(place.read("p.svg").contains("loss, nats a token"));
    place.refused(
        &["runs", "plot", "a", "--output", "p.pdf"],
        2,
        &["p.pdf", ".svg", ".png"],
    );
    place.refused(
        &["runs", "plot", "a", "--metric", "los"],
        2,
        &["los", "loss", "grad_norm"],
    );
    place.refused(&["runs", "plot", "a", "--smooth", "0"], 2, &["--smooth"]);
    place.refused(
        &["runs", "plot", "c"],
        1,
        &["c", "no such run", "runs list"],
    );
    place.refused(&["runs", "plot", "text.txt"], 1, &["text.txt", "is a file"]);
}

#[test]
fn the_page_stands_alone_and_says_everything() {
    let place = Place::with_runs();
    place.ok(&["runs", "show", "a", "--html", "a.html"]);
    let page = place.read("a.html");
    for words in [
        "<svg",
        "validation loss",
        "train.max_steps",
        "Samples over time",
        "step 20",
    ] {
        assert!(page.contains(words), "{words}");
    }
    place.ok(&["runs", "compare", "a", "b", "--html", "both.html"]);
    let both = place.read("both.html");
    for words in [
        "Settings that differ",
        "optimizer.learning_rate",
        "0.002",
        "step 20, b",
    ] {
        assert!(both.contains(words), "{words}");
    }
    for page in [page, both] {
        for word in ["<script", "src=", "<link", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
        let addresses =
            page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(addresses, 0);
    }
    place.refused(
        &["runs", "show", "a", "--html", "a.html"],
        1,
        &["a.html", "exists"],
    );
    place.ok(&["runs", "show", "a", "--html", "a.html", "--force"]);
    place.refused(
        &["runs", "show", "a", "--html", "a.png"],
        2,
        &["a.png", ".html"],
    );
    place.refused(&["runs", "show", "a", "--force"], 2, &["--html"]);
    place.refused(&["runs", "compare", "a"], 2, &["RUN"]);
}

#[test]
fn only_runs_that_nobody_uses_are_removed_and_only_when_it_is_meant() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "3"]);
    place.write("run/notes.md", "mine");
    fs::create_dir(place.path().join("other")).unwrap();
    place.write("other/config.toml", "mine = 1");
    place.refused(&["runs", "rm", "run"], 2, &["--yes"]);
    place.refused(
        &["runs", "rm", "run", "other", "--yes"],
        1,
        &["other", "not a run"],
    );
    place.refused(
        &["runs", "rm", "text.txt", "--yes"],
        1,
        &["text.txt", "is a file"],
    );
    place.refused(
        &["runs", "rm", "none", "--yes"],
        1,
        &["none", "no such run"],
    );
    assert!(place.path().join("run/model/model.safetensors").exists());

    let mut running = place.start(
        "busy",
        &[
            "--max-steps",
            "1000000",
            "--set",
            "train.checkpoint_every=0",
        ],
    );
    let metrics = place.path().join("busy/metrics.jsonl");
    assert!(running.wait_until(|| fs::metadata(&metrics).is_ok_and(|file| file.len() > 0)));
    place.refused(
        &["runs", "rm", "run", "busy", "--yes"],
        1,
        &["busy", "in use"],
    );
    let list = json(&place.ok(&["runs", "list", ".", "--json"]));
    let state = |name: &str| {
        let runs = list.as_array().unwrap();
        runs.iter().find(|run| run["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!(
        (state("busy"), state("run")),
        ("running".into(), "finished".into())
    );
    running.kill();
    let list = json(&place.ok(&["runs", "list", ".", "--json"]));
    assert_eq!(list[0]["state"], "broken", "{list}");

    let ended = place.run(&["runs", "rm", "run", "busy", "--yes"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("removed run, "), "{}", ended.stdout);
    assert!(ended.stderr.contains("notes.md"), "{}", ended.stderr);
    assert_eq!(names(&place.path().join("run")), ["notes.md"]);
    assert!(!place.path().join("busy").exists());
    assert!(place.path().join("other/config.toml").exists());
}

#[test]
fn damaged_runs_are_named_and_the_others_listed() {
    let place = Place::with_runs();
    place.write("runs/b/config.toml", "[train]\nmax_stepz = 3\n");
    let ended = place.run(&["runs", "list"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("finished"), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("runs/b/config.toml") && ended.stderr.contains("max_steps"),
        "{}",
        ended.stderr
    );
    place.refused(
        &["runs", "show", "b"],
        1,
        &["runs/b/config.toml", "max_stepz"],
    );
    // Records of other versions have fewer fields; a line that is none is left out.
    let lines = r#"{"step":1,"split":"train","loss":2.5,"tokens":32,"epoch":0.1,"rss_bytes":null,"seconds":1.0}"#;
    place.write(
        "runs/a/metrics.jsonl",
        format!("{lines}\nnot a record\n\u{fffd}"),
    );
    let show = json(&place.ok(&["runs", "show", "a", "--json"]));
    assert_eq!(show["training_loss"], 2.5);
    assert_eq!(show["utilisation"], Value::Null);
    place.ok(&["runs", "show", "a", "--html", "a.html"]);
    place.ok(&["runs", "plot", "a"]);
    place.refused(
        &["runs", "plot", "a", "--metric", "utilisation"],
        1,
        &["a", "no records"],
    );
    fs::remove_file(place.path().join("runs/a/metrics.jsonl")).unwrap();
    place.ok(&["runs", "show", "a"]);
    place.refused(&["runs", "list", "nowhere"], 1, &["nowhere"]);
    assert!(!Path::new(&place.path().join("nowhere")).exists());
}

#[test]
fn the_live_view_needs_a_terminal() {
    let place = Place::with_text();
    place.refused(
        &crate::runs::tiny("run", &["--tui"]),
        2,
        &["--tui", "terminal"],
    );
    place.refused(
        &crate::runs::tiny("run", &["--tui", "--quiet"]),
        2,
        &["--tui", "--quiet"],
    );
    assert!(!place.path().join("run").exists());
}
