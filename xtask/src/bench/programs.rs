//! Doing a case's work once, in a process of its own: our benchmarks and program, and the peers' scripts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::criterion::{self, Id};
use super::executables::Executables;
use super::materials::Materials;
use super::process::{self, Finished};
use super::quantities::Quantity;
use super::speedrun;
use crate::workspace::{Workspace, output, shown};

/// What one run measured.
pub(super) type Values = BTreeMap<Quantity, f64>;

/// The prompt of a cold start.
const PROMPT: &str = "One morning";

/// How the work of a case is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// By a criterion benchmark of ours.
    Benchmark(Id),
    /// By an example of ours that prints what it measured.
    Example(Example),
    /// By `llm generate`, from its start to its end.
    FirstToken,
    /// By `llm train`, to the loss of the peer.
    Speedrun,
    /// By a script that prints what it measured.
    Script(Script),
    /// By a script, from its start to its end.
    ScriptToItsEnd(Script),
}

impl Work {
    /// Whether the release program does it.
    pub(super) fn needs_llm(&self) -> bool {
        matches!(self, Self::FirstToken | Self::Speedrun)
    }
}

/// A script of `xtask/peers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// Python packages without which it cannot run.
    needs: Vec<&'static str>,
    /// Its file name and arguments; see [`Programs::argument`].
    words: Vec<String>,
    threads: Option<u32>,
}

impl Script {
    pub(super) fn new(needs: &[&'static str], line: &str) -> Self {
        Self {
            needs: needs.to_vec(),
            words: line.split(' ').map(str::to_owned).collect(),
            threads: None,
        }
    }

    /// The same with so many threads of the package's own pool.
    pub(super) fn with_threads(mut self, n: u32) -> Self {
        self.threads = Some(n);
        self
    }

    /// The script's file name.
    pub(super) fn file(&self) -> &str {
        &self.words[0]
    }
}

/// An example of our crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) name: &'static str,
    /// Its arguments; see [`Programs::argument`].
    words: Vec<String>,
    threads: u32,
}

impl Example {
    pub(super) fn new(name: &'static str, line: &str, threads: u32) -> Self {
        Self {
            name,
            words: line.split(' ').map(str::to_owned).collect(),
            threads,
        }
    }
}

/// A Python, and the packages that it has.
#[derive(Debug)]
pub(super) struct Python {
    pub(super) path: PathBuf,
    /// By package name; `python` is Python's own.
    pub(super) versions: BTreeMap<String, String>,
}

impl Python {
    /// Asks the program at `path` for its packages.
    pub(super) fn ask(workspace: &Workspace, path: PathBuf) -> Result<Self> {
        let packages = [
            "torch",
            "transformers",
            "tokenizers",
            "numpy",
            "gguf",
            "llama_cpp_python",
        ];
        let mut command = workspace.command(&path);
        let printed = output(command.arg("xtask/peers/versions.py").args(packages))?;
        let versions = serde_json::from_str(&printed)
            .with_context(|| format!("versions.py printed `{printed}`"))?;
        Ok(Self { path, versions })
    }

    /// `python xtask/peers/FILE`.
    pub(super) fn script(&self, workspace: &Workspace, file: &str) -> Command {
        let mut command = workspace.command(&self.path);
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(format!("xtask/peers/{file}"));
        command
    }

    /// # Errors
    /// Names the packages that are missing.
    fn check(&self, needs: &[&str]) -> Result<()> {
        let missing: Vec<&str> = needs
            .iter()
            .copied()
            .filter(|package| !self.versions.contains_key(*package))
            .collect();
        if !missing.is_empty() {
            bail!("this Python has no {}", missing.join(" and no "));
        }
        Ok(())
    }
}

/// Everything that is needed to do the work.
pub(super) struct Programs<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) executables: &'a Executables,
    /// The release build of `llm`; may be missing where no work needs it.
    pub(super) llm: &'a Path,
    pub(super) python: Option<&'a Python>,
}

impl Programs<'_> {
    /// Does `work` once.
    ///
    /// # Errors
    /// Something that it needs is missing, or it fails.
    pub(super) fn measure(&self, work: &Work) -> Result<Values> {
        match work {
            Work::Benchmark(id) => criterion::measure(self.workspace, self.executables, id, None),
            Work::FirstToken => {
                let mut command = self.workspace.command(self.llm);
                command.args(["--quiet", "generate", "--strategy", "greedy"]);
                command.args(["--max-new-tokens", "1", "--prompt", PROMPT, "--model"]);
                command.arg(self.materials().hf_folder()?);
                to_its_end(&mut command)
            }
            Work::Speedrun => {
                speedrun::measure(self.workspace, self.llm, &self.materials().shakespeare()?)
            }
            Work::Example(example) => {
                let scratch = tempfile::tempdir()?;
                let mut command = self.executables.example(self.workspace, example.name);
                command.env("RAYON_NUM_THREADS", example.threads.to_string());
                for word in &example.words {
                    command.arg(self.argument(word, scratch.path())?);
                }
                self_measured(&mut command)
            }
            Work::Script(script) => {
                let scratch = tempfile::tempdir()?;
                self_measured(&mut self.script(script, scratch.path())?)
            }
            Work::ScriptToItsEnd(script) => {
                let scratch = tempfile::tempdir()?;
                to_its_end(&mut self.script(script, scratch.path())?)
            }
        }
    }

    fn materials(&self) -> Materials<'_> {
        Materials {
            workspace: self.workspace,
            python: self.python,
            executables: self.executables,
        }
    }

    /// What a word of a command line stands for: `{folder}`, `{gguf}`, `{shakespeare}`, `{novels}`, `{stories.EXTENSION}` and `{prompt}` for
    /// materials, `{scratch}` for a folder that is empty and goes afterwards, anything else for itself.
    fn argument(&self, word: &str, scratch: &Path) -> Result<OsString> {
        let materials = self.materials();
        let inside = word.strip_prefix('{').and_then(|w| w.strip_suffix('}'));
        Ok(match inside {
            Some("folder") => materials.hf_folder()?.into(),
            Some("gguf") => materials.gguf()?.into(),
            Some("shakespeare") => materials.shakespeare()?.into(),
            Some("novels") => materials.novels()?.into(),
            Some("tokenizer") => materials.tokenizer()?.into(),
            Some("prompt") => PROMPT.into(),
            Some("scratch") => scratch.into(),
            Some(name) => materials.stories(name)?.into(),
            None => word.into(),
        })
    }

    fn script(&self, script: &Script, scratch: &Path) -> Result<Command> {
        let python = self.python.context("a peer needs --peers PYTHON")?;
        python.check(&script.needs)?;
        let mut command = python.script(self.workspace, script.file());
        for word in &script.words[1..] {
            command.arg(self.argument(word, scratch)?);
        }
        if let Some(n) = script.threads {
            command.env("RAYON_NUM_THREADS", n.to_string());
        }
        Ok(command)
    }
}

/// Runs a program that prints what it measured, and adds its memory.
fn self_measured(command: &mut Command) -> Result<Values> {
    let finished = process::run(command)?;
    let mut values = printed(&finished.stdout)?;
    if values.is_empty() {
        bail!("`{}` printed no measurement", shown(command));
    }
    values.insert(Quantity::Memory, megabytes(&finished));
    Ok(values)
}

/// The first run brings the files into the system's memory, so that the second measures the program and not the disk.
fn to_its_end(command: &mut Command) -> Result<Values> {
    process::run(command)?;
    let finished = process::run(command)?;
    Ok(Values::from([
        (Quantity::Time, finished.wall.as_secs_f64()),
        (Quantity::Memory, megabytes(&finished)),
    ]))
}

fn megabytes(finished: &Finished) -> f64 {
    finished.peak_bytes as f64 / 1e6
}

/// A JSON object on a line of its own.
#[derive(Deserialize)]
struct Printed {
    value: f64,
    unit: String,
}

/// What a program printed about itself: every line that is a JSON object.
///
/// # Errors
/// An object without value or unit, or with an unknown unit.
pub(super) fn printed(stdout: &str) -> Result<Values> {
    stdout
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| {
            let printed: Printed =
                serde_json::from_str(line).with_context(|| format!("cannot read `{line}`"))?;
            let quantity = Quantity::of_unit(&printed.unit)
                .with_context(|| format!("unknown unit in `{line}`"))?;
            Ok((quantity, printed.value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_are_measurements() {
        let stdout = "warming up\n{\"name\":\"a\",\"value\":2.5,\"unit\":\"tokens/s\",\"mode\":\"eager\"}\n\
            {\"name\":\"a\",\"value\":3,\"unit\":\"page faults/step\"}\n";
        let expected = [(Quantity::Speed, 2.5), (Quantity::PageFaults, 3.0)];
        assert_eq!(printed(stdout).unwrap(), Values::from(expected));
        assert_eq!(printed("nothing\n").unwrap(), Values::new());
        assert!(printed("{\"value\":1}").is_err());
        assert!(printed("{\"value\":1,\"unit\":\"furlongs\"}").is_err());
    }

    #[test]
    fn missing_packages_are_named() {
        let python = Python {
            path: PathBuf::from("python"),
            versions: BTreeMap::from([("torch".to_owned(), "2".to_owned())]),
        };
        assert!(python.check(&["torch"]).is_ok());
        let error = python.check(&["torch", "gguf", "numpy"]).unwrap_err();
        assert_eq!(error.to_string(), "this Python has no gguf and no numpy");
    }
}
