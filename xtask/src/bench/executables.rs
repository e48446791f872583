//! The programs of ours that are measured: built once, then started without cargo, so that a process holds nothing but the work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::{Workspace, check, output};

/// Paths of the criterion benchmarks and of the examples, by target.
#[derive(Debug)]
pub(super) struct Executables {
    benchmarks: BTreeMap<String, PathBuf>,
    examples: BTreeMap<String, PathBuf>,
}

/// A line of `cargo --message-format json`.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Executables {
    /// Builds the benchmarks and the examples that are called so.
    pub(super) fn build(
        workspace: &Workspace,
        benchmarks: &[&str],
        examples: &[&str],
    ) -> Result<Self> {
        Ok(Self {
            // The whole workspace: for one package alone Burn would have other features, and be built anew.
            benchmarks: build(workspace, "bench --workspace --no-run", "bench", benchmarks)?,
            // These packages know nothing of Burn.
            examples: build(
                workspace,
                "build --release -p llm-data -p llm-tokenizer",
                "example",
                examples,
            )?,
        })
    }

    /// The example, to be started in the root folder.
    pub(super) fn example(&self, workspace: &Workspace, target: &str) -> Command {
        workspace.command(&self.examples[target])
    }

    /// The benchmark target, to be started in the root folder; criterion writes below `home`.
    pub(super) fn benchmark(&self, workspace: &Workspace, target: &str, home: &Path) -> Command {
        let mut command = workspace.command(&self.benchmarks[target]);
        command.arg("--bench").env("CRITERION_HOME", home);
        command
    }
}

/// Builds the targets of one `kind` that are called so.
fn build(
    workspace: &Workspace,
    cargo: &str,
    kind: &str,
    targets: &[&str],
) -> Result<BTreeMap<String, PathBuf>> {
    if targets.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut command = workspace.cargo(&format!("{cargo} --locked"));
    command.args(["--message-format", "json-render-diagnostics"]);
    for target in targets {
        command.args([&format!("--{kind}"), *target]);
    }
    let built = executables(&output(&mut command)?, kind);
    for target in targets {
        if !built.contains_key(*target) {
            bail!("cargo built no {kind} called {target}");
        }
    }
    Ok(built)
}

/// Builds the release program as the README does, and returns its path.
pub(super) fn build_llm(workspace: &Workspace) -> Result<PathBuf> {
    check(
        workspace
            .cargo("build --release --locked")
            .stdout(Stdio::inherit()),
    )
    .context("cannot build llm")?;
    let name = format!("llm{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join("release").join(name))
}

/// The programs of one `kind` that cargo says it built.
fn executables(messages: &str, kind: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|message: Message| Some((message.target?, message.executable?)))
        .filter(|(target, _)| target.kind.iter().any(|of| of == kind))
        .map(|(target, path)| (target.name, path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages_by_their_kind() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"burn","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"llm","kind":["bin"]},"executable":"/t/llm"}
{"reason":"compiler-artifact","target":{"name":"training","kind":["bench"]},"executable":"/t/training-1"}
{"reason":"compiler-artifact","target":{"name":"measure","kind":["example"]},"executable":"/t/examples/measure"}
{"reason":"build-finished","success":true}"#;
        for (kind, name, path) in [
            ("bench", "training", "/t/training-1"),
            ("example", "measure", "/t/examples/measure"),
        ] {
            let expected = [(name.to_owned(), PathBuf::from(path))];
            assert_eq!(executables(messages, kind), BTreeMap::from(expected));
        }
    }
}
