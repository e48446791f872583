//! `llm train`: what a run writes, when it stops, and that it can be done again.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::runs::{TINY, names, text, tiny};
use crate::{Place, json};

/// The weights of a finished run.
fn weights(run: &str) -> String {
    format!("{run}/model/model.safetensors")
}

#[test]
fn a_run_leaves_its_settings_records_checkpoints_and_a_model() {
    let place = Place::with_text();
    let more = [
        "--max-steps",
        "20",
        "--set",
        "train.eval_every=10",
        "--set",
        "train.checkpoint_every=10",
        "--set",
        "train.sample_every=10",
    ];
    let stderr = place.train("run", &more);
    assert!(stderr.contains("finished after 20 steps"), "{stderr}");
    assert!(stderr.contains("step 20 writes: "), "{stderr}");

    let run = place.path().join("run");
    let wanted = [
        "checkpoints",
        "config.toml",
        "log.txt",
        "metrics.jsonl",
        "model",
    ];
    for name in wanted {
        assert!(run.join(name).exists(), "{name}");
    }
    assert_eq!(
        names(&run.join("checkpoints")),
        ["best", "step-10", "step-20"]
    );
    let model = [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names(&run.join("model")), model);
    assert_eq!(names(&run.join("checkpoints/best")), model);
    assert!(place.read("run/log.txt").contains("validation loss"));

    let (steps, evaluations) = (
        place.records("run", "train"),
        place.records("run", "validation"),
    );
    let step = |record: &Value| record["step"].as_u64().unwrap();
    assert_eq!(
        steps.iter().map(step).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
    assert_eq!(evaluations.iter().map(step).collect::<Vec<_>>(), [10, 20]);
    for record in &steps {
        for field in [
            "loss",
            "learning_rate",
            "grad_norm",
            "tokens_per_s",
            "rss_bytes",
        ] {
            let value = record[field].as_f64();
            assert!(value.is_some_and(|value| value > 0.0), "{field}: {record}");
        }
        assert_eq!(record["tokens"], step(record) * 2 * 16);
    }

    for model in ["run/model", "run", "run/checkpoints/step-10"] {
        let arguments = ["generate", "--model", model, "--prompt", "The"];
        assert!(place.ok(&arguments).starts_with("The"));
    }
}

#[test]
fn the_last_validation_loss_is_that_of_eval_perplexity() {
    let place = Place::with_text();
    place.write("other.txt", text(90).split_off(3000));
    place.train(
        "run",
        &[
            "--max-steps",
            "30",
            "--set",
            "data.validation_sources=[\"other.txt\"]",
        ],
    );
    let trained = place.records("run", "validation").pop().unwrap();
    let eval = ["eval", "perplexity", "--model", "run/model", "--data"];
    let measured = json(&place.ok(&[&eval[..], &["other.txt", "--json"]].concat()));
    assert_eq!(
        measured["protocol"]["tokens"], trained["evaluated_tokens"],
        "{measured}"
    );
    let [trained, measured] = [&trained, &measured].map(|record| record["loss"].as_f64().unwrap());
    assert!(
        (trained - measured).abs() < 1e-6,
        "{trained} against {measured}"
    );
}

#[test]
fn runs_without_a_name_are_numbered() {
    let place = Place::with_text();
    let arguments = [TINY, &["--data", "text.txt", "--max-steps", "2"]].concat();
    for _ in 0..2 {
        place.ok(&arguments);
    }
    assert_eq!(
        names(&place.path().join("runs")),
        ["stories-001", "stories-002"]
    );
    place.write("small.toml", "[train]\nmax_steps = 2\n");
    place.ok(&[&arguments[..], &["--config", "small.toml"]].concat());
    assert!(place.path().join("runs/small-001/model").is_dir());
}

#[test]
fn a_run_is_written_over_only_with_force() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "3"]);
    let before = place.bytes(&weights("run"));
    let again = tiny("run", &["--max-steps", "3", "--seed", "7"]);
    place.refused(&again, 1, &["run: exists already", "--force"]);
    assert_eq!(place.bytes(&weights("run")), before);

    place.write("run/notes.md", "mine");
    place.ok(&[&again[..], &["--force"]].concat());
    assert_ne!(place.bytes(&weights("run")), before);
    assert_eq!(place.read("run/notes.md"), "mine");
    assert_eq!(place.records("run", "train").len(), 3);

    std::fs::create_dir(place.path().join("papers")).unwrap();
    place.write("papers/model", "mine");
    place.write("papers/thesis.tex", "mine");
    let papers = tiny("papers", &["--max-steps", "3", "--force"]);
    place.refused(&papers, 1, &["papers", "no run wrote"]);
    assert_eq!(names(&place.path().join("papers")), ["model", "thesis.tex"]);
}

#[test]
fn the_saved_configuration_and_the_seed_reproduce_the_model() {
    let place = Place::with_text();
    let more = [
        "--max-steps",
        "12",
        "--set",
        "model.dropout=0.1",
        "--set",
        "optimizer.kind=muon",
        "--set",
        "train.grad_accumulation=2",
    ];
    place.train("run", &more);
    place.train("twice", &more);
    place.assert_same_runs("run", "twice");
    place.ok(&[
        "train",
        "--config",
        "run/config.toml",
        "--output-dir",
        "saved",
    ]);
    place.assert_same_runs("run", "saved");
    assert_eq!(
        place.read("run/config.toml"),
        place.read("saved/config.toml")
    );

    place.train("seed", &[&more[..], &["--seed", "43"]].concat());
    assert_ne!(place.bytes(&weights("run")), place.bytes(&weights("seed")));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let place = Place::with_text();
    // Wide enough that the work is shared out.
    let more = [
        "--max-steps",
        "4",
        "--set",
        "model.d_model=128",
        "--set",
        "train.batch_size=16",
        "--set",
        "model.dropout=0.1",
    ];
    for threads in ["1", "2", "5"] {
        let mut command = place.command(&tiny(threads, &more));
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success());
    }
    place.train("flag", &[&["--threads", "3"], &more[..]].concat());
    for name in ["2", "5", "flag"] {
        place.assert_same_runs("1", name);
    }
}

#[test]
fn a_number_of_threads_that_no_machine_has_is_refused() {
    let place = Place::new();
    for n in ["0", "-1", "1.5", "many", "1025", "99999999999999999999"] {
        let parts = ["--threads", "from 1 to 1024"];
        place.refused(&["models", "--threads", n], 2, &parts);
    }
}

#[test]
fn every_limit_stops_the_run_and_is_named() {
    #[track_caller]
    fn check(more: &[&str], reason: &str, steps: Option<usize>) {
        let place = Place::with_text();
        let stderr = place.train("run", &[&["--max-steps", "1000"], more].concat());
        assert!(stderr.contains(reason), "{reason}: {stderr}");
        let done = place.records("run", "train").len();
        assert!(
            steps.map_or(done < 1000, |steps| steps == done),
            "{more:?}: {done} steps"
        );
        assert_eq!(place.steps("run").last(), Some(&(done as u64)));
        assert!(place.path().join(weights("run")).exists());
    }
    let set = |set: &'static str| ["--set", set];
    // 32 tokens a step.
    check(
        &set("train.max_tokens=100"),
        "stopped by train.max_tokens after 4 steps, 128 tokens",
        Some(4),
    );
    // The training part has 2250 characters or so, 140 windows; 2 a step.
    let epochs = Place::with_text();
    epochs.train("run", &["--max-steps", "1"]);
    let share = epochs.records("run", "train")[0]["epoch"].as_f64().unwrap();
    check(
        &set("train.max_epochs=0.5"),
        "stopped by train.max_epochs",
        Some((0.5 / share).ceil() as usize),
    );
    check(
        &[
            set("train.patience=2"),
            set("train.eval_every=1"),
            set("optimizer.learning_rate=3"),
            set("schedule.warmup_steps=0"),
        ]
        .concat(),
        "stopped by train.patience",
        None,
    );
    check(
        &set("train.max_minutes=1e-9"),
        "stopped by train.max_minutes",
        None,
    );
    check(&[], "finished after 1000 steps", Some(1000));
}

#[test]
fn the_newest_checkpoints_are_kept() {
    let place = Place::with_text();
    for keep in [1, 3] {
        let (run, keep_key) = (format!("keep-{keep}"), format!("train.keep={keep}"));
        let more = [
            "--max-steps",
            "9",
            "--set",
            "train.checkpoint_every=2",
            "--set",
            &keep_key,
        ];
        place.train(&run, &more);
        let expected: &[u64] = if keep == 1 { &[9] } else { &[6, 8, 9] };
        assert_eq!(place.steps(&run), expected);
    }
}

#[test]
fn zero_means_only_at_the_end() {
    let place = Place::with_text();
    let stderr = place.train(
        "run",
        &[
            "--max-steps",
            "30",
            "--set",
            "train.eval_every=0",
            "--set",
            "train.checkpoint_every=0",
            "--set",
            "train.sample_every=0",
        ],
    );
    assert!(!stderr.contains("writes"), "{stderr}");
    assert_eq!(place.steps("run"), [30]);
    assert_eq!(place.records("run", "validation").len(), 1);
}

#[test]
fn accumulated_gradients_are_those_of_one_large_batch() {
    let place = Place::with_text();
    let run = |name: &str, batch: &str, accumulation: &str| {
        let more = ["--max-steps", "2", "--set", batch, "--set", accumulation];
        place.train(name, &more);
        place.records(name, "train")
    };
    let split = run("split", "train.batch_size=2", "train.grad_accumulation=2");
    let whole = run("whole", "train.batch_size=4", "train.grad_accumulation=1");
    // The same windows in the same order, so what differs is the order of sums.
    for field in ["loss", "grad_norm", "tokens"] {
        for (split, whole) in split.iter().zip(&whole) {
            let [split, whole] = [split, whole].map(|record| record[field].as_f64().unwrap());
            assert!(
                (split - whole).abs() < 1e-4,
                "{field}: {split} against {whole}"
            );
        }
    }
}

#[test]
fn the_end_of_standard_input_stops_a_run() {
    let place = Place::with_text();
    let arguments = tiny("run", &["--max-steps", "1000000", "--stop-on-eof"]);
    let ended = place.run(&arguments);
    assert_eq!(ended.code, 143, "{}", ended.stderr);
    place.refused(
        &["train", "--data", "-", "--stop-on-eof"],
        2,
        &["--stop-on-eof", "standard input"],
    );
}

#[test]
fn quiet_means_quiet() {
    let place = Place::with_text();
    let ended = place.run(&tiny("run", &["--max-steps", "3", "--quiet"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("validation loss"), "{}", ended.stdout);
}

#[test]
fn without_arguments_it_learns_stories() {
    let place = Place::new();
    let ended = place.run(&[
        "train",
        "--set",
        "train.max_steps=3",
        "--set",
        "data.synth.size=200KB",
        "--set",
        "train.batch_size=2",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("sentences of the grammar"));
    let written = place.ok(&["generate", "--model", "runs/stories-001", "--prompt", "One"]);
    assert!(written.starts_with("One"));
}

#[test]
fn a_short_run_needs_no_word_about_the_warm_up() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "20"]);
    let rates: Vec<f64> = place
        .records("run", "train")
        .iter()
        .map(|record| record["learning_rate"].as_f64().unwrap())
        .collect();
    let peak = rates.iter().copied().fold(0.0, f64::max);
    assert_eq!(rates.iter().position(|&rate| rate == peak), Some(2));
    assert!(place.read("run/config.toml").contains("warmup_steps = 2"));
    let long = tiny(
        "long",
        &["--max-steps", "20", "--set", "schedule.warmup_steps=21"],
    );
    place.refused(
        &long,
        2,
        &["schedule.warmup_steps", "21", "train.max_steps"],
    );
}

#[test]
fn jsonl_and_gzip_are_read() {
    let place = Place::new();
    let lines = text(60);
    let objects: String = lines
        .lines()
        .map(|line| format!("{}\n", serde_json::json!({ "text": line, "id": 1 })))
        .collect();
    let gzip = |text: &str| {
        let mut file = GzEncoder::new(Vec::new(), Compression::default());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap()
    };
    place
        .write("text.txt", &lines)
        .write("text.txt.gz", gzip(&lines))
        .write("text.jsonl", &objects)
        .write("text.jsonl.gz", gzip(&objects));
    for file in ["text.txt", "text.txt.gz", "text.jsonl", "text.jsonl.gz"] {
        let run = format!("run-{file}");
        place.train(&run, &["--max-steps", "3", "--data", file]);
    }
    for file in ["text.txt", "text.jsonl"] {
        assert_eq!(
            place.bytes(&weights(&format!("run-{file}"))),
            place.bytes(&weights(&format!("run-{file}.gz")))
        );
    }
}

#[test]
fn a_number_that_is_not_finite_stops_the_run_and_names_the_tensor() {
    let place = Place::with_text();
    let set = |set: &'static str| ["--set", set];
    let more = [
        &["--max-steps", "20"],
        &set("train.checkpoint_every=1")[..],
        &set("optimizer.clip=0"),
    ]
    .concat();
    let weight = "the weight stack.token_embedding.weight";
    for (run, rate, step, what, kept) in [
        (
            "loss",
            "optimizer.learning_rate=1e30",
            2,
            "the loss",
            &[1][..],
        ),
        // Such a model is not saved either.
        ("weight", "optimizer.learning_rate=1e300", 1, weight, &[]),
    ] {
        let ended = place.run(&tiny(run, &[&more[..], &set(rate)].concat()));
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        let last = ended.stderr.lines().last().unwrap();
        let says = format!("error: step {step}: {what} is not finite");
        assert!(last.starts_with(&says), "{last}");
        assert_eq!(ended.stderr.matches("error").count(), 1);
        assert!(!ended.stderr.contains("panicked"));
        // The last good checkpoint is there, and going on from it comes to the same end.
        assert_eq!(place.steps(run), kept);
        let resumed = place.run(&["train", "--resume", run]);
        assert_eq!(
            (resumed.code, resumed.stderr.lines().last().unwrap()),
            (1, last)
        );
        assert!(!place.path().join(run).join("model").exists());
    }
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "2"]);
    let path = weights("run");
    let mut bytes = place.bytes(&path);
    let name = "transformer.h.0.mlp.c_fc.weight";
    let start = {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let data = tensors.tensor(name).unwrap().data();
        data.as_ptr() as usize - bytes.as_ptr() as usize
    };
    bytes[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    place.write(&path, bytes);
    let ended = place.run(&[
        "train",
        "--init-from",
        "run/model",
        "--data",
        "text.txt",
        "--max-steps",
        "2",
        "--set",
        "train.batch_size=2",
    ]);
    assert_eq!(ended.code, 1);
    let last = ended.stderr.lines().last().unwrap();
    let weight = "step 1: the weight stack.blocks.0.feed_forward.up.weight";
    assert!(last.contains(weight), "{last}");
}
