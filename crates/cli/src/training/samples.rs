//! `samples.jsonl`: what the model wrote on the way, a sample a line.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;
use llm_files::WriteError;
use serde::{Deserialize, Serialize};

/// The file in a run folder.
const PATH: &str = "samples.jsonl";

/// What the model wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Optimizer steps done.
    pub(crate) step: u64,
    /// The new text, without the prompt.
    pub(crate) text: String,
}

/// The samples of a run so far; none where there is no file. A line that a crash left is left out.
///
/// # Errors
/// The file can't be read.
pub(crate) fn read(run: &Path) -> anyhow::Result<Vec<Sample>> {
    let path = run.join(PATH);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("{}: cannot read", path.display()));
        }
    };
    let lines = bytes.split(|&byte| byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct SampleFile(File);

impl SampleFile {
    /// Opens the file of a run that goes on after `step`: later samples are written again.
    pub(super) fn open(run: &Path, step: u64) -> anyhow::Result<Self> {
        let path = run.join(PATH);
        let old = read(run)?;
        let kept = old.iter().filter(|sample| sample.step <= step);
        let mut text = String::new();
        for sample in kept {
            text += &serde_json::to_string(sample)?;
            text.push('\n');
        }
        if path.exists() {
            llm_files::write(&path, text.as_bytes())?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self(file.map_err(WriteError::of(&path))?))
    }

    /// Adds a sample. One that can't be written is no reason to stop a run.
    pub(super) fn push(&mut self, sample: &Sample) {
        if let Ok(line) = serde_json::to_string(sample) {
            let _ = self.0.write_all(format!("{line}\n").as_bytes());
        }
    }
}
