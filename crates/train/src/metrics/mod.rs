//! Records of training steps and evaluations, each in three files: `metrics.jsonl`, `metrics.csv`, and an event file for TensorBoard.
//!
//! `metrics.jsonl` is the one that counts; the others are functions of its records. So a run that goes on brings all of them to where its
//! checkpoint is in one way, whatever a crash left.

mod csv;
mod lines;
mod tensorboard;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use llm_files::WriteError;
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
    /// Training tokens seen so far: the place in the data, whose order follows from the seed.
    pub tokens: u64,
    /// Passes over the training tokens so far.
    pub epoch: f64,
    /// Training tokens per second of optimizer steps since the record before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_per_s: Option<f64>,
    /// Floating-point operations of the model per second of these steps, as [`step_flops`](crate::step_flops) counts them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flops_per_s: Option<f64>,
    /// Model FLOP utilisation: `flops_per_s` as a share of what the device reaches in a matrix product, measured when this process began to
    /// train. A device that other work has slowed down then looks better used than it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub utilisation: Option<f64>,
    /// Tokens of the evaluation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evaluated_tokens: Option<u64>,
    /// Physical memory of the process in bytes.
    pub rss_bytes: Option<u64>,
    /// Seconds since this process began to train.
    pub seconds: f64,
    /// When it was recorded, in seconds since 1970; 0 in records of versions that did not say.
    #[serde(default)]
    pub time: f64,
}

/// Turns a record into its bytes in a file, with what stands at the beginning of the file where it is the first.
type Encode = fn(&Record, Place) -> Vec<u8>;

/// Where in a file a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

/// The files of a run, as paths in its folder.
const FILES: [(&str, Encode); 3] = [
    (lines::PATH, lines::encode),
    (csv::PATH, csv::encode),
    (tensorboard::PATH, tensorboard::encode),
];

/// The files, open for appending.
#[derive(Debug)]
pub(crate) struct Metrics {
    files: Vec<RecordFile>,
    /// Evaluations of the step that the run goes on after: those that come after its checkpoint are done once more, and not recorded twice.
    evaluations: Vec<(u64, Option<u64>)>,
    /// The loss of the last evaluation that was there on opening.
    validation_loss: Option<f64>,
}

impl Metrics {
    /// Opens the files of a run that goes on after `step`: records of later steps, which a crash left, are dropped.
    pub(crate) fn open(run: &Path, step: u64) -> Result<Self, TrainError> {
        let mut records = lines::read(&run.join(lines::PATH))?;
        records.retain(|record| record.step <= step);
        let again = |record: &&Record| record.step == step && record.split == Split::Validation;
        let last = records
            .iter()
            .rfind(|record| record.split == Split::Validation);
        Ok(Self {
            validation_loss: last.map(|record| record.loss),
            files: FILES
                .into_iter()
                .map(|(path, encode)| RecordFile::open(&run.join(path), encode, &records))
                .collect::<Result<_, _>>()?,
            evaluations: records
                .iter()
                .filter(again)
                .map(|record| (record.step, record.evaluated_tokens))
                .collect(),
        })
    }

    /// The validation loss that the run had measured last when these were opened.
    pub(crate) fn validation_loss(&self) -> Option<f64> {
        self.validation_loss
    }

    pub(crate) fn write(&mut self, record: &Record) -> Result<(), TrainError> {
        let evaluation = (record.step, record.evaluated_tokens);
        if record.split == Split::Validation && self.evaluations.contains(&evaluation) {
            return Ok(());
        }
        self.files
            .iter_mut()
            .try_for_each(|file| file.append(record))
    }
}

/// One of the files.
#[derive(Debug)]
struct RecordFile {
    path: PathBuf,
    file: File,
    encode: Encode,
    place: Place,
}

impl RecordFile {
    /// Opens the file at `path`, after it has been made to hold `records` and nothing else.
    fn open(path: &Path, encode: Encode, records: &[Record]) -> Result<Self, TrainError> {
        let mut place = Place::First;
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(encode(record, place));
            place = Place::Later;
        }
        let folder = llm_files::folder_of(path);
        std::fs::create_dir_all(folder).map_err(WriteError::of(folder))?;
        let is = std::fs::read(path).unwrap_or_default();
        if is != bytes {
            llm_files::write(path, &bytes)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(WriteError::of(path))?,
            encode,
            place,
        })
    }

    fn append(&mut self, record: &Record) -> Result<(), TrainError> {
        let bytes = (self.encode)(record, self.place);
        self.place = Place::Later;
        let written = self.file.write_all(&bytes);
        Ok(written.map_err(WriteError::of(&self.path))?)
    }
}

/// The records of a run, from its `metrics.jsonl`; those that can't be read are left out, such as one that is just being written.
///
/// # Errors
/// The file is missing or can't be read.
pub fn read_metrics(run: &Path) -> Result<Vec<Record>, TrainError> {
    let path = run.join(lines::PATH);
    if !path.exists() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(TrainError::Read { path, source });
    }
    lines::read(&path)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of a training step with every field that one has.
    pub(crate) fn of_training(step: u64) -> Record {
        Record {
            step,
            split: Split::Train,
            loss: 1.5,
            learning_rate: Some(0.1),
            grad_norm: Some(0.75),
            skipped_steps: Some(0),
            tokens: 10,
            epoch: 0.5,
            tokens_per_s: Some(1000.0),
            flops_per_s: Some(2e9),
            utilisation: Some(0.25),
            evaluated_tokens: None,
            rss_bytes: Some(1 << 20),
            seconds: 1.0,
            time: 1.7e9 + step as f64,
        }
    }

    /// A record of an evaluation.
    pub(crate) fn of_evaluation(step: u64, tokens: u64) -> Record {
        Record {
            split: Split::Validation,
            learning_rate: None,
            grad_norm: None,
            skipped_steps: None,
            tokens_per_s: None,
            flops_per_s: None,
            utilisation: None,
            evaluated_tokens: Some(tokens),
            ..of_training(step)
        }
    }

    fn bytes(run: &Path) -> Vec<Vec<u8>> {
        FILES
            .iter()
            .map(|(path, _)| std::fs::read(run.join(path)).expect("read"))
            .collect()
    }

    #[test]
    fn going_on_leaves_the_files_of_a_run_that_never_stopped() {
        let [whole, stopped] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let write = |run: &Path, after: u64, steps: std::ops::Range<u64>| {
            let mut metrics = Metrics::open(run, after).expect("opened");
            for step in steps {
                metrics.write(&of_training(step)).expect("written");
                if step == 3 {
                    metrics.write(&of_evaluation(step, 64)).expect("written");
                }
            }
        };
        write(whole.path(), 0, 1..7);
        // A crash after step 5, in the middle of a record, with the newest checkpoint at 3; one of the files has been lost.
        write(stopped.path(), 0, 1..6);
        for (path, _) in FILES {
            let path = stopped.path().join(path);
            let mut text = std::fs::read(&path).expect("read");
            text.truncate(text.len() - 3);
            std::fs::write(&path, text).expect("written");
        }
        std::fs::remove_file(stopped.path().join(csv::PATH)).expect("removed");
        write(stopped.path(), 3, 4..7);
        assert_eq!(bytes(whole.path()), bytes(stopped.path()));

        write(stopped.path(), 0, 1..1);
        assert!(bytes(stopped.path()).iter().all(Vec::is_empty));
    }

    #[test]
    fn an_evaluation_that_is_done_again_is_recorded_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut metrics = Metrics::open(folder.path(), 0).expect("opened");
        metrics.write(&of_evaluation(4, 64)).expect("written");
        let mut metrics = Metrics::open(folder.path(), 4).expect("opened");
        for tokens in [64, 128] {
            metrics.write(&of_evaluation(4, tokens)).expect("written");
        }
        assert_eq!(read_metrics(folder.path()).expect("read").len(), 2);
    }
}
