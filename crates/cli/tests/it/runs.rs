//! Tiny training runs, and what they leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Place, json};

/// A model of some thousand weights, without samples; a step takes about a millisecond.
pub(crate) const TINY: &[&str] = &[
    "train",
    "--set",
    "tokenizer.kind=character",
    "--set",
    "model.d_model=16",
    "--set",
    "model.n_layers=1",
    "--set",
    "model.n_heads=2",
    "--set",
    "model.max_seq_len=16",
    "--set",
    "train.batch_size=2",
    "--set",
    "train.sample_every=0",
    "--set",
    "train.max_minutes=",
    "--set",
    "train.log_every=1",
];

/// How long to wait for something that takes a fraction of a second on a machine with nothing else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// About 2500 characters, 150 windows of the tiny model.
pub(crate) fn text(lines: usize) -> String {
    let line = |i: usize| {
        format!(
            "The cat number {i} sat on mat {} and saw a dog.\n",
            i * 7 % 11
        )
    };
    (0..lines).map(line).collect()
}

impl Place {
    /// A place with `text.txt`.
    pub(crate) fn with_text() -> Self {
        let place = Self::new();
        place.write("text.txt", text(60));
        place
    }

    /// The program, to be started in this place.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("llm"));
        command
            .current_dir(self.path())
            .env("LLM_CACHE_DIR", self.path().join("cache"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .args(arguments);
        command
    }

    /// Trains the tiny model with `more` arguments in the folder `run`, and returns its stderr.
    #[track_caller]
    pub(crate) fn train(&self, run: &str, more: &[&str]) -> String {
        let ended = self.run(&tiny(run, more));
        assert_eq!(ended.code, 0, "{more:?}: {}", ended.stderr);
        ended.stderr
    }

    /// Starts to train the tiny model.
    pub(crate) fn start(&self, run: &str, more: &[&str]) -> Running {
        Running::new(self.command(&tiny(run, more)))
    }

    /// The lines of `metrics.jsonl`.
    #[track_caller]
    pub(crate) fn metrics(&self, run: &str) -> Vec<Value> {
        self.read(&format!("{run}/metrics.jsonl"))
            .lines()
            .map(json)
            .collect()
    }

    /// The records of one split.
    #[track_caller]
    pub(crate) fn records(&self, run: &str, split: &str) -> Vec<Value> {
        let mut records = self.metrics(run);
        records.retain(|record| record["split"] == split);
        records
    }

    /// The step checkpoints of a run, in ascending order.
    pub(crate) fn steps(&self, run: &str) -> Vec<u64> {
        let mut steps: Vec<u64> = names(&self.path().join(run).join("checkpoints"))
            .iter()
            .filter_map(|name| name.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// The bytes of a file.
    #[track_caller]
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Fails unless the two runs left the same model, checkpoints and records, to the byte; but for time and memory.
    #[track_caller]
    pub(crate) fn assert_same_runs(&self, one: &str, other: &str) {
        let [one, other] = [one, other].map(|run| self.path().join(run));
        for part in ["model", "checkpoints"] {
            let [one, other] = [&one, &other].map(|run| tree(&run.join(part)));
            assert!(!one.is_empty(), "{part}");
            let names =
                |tree: &BTreeMap<PathBuf, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&one), names(&other));
            for (name, bytes) in &one {
                assert!(other[name] == *bytes, "{part}/{} differs", name.display());
            }
        }
        let [one, other] = [&one, &other].map(|run| {
            let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
            let mut records: Vec<Value> = text.lines().map(json).collect();
            for record in &mut records {
                let fields = record.as_object_mut().unwrap();
                for field in [
                    "seconds",
                    "time",
                    "tokens_per_s",
                    "flops_per_s",
                    "utilisation",
                    "rss_bytes",
                ] {
                    fields.remove(field);
                }
            }
            records
        });
        assert_eq!(one, other);
    }
}

/// Arguments that train the tiny model in the folder `run`, on `text.txt` unless `more` names other data.
pub(crate) fn tiny<'a>(run: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let data: &[&str] = if more.contains(&"--data") {
        &[]
    } else {
        &["--data", "text.txt"]
    };
    [TINY, &["--output-dir", run], data, more].concat()
}

/// Names in a folder, sorted; none if it is not there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every file below a folder.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for name in names(&at) {
            let path = at.join(name);
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// A run of the program that has not ended; killed when dropped.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn new(mut command: Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("not waited for")
    }

    /// Waits until `reached` holds; false when the program ended before.
    pub(crate) fn wait_until(&mut self, mut reached: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        while !reached() {
            assert!(began.elapsed() < PATIENCE, "waited too long");
            if self.has_ended() {
                return reached() && !self.has_ended();
            }
            sleep(Duration::from_micros(500));
        }
        !self.has_ended()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Ends it as a power cut would: at once, wherever it is.
    pub(crate) fn kill(mut self) -> Output {
        self.child().kill().unwrap();
        self.wait()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&mut self, name: &str) {
        let id = self.child().id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> Output {
        let child = self.0.take().expect("not waited for");
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The largest value in bytes that a field of the system's status of `child` has until it ends, which must be well.
#[track_caller]
#[cfg(target_os = "linux")]
pub(crate) fn most_memory(mut child: Child, field: &str) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        most = most.max(kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0));
        sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    most * 1024
}
