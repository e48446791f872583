//! What the work is done with: a model of random weights and stories of our grammar, made once below the target folder, and text from the
//! shared data.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

use super::executables::Executables;
use super::programs::Python;
use crate::workspace::{Workspace, check};

/// The environment variable with the folder of shared data, as the tests know it.
const DATA: &str = "LLM_DATA_DIR";

/// How many stories there are to be prepared, as `measure make` takes it.
const STORIES: &str = "64MB";
/// Tokens of the BPE that is learned from the novels.
pub(super) const BPE_TOKENS: &str = "8192";

/// Makes and finds materials.
pub(super) struct Materials<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) python: Option<&'a Python>,
    pub(super) executables: &'a Executables,
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

    /// All novels of the shared data in one file.
    pub(super) fn novels(&self) -> Result<PathBuf> {
        let folder = shared("corpora/gutenberg")?;
        let path = self.folder()?.join("novels.txt");
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|e| e == "gz"));
        files.sort();
        let mut text = String::new();
        for file in files {
            let packed = File::open(&file);
            packed
                .and_then(|packed| GzDecoder::new(packed).read_to_string(&mut text))
                .with_context(|| format!("cannot read {}", file.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The folder of a BPE that was learned from them.
    pub(super) fn tokenizer(&self) -> Result<PathBuf> {
        let folder = self.folder()?.join(format!("bpe-{BPE_TOKENS}"));
        if !folder.exists() {
            let mut command = self.executables.example(self.workspace, "tokenizer_speed");
            command.arg("train").arg(self.novels()?).arg(BPE_TOKENS);
            check(command.arg(&folder).stdout(std::io::stderr()))?;
        }
        Ok(folder)
    }

    /// Stories in a file of this name, whose extension says the format; in web pages where there is none.
    pub(super) fn stories(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder()?.join(name);
        if !path.exists() {
            let mut command = self.executables.example(self.workspace, "measure");
            check(command.args(["make", STORIES]).arg(&path))?;
        }
        Ok(path)
    }

    /// Where materials are made.
    fn folder(&self) -> Result<PathBuf> {
        let folder = self.workspace.target.join("xtask").join("peers");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// `name` below the target folder, which `gpt2_124m.py KIND` makes if it is not there.
    fn made(&self, kind: &str, name: &str, from: Option<&Path>) -> Result<PathBuf> {
        let path = self.folder()?.join(name);
        if !path.exists() {
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

pub(super) fn shared(path: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(DATA)
        .with_context(|| format!("set {DATA} to the folder of shared data, for its {path}"))?;
    let path = PathBuf::from(folder).join(path);
    if !path.exists() {
        bail!("{} does not exist", path.display());
    }
    Ok(path)
}
