//! The programs of ours that are measured: built once, then started without cargo, so that a process holds nothing but the work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::{Workspace, check, output};

/// Paths of the criterion benchmarks, by target.
#[derive(Debug)]
pub(super) struct Executables {
    benchmarks: BTreeMap<String, PathBuf>,
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
    /// Builds the benchmarks called `targets`.
    pub(super) fn build(workspace: &Workspace, targets: &[&str]) -> Result<Self> {
        // The whole workspace: for one package alone Burn would have other features, and be built anew.
        let mut command = workspace.cargo("bench --workspace --no-run --locked");
        command.args(["--message-format", "json-render-diagnostics"]);
        for target in targets {
            command.args(["--bench", target]);
        }
        let benchmarks = benchmarks(&output(&mut command)?);
        for target in targets {
            if !benchmarks.contains_key(*target) {
                bail!("cargo built no benchmark called {target}");
            }
        }
        Ok(Self { benchmarks })
    }

    /// The benchmark target, to be started in the root folder; criterion writes below `home`.
    pub(super) fn benchmark(&self, workspace: &Workspace, target: &str, home: &Path) -> Command {
        let mut command = workspace.command(&self.benchmarks[target]);
        command.arg("--bench").env("CRITERION_HOME", home);
        command
    }
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

/// The benchmarks that cargo says it built.
fn benchmarks(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|message: Message| Some((message.target?, message.executable?)))
        .filter(|(target, _)| target.kind.iter().any(|kind| kind == "bench"))
        .map(|(target, path)| (target.name, path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_benchmarks_are_taken_from_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"burn","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"llm","kind":["bin"]},"executable":"/t/llm"}
{"reason":"compiler-artifact","target":{"name":"training","kind":["bench"]},"executable":"/t/training-1"}
{"reason":"build-finished","success":true}"#;
        let expected = [("training".to_owned(), PathBuf::from("/t/training-1"))];
        assert_eq!(benchmarks(messages), BTreeMap::from(expected));
    }
}
