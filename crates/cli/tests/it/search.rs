//! Searches of a few tiny trials, and what they leave.

use std::fs;

use serde_json::Value;

use crate::runs::{Running, names, text};
use crate::{Place, json};

/// A search over two keys of a model of some thousand weights; a trial takes a fraction of a second.
pub(crate) const TINY: &str = r#"
[search]
sampler = "random"
n_trials = 3
seed = 7
constraints = ["model.d_model % model.n_heads == 0"]

[search.space]
"optimizer.learning_rate" = { min = 1e-4, max = 1e-1, log = true }
"model.d_model" = [8, 16]
"model.n_heads" = [1, 2, 3]

[tokenizer]
kind = "character"

[model]
d_model = 16
n_layers = 1
n_heads = 2
max_seq_len = 16

[train]
max_steps = 8
batch_size = 2
sample_every = 0
eval_every = 2
log_every = 1
eval_windows = 4
"#;

/// A place with a text and the search file `s.toml`, changed by `change`.
pub(crate) fn place(change: impl Fn(String) -> String) -> Place {
    let place = Place::new();
    place
        .write("text.txt", text(60))
        .write("s.toml", change(TINY.to_owned()));
    place
}

pub(crate) fn search<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [
        &[
            "search",
            "--config",
            "s.toml",
            "--data",
            "text.txt",
            "--output-dir",
            "out",
        ],
        more,
    ]
    .concat()
}

pub(crate) fn results(place: &Place) -> Value {
    json(&place.read("out/search_results.json"))
}

/// The trials without how long they took, of which the journal keeps microseconds.
fn timeless(results: &Value) -> Vec<Value> {
    let mut trials = results["trials"].as_array().unwrap().clone();
    for trial in &mut trials {
        trial.as_object_mut().unwrap().remove("seconds");
    }
    trials
}

#[test]
fn a_search_leaves_its_best_configuration_which_trains_unchanged() {
    let place = place(|text| text);
    let said = place.ok(&search(&[]));
    assert!(said.contains("3 complete, 0 pruned, 0 failed"), "{said}");
    let found = results(&place);
    assert_eq!(found["counts"]["complete"], 3);
    let trials = found["trials"].as_array().unwrap();
    let least = trials
        .iter()
        .map(|trial| trial["values"][0].as_f64().unwrap())
        .fold(f64::INFINITY, f64::min);
    assert_eq!(found["best_value"].as_f64(), Some(least));
    for trial in trials {
        let params = &trial["params"];
        let [width, heads] =
            ["model.d_model", "model.n_heads"].map(|key| params[key].as_u64().unwrap());
        assert_eq!(width % heads, 0, "{params}");
        assert!(trial["notes"]["parameters"].as_f64().unwrap() > 100.0);
        assert!(!trial["losses"].as_array().unwrap().is_empty());
    }
    // Only the best has kept its weights.
    let best = found["best_trial"].as_u64().unwrap();
    for number in 0..3 {
        let run = place.path().join(format!("out/trials/{number:03}"));
        assert_eq!(run.join("model").exists(), number == best);
        assert!(
            run.join("config.toml").exists()
                && !run.join("checkpoints").exists() | (number == best)
        );
    }
    place.ok(&[
        "train",
        "--config",
        "out/best_config.toml",
        "--output-dir",
        "again",
    ]);
    let losses = place.records("again", "validation");
    let whole = losses
        .iter()
        .max_by_key(|record| (record["step"].as_u64(), record["evaluated_tokens"].as_u64()));
    assert_eq!(whole.unwrap()["loss"].as_f64(), Some(least));

    let shown = json(&place.ok(&["search", "show", "out", "--json"]));
    assert_eq!(timeless(&shown), timeless(&found));
    let table = place.ok(&["search", "show", "out"]);
    assert_eq!(table.lines().count(), 4, "{table}");
    let told = json(&place.ok(&["search", "best", "out", "--json"]));
    assert_eq!(told["trial"], found["best_trial"]);
    assert!(
        place
            .ok(&["search", "best", "out"])
            .contains("optimizer.learning_rate = ")
    );
    let weights = json(&place.ok(&["search", "importance", "out", "--json"]));
    assert_eq!(weights.as_array().unwrap().len(), 3);
    assert!(
        place
            .ok(&["search", "importance", "out"])
            .contains("model.n_heads")
    );
}

#[test]
fn the_same_seed_is_the_same_search_also_with_two_workers() {
    let deterministic = |text: String| {
        text.replace(
            "seed = 7",
            "seed = 7\nworkers = 2\ndeterministic = true\nmetric = \"parameters\"",
        )
        .replace("\"random\"", "\"tpe\"")
    };
    let [one, other] = [place(deterministic), place(deterministic)];
    let trials = |place: &Place| {
        place.ok(&search(&[]));
        let found = results(place);
        let trials = found["trials"].as_array().unwrap().iter();
        trials
            .map(|trial| (trial["params"].clone(), trial["values"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(trials(&one), trials(&other));
}

#[test]
fn what_can_not_be_searched_is_refused() {
    #[track_caller]
    fn check(from: &str, to: &str, parts: &[&str]) {
        let place = place(|text| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        place.refused(&search(&[]), 1, &[&["s.toml"], parts].concat());
        assert!(!place.path().join("out").exists());
    }
    check(
        "\"optimizer.learning_rate\"",
        "\"optimizer.leaning_rate\"",
        &["did you mean `optimizer.learning_rate`?"],
    );
    check(
        "min = 1e-4, max = 1e-1, log",
        "min = 1e-1, max = 1e-4, log",
        &["optimizer.learning_rate"],
    );
    check(
        "min = 1e-4",
        "min = 0.0",
        &["optimizer.learning_rate", "above 0"],
    );
    check("[8, 16]", "[8, \"wide\"]", &["model.d_model", "wide"]);
    check(
        "n_trials = 3",
        "n_trails = 3",
        &["s.toml:4", "did you mean `search.n_trials`?"],
    );
    check("n_trials = 3", "timeout = 0", &["timeout"]);
    check("\"random\"", "\"rnadom\"", &["did you mean `random`?"]);
    check(
        "seed = 7",
        "pruner = \"medain\"",
        &["did you mean `median`?"],
    );
    check("seed = 7", "metric = \"loss\"", &["metric", "tokens_per_s"]);
    check(
        "model.d_model %",
        "model.d_modle %",
        &["did you mean `model.d_model`?"],
    );
    let endless = self::place(|text| text.replace("n_trials = 3\n", ""));
    endless.refused(&search(&[]), 2, &["--n-trials", "--timeout"]);
    let start = TINY.find("\"optimizer").unwrap();
    let end = TINY.find("[tokenizer]").unwrap();
    check(
        &TINY[start..end],
        "",
        &["is empty", "optimizer.learning_rate"],
    );

    let place = place(|text| text);
    place.refused(&search(&["--timeout", "0"]), 2, &["--timeout", "above 0"]);
    place.refused(&search(&["--n-trials", "0"]), 2, &["--n-trials"]);
    place.refused(
        &search(&["--search-type", "rnadom"]),
        2,
        &["did you mean `random`?"],
    );
    place.refused(
        &search(&["--set", "train.max_step=3"]),
        2,
        &["train.max_steps"],
    );
    place.refused(&["search", "--resume", "nowhere"], 1, &["nowhere"]);
    place.refused(&["search", "show", "nowhere"], 1, &["nowhere"]);
    place.refused(
        &search(&["--metric", "seconds", "seconds"]),
        2,
        &["seconds twice"],
    );
    place.refused(
        &search(&["--metric", "loss"]),
        2,
        &["--metric", "tokens_per_s"],
    );
    fs::create_dir(place.path().join("out")).unwrap();
    place.write("out/mine.txt", "");
    place.refused(&search(&[]), 1, &["out", "--force"]);
    place.refused(&search(&["--force"]), 1, &["out", "no search wrote"]);
}

#[test]
fn constraints_that_nothing_satisfies_say_why() {
    let place = place(|text| text.replace("[1, 2, 3]", "[3, 5]"));
    let ended = place.run(&search(&[]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("no point satisfies `model.d_model % model.n_heads == 0`"),
        "{}",
        ended.stderr
    );
    let place = self::place(|text| {
        text.replace(
            "constraints = [\"model.d_model % model.n_heads == 0\"]",
            "max_parameters = 10",
        )
    });
    let ended = place.run(&search(&[]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("search.max_parameters = 10"),
        "{}",
        ended.stderr
    );
    let place = self::place(|text| text.replace("seed = 7", "seed = 7\nmax_memory = \"1MB\""));
    let ended = place.run(&search(&[]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("more than search.max_memory = 1"),
        "{}",
        ended.stderr
    );
}

#[test]
fn trials_that_fail_are_told_and_end_nothing_unless_all_do() {
    let place = place(|text| text);
    let ended = place.run(&search(&["--max-memory", "1MB"]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("all 3 trials failed"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("of memory, but --max-memory allows"),
        "{}",
        ended.stderr
    );
    assert_eq!(results(&place)["counts"]["failed"], 3);
    place.refused(&["search", "best", "out"], 1, &["no trial is complete"]);
    // Steps of 1e30 make no finite loss.
    let place = self::place(|text| {
        text.replace(
            "min = 1e-4, max = 1e-1, log = true",
            "values = [1e-3, 1e30]",
        )
        .replace("\"random\"", "\"grid\"")
        .replace("n_trials = 3", "n_trials = 8")
    });
    place.ok(&search(&[]));
    let found = results(&place);
    let failed = found["trials"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|trial| trial["state"] == "failed");
    let failed: Vec<_> = failed.collect();
    assert!(
        !failed.is_empty() && failed.iter().all(|trial| trial["failure"].is_string()),
        "{found}"
    );
    assert!(found["counts"]["complete"].as_u64().unwrap() > 0, "{found}");
}

#[test]
fn a_pruner_ends_runs_early_and_little_of_them_stays() {
    let place = place(|text| {
        text.replace("seed = 7", "pruner = { kind = \"threshold\", upper = 0.1 }")
            .replace("max_steps = 8", "max_steps = 5000")
    });
    let said = place.ok(&search(&[]));
    assert!(said.contains("0 complete, 3 pruned, 0 failed"), "{said}");
    for trial in results(&place)["trials"].as_array().unwrap() {
        let losses = trial["losses"].as_array().unwrap();
        assert!(
            losses.last().unwrap()[0].as_u64().unwrap() < 5000,
            "{trial}"
        );
        assert_eq!(trial["values"][0], losses.last().unwrap()[1]);
        let run = format!("out/trials/{:03}", trial["number"].as_u64().unwrap());
        let left = names(&place.path().join(run));
        assert!(left.contains(&"metrics.jsonl".to_owned()), "{left:?}");
        assert!(!left.contains(&"checkpoints".to_owned()), "{left:?}");
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_with_130_and_resume_runs_again_what_was_cut_off() {
    let place = place(|text| {
        text.replace("max_steps = 8", "max_steps = 20000")
            .replace("eval_every = 2", "eval_every = 50")
    });
    let mut running = Running::new(place.command(&search(&["--n-trials", "2"])));
    assert!(running.wait_until(|| place.path().join("out/trials/000/metrics.jsonl").exists()));
    running.signal("INT");
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("llm search --resume out"), "{stderr}");
    let found = results(&place);
    let first = found["trials"][0]["params"].clone();
    // What remains is made short.
    let base = place
        .read("out/base.toml")
        .replace("max_steps = 20000", "max_steps = 8");
    place.write("out/base.toml", base);
    place.ok(&["search", "--resume", "out"]);
    let found = results(&place);
    assert_eq!(found["counts"]["complete"], 2, "{found}");
    assert_eq!(found["trials"][0]["state"], "failed");
    assert_eq!(found["trials"][1]["params"], first);
    // A search that has all its trials has nothing to do.
    place.ok(&["search", "--resume", "out"]);
    assert_eq!(names(&place.path().join("out/trials")).len(), 3);
}

#[test]
fn a_trial_does_not_outlive_a_search_that_is_killed() {
    let place = place(|text| text.replace("max_steps = 8", "max_steps = 2000000"));
    let mut running = Running::new(place.command(&search(&["--n-trials", "1"])));
    assert!(running.wait_until(|| place.path().join("out/trials/000/metrics.jsonl").exists()));
    running.kill();
    // The trial saves when it stops.
    let began = std::time::Instant::now();
    while names(&place.path().join("out/trials/000/checkpoints")).is_empty() {
        assert!(began.elapsed().as_secs() < 60, "the trial goes on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn the_time_ends_a_search() {
    let place = place(|text| {
        text.replace("max_steps = 8", "max_steps = 200000")
            .replace("n_trials = 3", "timeout = 2")
    });
    let ended = place.run(&search(&[]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the time was over"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_corrupt_line_of_the_journal_is_named_and_the_rest_is_read() {
    let place = place(|text| text);
    place.ok(&search(&["--n-trials", "1"]));
    place.refused(&search(&["--n-trials", "1"]), 1, &["out", "--force"]);
    place.ok(&search(&["--n-trials", "1", "--force"]));
    let journal = place.read("out/study.jsonl");
    place.write("out/study.jsonl", format!("{journal}no operation\n"));
    let ended = place.run(&["search", "show", "out"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let line = journal.lines().count() + 1;
    assert!(
        ended.stderr.contains(&format!("study.jsonl:{line}")),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
}

#[test]
fn quality_and_size_are_weighed_against_each_other() {
    let place = place(|text| {
        text.replace("seed = 7", "metric = [\"validation_loss\", \"parameters\"]")
            .replace("\"random\"", "\"nsga2\"")
    });
    place.ok(&search(&[]));
    let found = results(&place);
    assert_eq!(found["directions"], json("[\"minimize\", \"minimize\"]"));
    let front = found["pareto_front"].as_array().unwrap();
    assert!(!front.is_empty());
    let trials = found["trials"].as_array().unwrap();
    assert!(
        trials
            .iter()
            .all(|trial| trial["values"].as_array().unwrap().len() == 2),
        "{found}"
    );
}

#[test]
fn the_form_of_other_tools_is_read() {
    let place = Place::new();
    place.write("text.txt", text(60)).write(
        "s.yaml",
        "hyperparameter_search:\n  search_type: optuna\n  n_trials: 2\n  param_space:\n    optimizer.learning_rate: {type: float, min: 1e-4, max: 1e-2, log: true}\n    model.n_heads: [1, 2]\n\
         tokenizer: {kind: character}\nmodel: {d_model: 8, n_layers: 1, n_heads: 2, max_seq_len: 16}\ntrain: {max_steps: 4, batch_size: 2, sample_every: 0}\n",
    );
    place.ok(&[
        "search",
        "--config",
        "s.yaml",
        "--data",
        "text.txt",
        "--output-dir",
        "out",
    ]);
    assert_eq!(results(&place)["counts"]["complete"], 2);
}

#[test]
fn pictures_and_tables_come_out_of_a_search() {
    let place = place(|text| {
        text.replace(
            "seed = 7",
            "metric = [\"validation_loss\", \"tokens_per_s\"]",
        )
    });
    place.ok(&search(&[]));
    let report = place.read("out/report.html");
    assert!(report.matches("<svg").count() >= 5, "{}", report.len());
    assert!(!report.contains("http://www.w3.org/1999/xlink") && !report.contains("src="));
    let plot = |more: &[&'static str]| [&["search", "plot", "out"], more].concat();
    for kind in [
        "history",
        "curves",
        "parallel",
        "slices",
        "importance",
        "pareto",
    ] {
        place.ok(&plot(&["--kind", kind, "-o", "picture.svg", "--force"]));
        assert!(place.read("picture.svg").starts_with("<svg"), "{kind}");
    }
    let pareto = place.read("picture.svg");
    assert!(pareto.contains("Pareto front") && pareto.contains("tokens_per_s"));
    place.ok(&plot(&["-o", "history.png"]));
    assert_eq!(place.bytes("history.png")[1..4], *b"PNG");
    place.ok(&plot(&["-o", "page.html"]));
    place.refused(&plot(&["-o", "page.html"]), 1, &["page.html", "--force"]);
    place.refused(&plot(&["-o", "page.pdf"]), 2, &["page.pdf", ".svg"]);

    let export = |name: &'static str| ["search", "export", "out", "--output", name];
    place.ok(&export("t.csv"));
    let table = place.read("t.csv");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("trial,state,validation_loss,tokens_per_s,seconds,model.d_model"));
    place.ok(&export("t.json"));
    assert_eq!(
        timeless(&json(&place.read("t.json"))),
        timeless(&results(&place))
    );
    place.ok(&export("t.jsonl"));
    assert_eq!(place.read("t.jsonl"), place.read("out/study.jsonl"));
    place.refused(&export("t.jsonl"), 1, &["t.jsonl", "--force"]);
    place.ok(&[&export("t.jsonl")[..], &["--force"]].concat());
    place.refused(&export("t.xls"), 2, &[".csv"]);
}
