//! What the work is done with: a model of random weights, made once below the target folder, and text from the shared data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::programs::Python;
use crate::workspace::{Workspace, check};

/// The environment variable with the folder of shared data, as the tests know it.
const DATA: &str = "LLM_DATA_DIR";

/// Makes and finds materials.
pub(super) struct Materials<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) python: Option<&'a Python>,
}

impl Materials<'_> {
    /// GPT-2 124M as a Hugging Face folder with GPT-2's tokenizer.
    pub(super) fn hf_folder(&self) -> Result<PathBuf> {
        let tokenizer = shared("tokenizers/gpt2")?;
        self.made("hf", "gpt2-124m", Some(&tokenizer))
    }

    /// The same weights as an f32 GGUF file.
    pub(super) fn gguf(&self) -> Result<PathBuf> {
        self.made("gguf", "gpt2-124m-f32.gguf", None)
    }

    /// Tiny Shakespeare.
    pub(super) fn shakespeare(&self) -> Result<PathBuf> {
        shared("corpora/tinyshakespeare.txt")
    }

    /// `name` below the target folder, which `gpt2_124m.py KIND` makes if it is not there.
    fn made(&self, kind: &str, name: &str, from: Option<&Path>) -> Result<PathBuf> {
        let folder = self.workspace.target.join("xtask").join("peers");
        let path = folder.join(name);
        if !path.exists() {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            let python = self
                .python
                .with_context(|| format!("{name} is made with --peers PYTHON"))?;
            let mut command = python.script(self.workspace, "gpt2_124m.py");
            // stdout is for the report.
            check(
                command
                    .arg(kind)
                    .arg(&path)
                    .args(from)
                    .stdout(std::io::stderr()),
            )?;
        }
        Ok(path)
    }
}

fn shared(path: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(DATA)
        .with_context(|| format!("set {DATA} to the folder of shared data, for its {path}"))?;
    let path = PathBuf::from(folder).join(path);
    if !path.exists() {
        bail!("{} does not exist", path.display());
    }
    Ok(path)
}
