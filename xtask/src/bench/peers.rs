//! The same work in the programs a user would pick instead: the scripts of `xtask/peers`.

use std::path::Path;

use anyhow::{Context, Result};

use super::Measurement;
use crate::workspace::{Workspace, output, shown};

/// Our name, and the script and arguments that do the same work. A script prints one JSON object a line.
const PEERS: [(&str, &str); 5] = [
    ("char-small", "torch_train.py --json --only char-small"),
    ("char-base", "torch_train.py --json --only char-base"),
    ("llama-base", "torch_train.py --json --only llama-base"),
    (
        "gpt2-124m prefill",
        "hf_generate.py --json --dtype f32 --only prefill",
    ),
    (
        "gpt2-124m decode",
        "hf_generate.py --json --dtype f32 --only decode",
    ),
];

/// Runs the peer of the benchmark called `name`; nothing if it has none.
///
/// # Errors
/// The script fails, or prints something else than measurements.
pub(super) fn measure(
    workspace: &Workspace,
    python: &Path,
    name: &str,
) -> Result<Vec<Measurement>> {
    let Some((_, line)) = PEERS.iter().find(|(ours, _)| *ours == name) else {
        eprintln!("{name} has no peer");
        return Ok(Vec::new());
    };
    let (script, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let mut command = workspace.command(python);
    command
        .arg(format!("xtask/peers/{script}"))
        .args(arguments.split_whitespace());
    eprintln!("$ {}", shown(&command));
    let printed = output(&mut command)?;
    printed
        .lines()
        .map(|line| {
            serde_json::from_str(line).with_context(|| format!("{script} printed `{line}`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_exist() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for (_, line) in PEERS {
            let script = line.split(' ').next().unwrap();
            assert!(folder.join(script).is_file(), "{script}");
        }
    }
}
