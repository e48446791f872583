//! `llm plan`, and what `llm train` refuses because it does not fit.

use std::process::Stdio;

use serde_json::Value;

use crate::runs::{TINY, most_memory, names, tiny};
use crate::{Place, json};

impl Place {
    /// What `llm plan --json` says of the settings of the tiny model and `more`.
    #[track_caller]
    fn plan(&self, more: &[&str]) -> Value {
        let tiny = TINY.iter().skip(1).copied();
        let plan = ["plan", "--data", "text.txt", "--json"];
        let arguments: Vec<&str> = plan
            .into_iter()
            .chain(tiny)
            .chain(more.iter().copied())
            .collect();
        json(&self.ok(&arguments))
    }

    /// The largest resident set of a run of the tiny model and `more`, in bytes.
    #[track_caller]
    #[cfg(target_os = "linux")]
    fn peak_of(&self, run: &str, more: &[&str]) -> u64 {
        let mut command = self.command(&tiny(run, more));
        // What `wait4` tells of a child can be the memory of this process, from before the program was started in it.
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        most_memory(child.unwrap(), "VmHWM:")
    }
}

/// `KEY=VALUE`s as arguments.
fn set<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings
        .iter()
        .flat_map(|&setting| ["--set", setting])
        .collect()
}

#[test]
fn a_plan_says_what_a_run_then_does() {
    let place = Place::with_text();
    let course = [
        "train.max_steps=20",
        "train.eval_every=8",
        "train.checkpoint_every=8",
        "train.sample_every=6",
        "train.grad_accumulation=2",
    ];
    let plan = place.plan(&set(&course));
    // Nothing is left of it but the tokens, which the run finds.
    assert_eq!(names(place.path()), ["cache", "text.txt"]);
    let stderr = place.train("run", &set(&course));
    let parameters = plan["parameters"].as_u64().unwrap();
    assert!(
        stderr.contains(&format!("{parameters} parameters")),
        "{stderr}"
    );

    let done = &plan["course"];
    let records = place.metrics("run");
    let last = records.last().unwrap();
    assert_eq!(
        (&done["steps"], &done["tokens"]),
        (&last["step"], &last["tokens"])
    );
    let epochs = [done, last].map(|of| {
        of.get("epochs")
            .or(of.get("epoch"))
            .unwrap()
            .as_f64()
            .unwrap()
    });
    assert!((epochs[0] - epochs[1]).abs() < 1e-9, "{epochs:?}");
    let evaluations = place.records("run", "validation");
    assert_eq!(
        done["evaluations"].as_u64().unwrap() + 1,
        evaluations.len() as u64
    );
    let tokens = done["evaluation_windows"].as_u64().unwrap() * 16;
    assert!(evaluations[0]["evaluated_tokens"].as_u64().unwrap() <= tokens);
    assert_eq!(stderr.matches(" writes: ").count() as u64, done["samples"]);
    assert_eq!(
        stderr.matches("checkpoint ").count() as u64,
        done["checkpoints"]
    );
    assert!(
        done["seconds"].as_f64().unwrap() > 0.0 && plan["pace"]["step"].as_f64().unwrap() > 0.0
    );

    let weights = place
        .path()
        .join("run/checkpoints/step-20/model.safetensors");
    let weights = std::fs::metadata(weights).unwrap().len();
    let planned = plan["disk"]["model"].as_u64().unwrap();
    assert!((planned..planned + 10_000).contains(&weights), "{weights}");
    let state = place
        .path()
        .join("run/checkpoints/step-20/optimizer.safetensors");
    let state = std::fs::metadata(state).unwrap().len() + weights;
    let planned = plan["disk"]["checkpoint"].as_u64().unwrap();
    assert!((planned..planned + 20_000).contains(&state), "{state}");
}

#[test]
fn a_plan_without_a_probe_tells_no_time() {
    let place = Place::with_text();
    let plan = place.plan(&["--no-probe"]);
    assert_eq!(
        (&plan["pace"], &plan["course"]["seconds"]),
        (&Value::Null, &Value::Null)
    );
    let tiny = TINY.iter().skip(1).copied();
    let plan = ["plan", "--data", "text.txt", "--no-probe"];
    let text = place.ok(&plan.into_iter().chain(tiny).collect::<Vec<_>>());
    for part in [
        "weights",
        "activations",
        "not measured",
        "Hoffmann et al. 2022",
        "checkpoint",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

/// Large enough that the program's own memory hides no error.
#[test]
#[cfg(target_os = "linux")]
fn planned_memory_is_that_of_a_run() {
    let place = Place::with_text();
    place.write("text.txt", crate::runs::text(400));
    let short = [
        "train.max_steps=2",
        "model.n_heads=8",
        "model.vocab_size=1024",
    ];
    let cases: [&[&str]; 3] = [
        &[
            "model.family=gpt2",
            "model.n_layers=6",
            "model.d_model=256",
            "model.max_seq_len=128",
            "train.batch_size=12",
            "model.dropout=0.1",
        ],
        &[
            "model.family=llama",
            "model.n_layers=3",
            "model.d_model=384",
            "model.n_kv_heads=2",
            "model.max_seq_len=256",
            "train.batch_size=3",
            "train.grad_accumulation=2",
            "optimizer.kind=muon",
            "train.ema=0.99",
        ],
        &[
            "model.family=gpt2",
            "model.n_layers=8",
            "model.d_model=512",
            "model.max_seq_len=64",
            "train.batch_size=1",
            "optimizer.moments=bf16",
        ],
    ];
    for case in cases {
        let settings = set(&[&short[..], case].concat());
        let plan = place.plan(&[&settings[..], &["--no-probe"]].concat());
        let planned = plan["room"]["peak_resident"].as_f64().unwrap();
        let measured = place.peak_of("run", &[&settings[..], &["--force"]].concat()) as f64;
        let off = planned / measured - 1.0;
        assert!(measured > 150e6, "{measured}: too small to tell");
        assert!(
            off.abs() < 0.2,
            "{case:?}: planned {planned}, measured {measured}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_proposal_that_does() {
    let place = Place::with_text();
    let large = set(&[
        "train.batch_size=1200",
        "model.d_model=64",
        "train.max_steps=1",
    ]);
    let limited = [&large[..], &["--max-memory", "90MB"]].concat();
    let refused = place.run(&tiny("run", &limited));
    let line = refused.stderr.trim_end();
    assert_eq!((refused.code, line.lines().count()), (2, 1), "{line}");
    for part in [
        "error: the run needs",
        "--max-memory allows 90.0 MB",
        "--max-memory none",
    ] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert_eq!(names(place.path()), ["cache", "text.txt"]);

    let number = |key: &str| -> usize {
        let (_, rest) = line.split_once(key).expect("proposed");
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        digits
            .and_then(|digits| digits.parse().ok())
            .expect("a number")
    };
    let (batch, accumulation) = (
        number("train.batch_size="),
        number("train.grad_accumulation="),
    );
    assert!(batch < 1200 && batch * accumulation == 1200, "{line}");
    let batch = format!("train.batch_size={batch}");
    let accumulation = format!("train.grad_accumulation={accumulation}");
    let proposed = [&limited[..], &set(&[&batch, &accumulation])[..]].concat();
    assert!(
        place.plan(&proposed)["room"]["fits_memory"]
            .as_bool()
            .unwrap()
    );
    place.train("run", &proposed);

    let plan = place.plan(&limited);
    assert_eq!(plan["room"]["fits_memory"], false);
    assert_eq!(
        plan["room"]["proposal"]["batch_size"],
        batch["train.batch_size=".len()..].parse::<u64>().unwrap()
    );
    assert_eq!(plan["pace"], Value::Null);
}

#[test]
fn a_limit_below_a_single_window_has_other_remedies() {
    let place = Place::with_text();
    let limit = ["--max-memory", "1MB"];
    place.refused(
        &tiny("run", &limit),
        2,
        &["even micro-batches of one window", "train.seq_len"],
    );
    place.train("run", &["--max-steps", "1", "--max-memory", "none"]);
    place.refused(
        &[
            "train",
            "--resume",
            "run",
            "--max-steps",
            "2",
            "--max-memory",
            "1MB",
        ],
        2,
        &["the run needs", "--max-memory allows"],
    );
}

/// Where the system tells how much memory there is.
#[test]
#[cfg(target_os = "linux")]
fn who_asks_for_more_memory_than_there_is_is_named() {
    let place = Place::with_text();
    place.write("huge.toml", "[model]\npreset = \"llama-2-70b\"\n[tokenizer]\nkind = \"character\"\n[train]\nseq_len = 16\n");
    let data = ["train", "--data", "text.txt"];
    let file = [&data[..], &["--config", "huge.toml"]].concat();
    place.refused(
        &file,
        1,
        &["huge.toml: the run needs", "TB of memory", "are there"],
    );
    let argument = [
        &tiny("run", &[])[..],
        &[
            "--set",
            "model.family=llama",
            "--set",
            "model.d_model=536870912",
        ],
    ]
    .concat();
    place.refused(
        &argument,
        2,
        &["--set model.d_model=536870912: the run needs"],
    );
    let batch = [
        &tiny("run", &[])[..],
        &["--set", "train.batch_size=1000000000000"],
    ]
    .concat();
    place.refused(
        &batch,
        2,
        &[
            "--set train.batch_size=1000000000000: the run needs",
            "train.grad_accumulation=",
        ],
    );
}

#[test]
fn checkpoints_that_do_not_fit_the_disk_are_refused() {
    let place = Place::with_text();
    let many = set(&[
        "train.keep=1000000000",
        "train.max_steps=1000000000",
        "train.checkpoint_every=1",
    ]);
    place.refused(&tiny("run", &many), 1, &["MB are free", "train.keep"]);
    assert_eq!(place.plan(&many)["room"]["fits_disk"], false);
}

#[test]
fn a_plan_of_wrong_settings_is_refused() {
    let place = Place::with_text();
    let plan = ["plan", "--data", "text.txt"];
    let check = |more: &[&str], code, parts: &[&str]| {
        place.refused(&[&plan[..], more].concat(), code, parts);
    };
    check(&["--config", "missing.toml"], 1, &["missing.toml"]);
    check(&["--set", "train.bach_size=3"], 2, &["train.batch_size"]);
    check(
        &["--set", "train.batch_size=0"],
        2,
        &["train.batch_size is 0"],
    );
    check(
        &["--set", "train.seq_len=4096"],
        2,
        &["--set train.seq_len=4096", "model.max_seq_len"],
    );
    check(&["--set", "model.n_heads=5"], 2, &["n_heads"]);
    for size in ["0", "-1", "much", "NaN", "inf", "1e3"] {
        check(
            &["--max-memory", size],
            2,
            &["--max-memory", "such as 4GB, or none"],
        );
    }
    place.write("wrong.toml", "[train]\nbatch_size = 'many'\n");
    check(
        &["--config", "wrong.toml"],
        1,
        &["wrong.toml:2", "train.batch_size"],
    );
    place.refused(&["plan", "--data", "missing.txt"], 1, &["missing.txt"]);
}
