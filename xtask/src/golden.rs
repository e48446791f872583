//! `cargo xtask golden`: makes the golden files of all crates again with the reference frameworks.
//!
//! The scripts stand in `xtask/golden`, with the versions they were run with in `requirements.txt`.

use std::path::PathBuf;

use anyhow::Result;

use crate::postgres::Postgres;
use crate::workspace::{Workspace, check, located, output};

/// The scripts, in the order of running; each writes to the crates that its docstring names.
const SCRIPTS: [&str; 23] = [
    "layers.py",
    "tiny_models.py",
    "inspecting.py",
    "tiny_old_folders.py",
    "openai_checkpoints.py",
    "save_pretrained.py",
    "rope.py",
    "parameter_counts.py",
    "sampling.py",
    "samplers.py",
    "optimizers.py",
    "schedules.py",
    "search_studies.py",
    "chat_templates.py",
    "bpe_training.py",
    "encodings.py",
    "gguf_vocabularies.py",
    "trained_here.py",
    "openai_gpt_tokenizer.py",
    "gguf_files.py",
    "sentencepiece_models.py",
    "tiktoken_ranks.py",
    "tensorboard_events.py",
];

/// The live checks, each with its options beside `--llm`: models that the program writes in the programs of others, and theirs in ours.
const CHECKS: [(&str, &[&str]); 4] = [
    ("check_interop.py", &["--trainer"]),
    ("check_llama_cpp.py", &[]),
    ("check_config_keys.py", &[]),
    ("check_tensorboard.py", &[]),
];

/// Arguments of `cargo xtask golden`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Python that has the packages of xtask/golden/requirements.txt [default: make one below the target folder].
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Make no file, but let transformers, llama.cpp and Optuna load, continue and train what `llm` writes, and `llm` what they write.
    #[arg(long)]
    check: bool,
}

/// Runs every script, then prints what changed; or the live checks.
///
/// # Errors
/// Names the command that failed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let python = match &args.python {
        Some(python) => located(python)?,
        None => make_environment(workspace)?,
    };
    let script = |name: &str| {
        let mut command = workspace.command(&python);
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(format!("xtask/golden/{name}"));
        command
    };
    if args.check {
        check(&mut workspace.cargo("build --release --locked"))?;
        let program = workspace.target.join("release/llm");
        for (name, options) in CHECKS {
            let mut command = script(&format!("live/{name}"));
            check(command.arg("--llm").arg(&program).args(options))?;
        }
        let build =
            "build --release --locked --package llm-search --features rdb --example shared_study";
        check(&mut workspace.cargo(build))?;
        let worker = workspace.target.join("release/examples/shared_study");
        let server = Postgres::start()?;
        check(
            script("live/check_optuna.py")
                .arg("--worker")
                .arg(worker)
                .args(["--postgres", &server.url()]),
        )?;
        return Ok(());
    }
    for name in SCRIPTS {
        check(&mut script(name))?;
    }
    let changed = output(workspace.command("git").args([
        "diff",
        "--stat",
        "--",
        ":(glob)crates/*/tests/golden/**",
    ]))?;
    if changed.is_empty() {
        println!("no golden file changed");
    } else {
        println!("{changed}");
    }
    Ok(())
}

fn make_environment(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("golden-venv");
    let python = if cfg!(windows) {
        folder.join("Scripts/python.exe")
    } else {
        folder.join("bin/python")
    };
    if !python.exists() {
        check(
            workspace
                .command("python3")
                .args(["-m", "venv"])
                .arg(&folder),
        )?;
    }
    check(workspace.command(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--requirement",
        "xtask/golden/requirements.txt",
    ]))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_run() {
        let workspace = Workspace::find().unwrap();
        let mut found: Vec<String> = std::fs::read_dir(workspace.root.join("xtask/golden"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".py") && name != "common.py")
            .collect();
        found.sort();
        let mut listed = SCRIPTS.map(str::to_owned);
        listed.sort();
        assert_eq!(found, listed);
    }
}
