//! What makes training comfortable: the range test, optimizers, averages, documents kept apart, evaluation alone.

use crate::{Place, json};

/// Forty short documents.
fn place() -> Place {
    let place = Place::new();
    let line = |i: u32| {
        format!(
            "{{\"text\": \"{} {} and so on\"}}\n",
            i * 37 % 100,
            i * i % 50
        )
    };
    place.write("a.jsonl", (0..40).map(line).collect::<String>());
    place
}

const TRAIN: [&str; 19] = [
    "train",
    "--data",
    "a.jsonl",
    "--max-steps",
    "4",
    "--set",
    "tokenizer.kind=character",
    "--set",
    "model.d_model=16",
    "--set",
    "model.n_layers=1",
    "--set",
    "model.n_heads=2",
    "--set",
    "model.max_seq_len=24",
    "--set",
    "train.batch_size=2",
    "--set",
    "train.max_minutes=",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [
        &TRAIN[..],
        &[
            "--set",
            "optimizer.kind=adamw",
            "--set",
            "optimizer.muon_learning_rate=",
        ],
        more,
    ]
    .concat()
}

#[test]
fn the_range_test_suggests_a_rate_and_writes_nothing() {
    let place = place();
    let test = with(&["--find-lr", "--find-lr-steps", "30"]);
    let text = place.ok(&test);
    assert!(text.contains("optimizer.learning_rate="), "{text}");
    let found = json(&place.ok(&[&test[..], &["--json"]].concat()));
    assert_eq!(found["points"].as_array().unwrap().len(), 30);
    let entries: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(!entries.contains(&"runs".into()), "{entries:?}");
    for (arguments, part) in [
        (&["--find-lr-from", "1"][..], "--find-lr"),
        (&["--find-lr", "--find-lr-from", "0"], "--find-lr-from"),
        (&["--find-lr", "--find-lr-to", "1e-9"], "--find-lr-to"),
        (&["--find-lr", "--find-lr-steps", "1"], "--find-lr-steps"),
        (&["--find-lr", "--output-dir", "r"], "--output-dir"),
        (&["--json"], "--find-lr"),
    ] {
        place.refused(&with(arguments), 2, &[part]);
    }
}

#[test]
fn every_new_key_changes_the_model() {
    let place = place();
    let mut weights = Vec::new();
    for (name, set) in [
        ("plain", &[][..]),
        (
            "sgd",
            &[
                "optimizer.kind=sgd",
                "optimizer.betas=",
                "optimizer.nesterov=true",
            ],
        ),
        ("lion", &["optimizer.kind=lion"]),
        ("smooth", &["train.label_smoothing=0.1"]),
        ("z", &["train.z_loss=0.01"]),
        ("ema", &["train.ema=0.9"]),
        (
            "noam",
            &["schedule.kind=noam", "schedule.min_learning_rate="],
        ),
        ("apart", &["data.respect_documents=true"]),
        ("dropout", &["model.dropout=0.3"]),
    ] {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        place.ok(&with(&[&["--output-dir", name][..], &set].concat()));
        let path = place.path().join(name).join("model/model.safetensors");
        weights.push((name, std::fs::read(path).unwrap()));
    }
    for (i, (a, of_a)) in weights.iter().enumerate() {
        for (b, of_b) in &weights[..i] {
            assert!(of_a != of_b, "{a} and {b} are the same");
        }
    }
    for (set, part) in [
        ("optimizer.momentum=0.9", "optimizer.momentum"),
        ("train.ema=1", "train.ema"),
        ("train.label_smoothing=-0.1", "train.label_smoothing"),
        ("train.z_loss=-1", "train.z_loss"),
        ("train.skip_spikes=0", "train.skip_spikes"),
    ] {
        place.refused(&with(&["--set", set]), 2, &[part]);
    }
}

#[test]
fn a_model_grows_with_its_tokenizer() {
    let place = place();
    place.ok(&with(&["--output-dir", "r"]));
    let extend = ["tokenizer", "extend", "--tokenizer", "r/model", "--special"];
    place.ok(&[
        &extend[..],
        &["--add", "<|user|>", "--add", "<|bot|>", "--output-dir", "e"],
    ]
    .concat());
    let begin = [
        "train",
        "--init-from",
        "r",
        "--data",
        "a.jsonl",
        "--max-steps",
        "1",
        "--output-dir",
    ];
    let extended = ["--set", "tokenizer.kind=file", "--set", "tokenizer.path=e"];
    place.ok(&[&begin[..], &["g"], &extended].concat());
    let size =
        |run: &str| json(&place.read(&format!("{run}/model/config.json")))["vocab_size"].clone();
    let old = size("r").as_u64().unwrap();
    assert_eq!(size("g").as_u64().unwrap(), old + 2);
    let id = place.ok(&[
        "tokenizer",
        "inspect",
        "--tokenizer",
        "g/model",
        "--special",
        "--json",
        "--text",
        "<|bot|>",
    ]);
    assert_eq!(json(&id)["tokens"][0]["id"].as_u64().unwrap(), old + 1);
    place.ok(&["train", "--resume", "g", "--max-steps", "2"]);
    // A tokenizer of its own making is none that extends the model's.
    place.ok(&[
        "tokenizer",
        "train",
        "--kind",
        "character",
        "--data",
        "a.jsonl",
        "--output-dir",
        "o",
    ]);
    let other = [
        "--set",
        "tokenizer.kind=file",
        "--set",
        "tokenizer.path=o/tokenizer.json",
    ];
    place.ok(&[&begin[..], &["same"], &other].concat());
    place.write("b.txt", "zyxwv");
    place.ok(&[
        "tokenizer",
        "train",
        "--kind",
        "character",
        "--data",
        "b.txt",
        "--output-dir",
        "p",
    ]);
    let other = ["--set", "tokenizer.kind=file", "--set", "tokenizer.path=p"];
    place.refused(
        &[&begin[..], &["no"], &other].concat(),
        2,
        &["tokenizer.path", "extend"],
    );
}

#[test]
fn tokens_prepared_ahead_are_those_that_training_takes() {
    let place = place();
    let made = json(&place.ok(&["data", "prepare", "--data", "a.jsonl", "--json"]));
    let folder = made["folder"].as_str().unwrap();
    place.ok(&[
        "train",
        "--data",
        "a.jsonl",
        "--max-steps",
        "1",
        "--output-dir",
        "r",
        "--set",
        "model.d_model=16",
        "--set",
        "model.n_layers=1",
        "--set",
        "model.max_seq_len=16",
    ]);
    let tokens = json(&place.read("r/origin.json"))["tokens"].clone();
    assert!(
        folder.ends_with(tokens.as_str().unwrap()),
        "{folder} and {tokens}"
    );
}

#[test]
fn a_suggestion_for_muon_has_both_rates() {
    let place = place();
    let text = place.ok(&[&TRAIN[..], &["--find-lr", "--find-lr-steps", "20"]].concat());
    assert!(text.contains("optimizer.muon_learning_rate="), "{text}");
}

#[test]
fn a_text_from_stdin_is_asked_for_again() {
    let place = place();
    let text = place.read("a.jsonl");
    let train = [
        "train",
        "--data",
        "-",
        "--max-steps",
        "1",
        "--output-dir",
        "r",
        "--set",
        "data.format=jsonl",
        "--set",
        "tokenizer.kind=character",
        "--set",
        "model.max_seq_len=16",
    ];
    assert_eq!(place.run_with(&train, text.as_str()).code, 0);
    place.refused(&["train", "--resume", "r"], 1, &["standard input", "again"]);
    let resume = ["train", "--resume", "r", "--max-steps", "2"];
    assert_eq!(place.run_with(&resume, text.as_str()).code, 0);
}

#[test]
fn steps_left_out_are_told() {
    let place = place();
    let set = ["--output-dir", "r", "--set", "train.skip_spikes=6"];
    let ended = place.run(&with(&set));
    assert!(
        ended.stderr.contains("0 steps left out"),
        "{}",
        ended.stderr
    );
    assert!(
        place
            .read("r/metrics.jsonl")
            .contains("\"skipped_steps\":0")
    );
}

#[test]
fn a_run_is_evaluated_on_its_own_validation_part() {
    let place = place();
    let run = with(&["--output-dir", "r", "--set", "data.respect_documents=true"]);
    let trained = place.ok(&run);
    let eval = ["eval", "perplexity", "--model", "r"];
    let report = json(&place.ok(&[&eval[..], &["--json"]].concat()));
    let loss = report["loss"].as_f64().unwrap();
    assert!(
        trained.contains(&format!("{loss:.4}")),
        "{loss} not in {trained}"
    );
    assert_eq!(report["protocol"]["documents_apart"], true);
    // More to predict from, and the first token too.
    let more = ["--stride", "6", "--bos", "--json"];
    let report = json(&place.ok(&[&eval[..], &more].concat()));
    assert_eq!(report["protocol"]["stride"], 6);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let protocol = &report["protocol"];
    let nats = number(&report["loss"]) * number(&protocol["tokens"]);
    let per_word = (nats / number(&protocol["words"])).exp();
    assert!((number(&report["word_perplexity"]) / per_word - 1.0).abs() < 1e-9);
    // The text of others has other keys.
    place.write(
        "b.jsonl",
        place.read("a.jsonl").replace("\"text\"", "\"body\""),
    );
    let other = ["--data", "b.jsonl", "--set", "data.text_field=body"];
    place.ok(&[&eval[..], &other].concat());
    place.refused(&[&eval[..], &["--stride", "0"]].concat(), 2, &["--stride"]);
    place.refused(&[&eval[..], &["--stride", "25"]].concat(), 2, &["--stride"]);
    place.refused(
        &["eval", "perplexity", "--model", "r/model"],
        2,
        &["--data"],
    );
}
