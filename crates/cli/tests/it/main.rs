//! Runs the program in temporary folders.

mod chat;
mod cleaning;
mod compare;
mod config;
mod convert;
mod crash;
mod data;
mod generate;
mod hostile;
mod inspect;
#[cfg(target_os = "linux")]
mod live;
mod loading;
mod looking;
mod models;
#[cfg(unix)]
mod nobody;
mod observable;
#[cfg(unix)]
mod outputs;
mod plan;
mod records;
mod resume;
mod runs;
mod sampling;
mod search;
mod search_shared;
mod selftest;
mod tokenizer;
mod train;
mod train_comfort;
mod train_input;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder for one test, in which the program runs.
struct Place {
    folder: TempDir,
}

/// How a run of the program ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }
}

impl Ended {
    /// Checks that the command was refused, for its data, in one line that names `path`.
    #[track_caller]
    fn names_fault(&self, command: &str, path: &str) {
        let stderr = &self.stderr;
        assert!(!stderr.contains("panicked"), "{command}: {stderr}");
        assert_eq!(self.code, 1, "{command}: {stderr}");
        let is_fault = |line: &&str| line.starts_with("error: ");
        let faults: Vec<_> = stderr.lines().filter(is_fault).collect();
        assert_eq!(faults.len(), 1, "{command}: {stderr}");
        assert!(faults[0].contains(path), "{command}: {stderr}");
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the test.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path().join(name), content).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// `llm`, in this folder.
    fn program(&self) -> Command {
        let mut command = Command::cargo_bin("llm").unwrap();
        command
            .current_dir(self.path())
            .env("LLM_CACHE_DIR", self.path().join("cache"))
            .env_remove("COLUMNS")
            .env_remove("RUST_LOG");
        command
    }

    /// Runs `llm` with these arguments and this stdin.
    fn run_with(&self, arguments: &[&str], stdin: impl Into<Vec<u8>>) -> Ended {
        Ended::of(self.program().args(arguments).write_stdin(stdin))
    }

    /// Runs `llm` as on a terminal with so many columns.
    fn run_at(&self, columns: usize, arguments: &[&str]) -> Ended {
        let mut command = self.program();
        Ended::of(command.env("COLUMNS", columns.to_string()).args(arguments))
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// Runs `llm`, which must succeed, and returns its stdout.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    /// Runs `llm`, which must refuse with this exit code and one line that contains every one of `parts`.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32, parts: &[&str]) {
        self.refused_with(arguments, "", code, parts);
    }

    #[track_caller]
    fn refused_with(
        &self,
        arguments: &[&str],
        stdin: impl Into<Vec<u8>>,
        code: i32,
        parts: &[&str],
    ) {
        let ended = self.run_with(arguments, stdin);
        let stderr = &ended.stderr;
        assert_eq!(ended.code, code, "{arguments:?}: {stderr}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        for part in parts {
            assert!(
                stderr.contains(part),
                "{arguments:?}: no {part:?} in {stderr}"
            );
        }
    }
}

/// The folder of the published test data, `LLM_DATA_DIR`. Without it a test of that data is skipped, loudly; not on CI, where it fails.
fn data_dir(test: &str) -> Option<PathBuf> {
    if let Some(folder) = env::var_os("LLM_DATA_DIR") {
        return Some(folder.into());
    }
    assert!(env::var_os("CI").is_none(), "{test} needs LLM_DATA_DIR");
    // Straight to stderr: what tests print is captured.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: LLM_DATA_DIR is not set");
    None
}

/// Parses one JSON value.
#[track_caller]
fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    let place = Place::new();
    place.refused(&[], 2, &["subcommand", "train", "generate"]);
    place.refused(&["tokenizer"], 2, &["subcommand", "encode"]);
    place.refused(&["trian"], 2, &["trian", "train"]);
    place.refused(&["models", "--jsno"], 2, &["--jsno", "--json"]);
    place.refused(&["models", "extra"], 2, &["extra"]);
    place.refused(
        &["tokenizer", "train", "--data", "a.txt"],
        2,
        &["--output-dir"],
    );
    place.refused(&["train", "--device", "gpu"], 2, &["gpu", "auto", "cuda"]);
    place.refused(&["train", "--seed", "-1"], 2, &["--seed"]);
    place.refused(
        &["train", "--resume", "r", "--config", "c.toml"],
        2,
        &["--resume", "--config"],
    );
}

#[test]
fn help_and_version_are_results() {
    let place = Place::new();
    for command in [
        &["--help"][..],
        &["--version"],
        &["train", "--help"],
        &["tokenizer", "encode", "-h"],
        &["help", "eval"],
    ] {
        assert!(!place.ok(command).is_empty(), "{command:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_command_with_its_code() {
    use std::io::Read;
    use std::process::{Command, Stdio};

    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("llm"))
            .args(["data", "synth", "--size", "1TB"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Once it writes, its handlers are in place.
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 10])
            .unwrap();
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
}
