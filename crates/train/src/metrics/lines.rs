//! `metrics.jsonl`: a record a line.

use std::io::ErrorKind;
use std::path::Path;

use super::{Place, Record};
use crate::TrainError;

pub(super) const PATH: &str = "metrics.jsonl";

pub(super) fn encode(record: &Record, _: Place) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("numbers and names");
    line.push(b'\n');
    line
}

/// The records of a file, none where it is missing; lines that are none, as a crash leaves them, are left out.
pub(super) fn read(path: &Path) -> Result<Vec<Record>, TrainError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(source) => {
            return Err(TrainError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let lines = bytes.split(|&byte| byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}
