//! `llm train --resume` and `--init-from`: a run that was stopped anywhere ends as if it never was.
#![cfg(unix)]

use std::fs;
use std::io::{self, Write};

use crate::runs::{names, text, tiny};
use crate::{Ended, Place};

/// Dropout, accumulation, and more than two passes over the text.
const HARD: &[&str] = &[
    "--max-steps",
    "100",
    "--set",
    "model.dropout=0.1",
    "--set",
    "train.grad_accumulation=2",
    "--set",
    "train.checkpoint_every=25",
    "--set",
    "train.keep=4",
    "--set",
    "train.eval_every=20",
    "--set",
    "train.eval_windows=4",
];

/// Trains in `run` and kills the program soon after step 50.
fn train_and_kill(place: &Place, run: &str, more: &[&str]) {
    for attempt in 0..10 {
        let mut running = place.start(run, more);
        if running.wait_until(|| place.steps(run).contains(&50)) {
            running.kill();
            if !place.path().join(run).join("model").exists() {
                return;
            }
        }
        // On a busy machine the run may have ended before it was looked at.
        let _ = writeln!(io::stderr(), "attempt {attempt} came too late");
        fs::remove_dir_all(place.path().join(run)).unwrap();
    }
    panic!("the run always ended before it could be killed");
}

/// The program must end with this code, and its last line must be an error that contains every one of `parts`.
#[track_caller]
fn failed(ended: &Ended, code: i32, parts: &[&str]) {
    let Ended { stderr, .. } = ended;
    assert_eq!(ended.code, code, "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with("error: "), "{stderr}");
    assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for part in parts {
        assert!(last.contains(part), "no {part:?} in {last}");
    }
}

#[track_caller]
fn kill_and_resume_is_never_stopped(more: &[&str]) {
    let place = Place::with_text();
    let more = [HARD, more].concat();
    place.train("whole", &more);
    train_and_kill(&place, "killed", &more);
    let records = place.records("killed", "train");
    let epoch = records[49]["epoch"].as_f64().unwrap();
    assert!(epoch.fract() > 0.05 && epoch.fract() < 0.95, "{epoch}");
    place.ok(&["train", "--resume", "killed"]);
    let last = place.records("killed", "train").pop().unwrap();
    assert!(
        last["epoch"].as_f64().unwrap() > epoch.ceil(),
        "{last}: no end of an epoch after {epoch}"
    );
    assert_eq!(place.steps("killed"), [25, 50, 75, 100]);
    place.assert_same_runs("whole", "killed");

    // A run that is over stays as it is.
    place.ok(&["train", "--resume", "killed"]);
    place.assert_same_runs("whole", "killed");
}

#[test]
fn a_killed_gpt2_goes_on_as_if_it_never_stopped() {
    kill_and_resume_is_never_stopped(&["--set", "model.family=gpt2"]);
}

#[test]
fn a_killed_llama_goes_on_as_if_it_never_stopped() {
    kill_and_resume_is_never_stopped(&["--set", "model.family=llama"]);
}

#[test]
fn muon_goes_on_as_if_it_never_stopped() {
    kill_and_resume_is_never_stopped(&["--set", "optimizer.kind=muon"]);
}

#[test]
fn a_signal_saves_the_very_step_and_the_run_goes_on_from_there() {
    for (signal, code, name) in [("INT", 130, "Ctrl-C"), ("TERM", 143, "SIGTERM")] {
        let place = Place::with_text();
        let more = ["--max-steps", "400", "--set", "model.dropout=0.1"];
        let more = [&more[..], &["--set", "train.checkpoint_every=0"]].concat();
        place.train("whole", &more);
        let mut stopped_at = None;
        for _ in 0..10 {
            let mut running = place.start("stopped", &more);
            let metrics = place.path().join("stopped/metrics.jsonl");
            running.wait_until(|| {
                fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 5)
            });
            running.signal(signal);
            let output = running.wait();
            if output.status.code() == Some(code) {
                let stderr = String::from_utf8(output.stderr).unwrap();
                let steps = place.steps("stopped");
                assert_eq!(steps.len(), 1, "{steps:?}");
                let said = format!("{name} after step {}; go on with: ", steps[0]);
                assert!(stderr.contains(&said), "{said}: {stderr}");
                let last = place.metrics("stopped").pop().unwrap();
                assert_eq!(last["step"], steps[0]);
                stopped_at = Some(steps[0]);
                break;
            }
            assert_eq!(output.status.code(), Some(0));
            fs::remove_dir_all(place.path().join("stopped")).unwrap();
        }
        assert!(stopped_at.is_some_and(|step| step < 400));
        place.ok(&["train", "--resume", "stopped"]);
        // The checkpoint of the interruption is the only difference.
        let extra = format!("stopped/checkpoints/step-{}", stopped_at.unwrap());
        fs::remove_dir_all(place.path().join(extra)).unwrap();
        place.assert_same_runs("whole", "stopped");
    }
}

#[test]
fn a_run_without_a_checkpoint_begins_again() {
    let place = Place::with_text();
    let more = ["--max-steps", "10"];
    place.train("whole", &more);
    place.train("lost", &more);
    for entry in ["checkpoints", "model"] {
        fs::remove_dir_all(place.path().join("lost").join(entry)).unwrap();
    }
    place.ok(&["train", "--resume", "lost"]);
    place.assert_same_runs("whole", "lost");
}

#[test]
fn only_length_and_logging_may_change() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "10"]);
    let resume = |more: &[&str]| place.run(&[&["train", "--resume", "run"], more].concat());
    for (arguments, key) in [
        (&["--set", "train.batch_size=3"][..], "train.batch_size"),
        (&["--seed", "1"], "train.seed"),
        (&["--set", "optimizer.clip=2"], "optimizer.clip"),
        (&["--set", "model.d_model=32"], "model.d_model"),
        (&["--data", "other.txt"], "data.sources"),
    ] {
        let ended = resume(arguments);
        failed(&ended, 2, &[key]);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    let ended = resume(&["--max-steps", "15", "--set", "train.log_every=5"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(place.steps("run"), [10, 15]);
    let last = place.records("run", "train").pop().unwrap();
    assert_eq!(last["step"], 15);
}

#[test]
fn what_is_no_run_is_not_resumed() {
    let place = Place::with_text();
    fs::create_dir(place.path().join("folder")).unwrap();
    for (path, says) in [
        ("folder", "not a run folder"),
        ("none", "no such run folder"),
        ("text.txt", "text.txt"),
    ] {
        place.refused(&["train", "--resume", path], 1, &[path, says]);
    }
    assert!(names(&place.path().join("folder")).is_empty());
}

#[test]
fn another_text_is_noticed() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "5"]);
    place.write("text.txt", text(61));
    place.refused(
        &["train", "--resume", "run", "--max-steps", "9"],
        1,
        &["run", "text", "changed"],
    );
    // The old text is enough; its cache is not needed.
    place.write("text.txt", text(60));
    fs::remove_dir_all(place.path().join("cache")).unwrap();
    place.ok(&["train", "--resume", "run", "--max-steps", "9"]);
    fs::remove_file(place.path().join("text.txt")).unwrap();
    place.refused(&["train", "--resume", "run"], 1, &["text.txt"]);
}

#[test]
fn another_tokenizer_is_noticed() {
    let place = Place::with_text();
    let learn = |size| {
        let words = format!(
            "tokenizer train --data text.txt --kind bpe --vocab-size {size} --output-dir mine --force"
        );
        place.ok(&words.split(' ').collect::<Vec<_>>());
    };
    learn("290");
    let more = [
        "--max-steps",
        "5",
        "--set",
        "tokenizer.kind=file",
        "--set",
        "tokenizer.path=mine",
    ];
    place.train("run", &more);
    learn("280");
    let resume = ["train", "--resume", "run", "--max-steps", "9"];
    place.refused(&resume, 1, &["run", "the tokenizer", "mine has changed"]);
    learn("290");
    place.ok(&resume);
}

#[test]
fn a_run_in_use_is_left_alone() {
    let place = Place::with_text();
    let mut running = place.start("run", &["--max-steps", "1000000"]);
    let metrics = place.path().join("run/metrics.jsonl");
    assert!(running.wait_until(|| metrics.exists()));
    place.refused(&["train", "--resume", "run"], 1, &["run", "in use"]);
    let over = tiny("run", &["--max-steps", "5", "--force"]);
    place.refused(&over, 1, &["run", "in use"]);
    assert!(!running.has_ended());
    assert!(metrics.exists());
    running.kill();
    // The lock ends with its process.
    place.ok(&over);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    for file in [
        "optimizer.safetensors",
        "trainer.json",
        "model.safetensors",
        "config.json",
    ] {
        for damage in ["cut", "gone"] {
            let place = Place::with_text();
            let more = ["--max-steps", "10", "--set", "train.checkpoint_every=5"];
            place.train("run", &more);
            place.train("whole", &more);
            let path = format!("run/checkpoints/step-10/{file}");
            if damage == "cut" {
                let bytes = place.bytes(&path);
                place.write(&path, &bytes[..bytes.len() / 2]);
            } else {
                fs::remove_file(place.path().join(&path)).unwrap();
            }
            let parts = ["run/checkpoints/step-10", file];
            failed(&place.run(&["train", "--resume", "run"]), 1, &parts);
            // As the message says, the one before is good.
            fs::remove_dir_all(place.path().join("run/checkpoints/step-10")).unwrap();
            place.ok(&["train", "--resume", "run"]);
            place.assert_same_runs("whole", "run");
        }
    }
}

#[test]
fn leftovers_of_a_crash_are_tidied() {
    let place = Place::with_text();
    let more = ["--max-steps", "10"];
    place.train("whole", &more);
    place.train("run", &more);
    let run = place.path().join("run");
    for folder in [
        ".partial-x",
        "checkpoints/.partial-x",
        "checkpoints/.partial-gone-step-1",
    ] {
        fs::create_dir(run.join(folder)).unwrap();
        fs::write(run.join(folder).join("config.json"), "{").unwrap();
    }
    // A crash between the two renames that put a new folder in the place of an old one.
    let best = run.join("checkpoints/best");
    fs::rename(&best, run.join("checkpoints/.partial-old-best")).unwrap();
    place.ok(&["train", "--resume", "run"]);
    assert!(!names(&run).iter().any(|name| name.starts_with(".partial")));
    assert_eq!(names(&run.join("checkpoints")), ["best", "step-10"]);
    place.assert_same_runs("whole", "run");
}

#[test]
fn weights_can_be_taken_over() {
    let place = Place::with_text();
    place.train(
        "old",
        &[
            "--max-steps",
            "300",
            "--set",
            "optimizer.learning_rate=1e-2",
        ],
    );
    let loss = |record: &serde_json::Value| record["loss"].as_f64().unwrap();
    let fresh = loss(&place.records("old", "train")[0]);
    let learned = loss(&place.records("old", "validation").pop().unwrap());
    let init = |run: &'static str, more: &[&'static str]| {
        let init = ["train", "--init-from", "old/model", "--data", "text.txt"];
        let sizes = ["--output-dir", run, "--max-steps", "40", "--set"];
        let batch = ["train.batch_size=16", "--set", "train.log_every=1"];
        [&init[..], &sizes, &batch, more].concat()
    };
    place.ok(&init("new", &[]));
    let first = loss(&place.records("new", "train")[0]);
    assert!(learned < fresh - 1.0, "{learned} after {fresh}");
    assert!(
        (first - learned).abs() < 0.2,
        "{first}, the model had {learned}"
    );

    place.refused(
        &init("no", &["--set", "model.d_model=32"]),
        2,
        &["model.d_model", "--init-from"],
    );
    place.refused(
        &["train", "--init-from", "text.txt", "--data", "text.txt"],
        1,
        &["text.txt"],
    );
    assert!(!place.path().join("no").exists());

    // Killed before its first checkpoint it still begins with these weights.
    for entry in ["checkpoints", "model"] {
        fs::remove_dir_all(place.path().join("new").join(entry)).unwrap();
    }
    place.ok(&init("again", &[]));
    place.ok(&["train", "--resume", "new"]);
    place.assert_same_runs("again", "new");
}
