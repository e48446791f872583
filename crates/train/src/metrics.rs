//! `metrics.jsonl`: one record a line, of training steps and evaluations.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Which part of the data a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// One optimizer step.
    Train,
    /// An evaluation.
    Validation,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Optimizer steps done.
    pub step: u64,
    /// Training or validation.
    pub split: Split,
    /// Mean loss in nats per token: of this step's tokens, or of the evaluation's.
    pub loss: f64,
    /// Learning rate of this step, of all parameters but those of Muon.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<f64>,
    /// Norm of all gradients before clipping.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// Steps so far whose update was left out; with `train.skip_spikes`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped_steps: Option<u64>,
    /// Training tokens seen so far.
    pub tokens: u64,
    /// Passes over the training tokens so far.
    pub epoch: f64,
    /// Training tokens per second of optimizer steps since the record before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_per_s: Option<f64>,
    /// Tokens of the evaluation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evaluated_tokens: Option<u64>,
    /// Physical memory of the process in bytes.
    pub rss_bytes: Option<u64>,
    /// Seconds since this process began to train.
    pub seconds: f64,
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
    /// Evaluations of the step that the run goes on after: those that come after its checkpoint are done once more, and not recorded twice.
    evaluations: Vec<(u64, Option<u64>)>,
}

impl MetricsFile {
    /// Opens the file of a run that goes on after `step`: records of later steps, which a crash left, are dropped.
    pub(crate) fn open(run: &Path, step: u64) -> Result<Self, TrainError> {
        let path = run.join("metrics.jsonl");
        let failed = |source| TrainError::Write {
            path: path.clone(),
            source,
        };
        let old = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(TrainError::Read { path, source }),
        };
        let mut kept = String::new();
        let mut evaluations = Vec::new();
        for line in old.lines() {
            let Ok(record) = serde_json::from_str::<Record>(line) else {
                continue;
            };
            if record.step <= step {
                kept.extend([line, "\n"]);
            }
            if record.step == step && record.split == Split::Validation {
                evaluations.push((record.step, record.evaluated_tokens));
            }
        }
        if kept != old {
            let mut file = tempfile::NamedTempFile::new_in(run).map_err(failed)?;
            file.write_all(kept.as_bytes()).map_err(failed)?;
            file.as_file().sync_all().map_err(failed)?;
            file.persist(&path).map_err(|error| failed(error.error))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        Ok(Self {
            path,
            file,
            evaluations,
        })
    }

    pub(crate) fn write(&mut self, record: &Record) -> Result<(), TrainError> {
        let evaluation = (record.step, record.evaluated_tokens);
        if record.split == Split::Validation && self.evaluations.contains(&evaluation) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(record).expect("numbers and names");
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(|source| TrainError::Write {
                path: self.path.clone(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_drops_what_a_crash_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = |step| Record {
            step,
            split: Split::Train,
            loss: 1.5,
            learning_rate: Some(0.1),
            grad_norm: None,
            skipped_steps: None,
            tokens: 10,
            epoch: 0.5,
            tokens_per_s: None,
            evaluated_tokens: None,
            rss_bytes: None,
            seconds: 1.0,
        };
        let mut file = MetricsFile::open(folder.path(), 0).expect("opened");
        for step in 1..=5 {
            file.write(&record(step)).expect("written");
        }
        // A line cut short by the crash.
        file.file.write_all(b"{\"step\":6,\"spl").expect("written");
        let mut file = MetricsFile::open(folder.path(), 3).expect("opened");
        file.write(&record(4)).expect("written");
        let text = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("read");
        let steps: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<Record>(line).expect("a record").step)
            .collect();
        assert_eq!(steps, [1, 2, 3, 4]);
    }

    #[test]
    fn an_evaluation_that_is_done_again_is_recorded_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = |evaluated_tokens| Record {
            step: 4,
            split: Split::Validation,
            loss: 1.5,
            learning_rate: None,
            grad_norm: None,
            skipped_steps: None,
            tokens: 10,
            epoch: 0.5,
            tokens_per_s: None,
            evaluated_tokens,
            rss_bytes: None,
            seconds: 1.0,
        };
        let mut file = MetricsFile::open(folder.path(), 0).expect("opened");
        file.write(&record(Some(64))).expect("written");
        let mut file = MetricsFile::open(folder.path(), 4).expect("opened");
        for tokens in [64, 128] {
            file.write(&record(Some(tokens))).expect("written");
        }
        let text = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("read");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
