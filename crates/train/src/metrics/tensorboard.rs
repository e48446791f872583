//! An event file for TensorBoard: scalars, whose names begin with the group that TensorBoard shows them in.
//!
//! The file is a row of TFRecords, each a length, its checksum, bytes, their checksum; the bytes are a protocol buffer `Event`. Sources:
//! `tensorflow/core/lib/io/record_writer.h` for the records, `tensorflow/core/util/event.proto` and `framework/summary.proto` for the
//! fields.

use prost::Message;

use super::{Place, Record, Split};

/// TensorBoard looks for `tfevents` in the name, and other programs for a time behind it.
pub(super) const PATH: &str = "tensorboard/events.out.tfevents.0.llm";

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional, because a scalar of 0 has to be written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

pub(super) fn encode(record: &Record, place: Place) -> Vec<u8> {
    let mut bytes = Vec::new();
    if place == Place::First {
        write_event(
            &mut bytes,
            &Event {
                wall_time: record.time,
                file_version: Some("brain.Event:2".to_owned()),
                ..Event::default()
            },
        );
    }
    let value = scalars(record).into_iter().map(|(tag, value)| Scalar {
        tag: tag.to_owned(),
        simple_value: Some(value as f32),
    });
    write_event(
        &mut bytes,
        &Event {
            wall_time: record.time,
            step: i64::try_from(record.step).unwrap_or(i64::MAX),
            summary: Some(Summary {
                value: value.collect(),
            }),
            ..Event::default()
        },
    );
    bytes
}

/// What a record says, by the names that TensorBoard shows.
fn scalars(record: &Record) -> Vec<(&'static str, f64)> {
    match record.split {
        Split::Validation => vec![("loss/validation", record.loss)],
        Split::Train => {
            let amount = |number: Option<u64>| number.map(|number| number as f64);
            let all = [
                ("loss/train", Some(record.loss)),
                ("training/learning_rate", record.learning_rate),
                ("training/grad_norm", record.grad_norm),
                ("training/skipped_steps", amount(record.skipped_steps)),
                ("data/tokens", amount(Some(record.tokens))),
                ("data/epoch", Some(record.epoch)),
                ("speed/tokens_per_s", record.tokens_per_s),
                ("speed/flops_per_s", record.flops_per_s),
                ("speed/utilisation", record.utilisation),
                ("memory/rss_bytes", amount(record.rss_bytes)),
            ];
            all.into_iter()
                .filter_map(|(tag, value)| Some((tag, value?)))
                .collect()
        }
    }
}

/// Appends one TFRecord.
fn write_event(bytes: &mut Vec<u8>, event: &Event) {
    let event = event.encode_to_vec();
    let length = (event.len() as u64).to_le_bytes();
    bytes.extend(length);
    bytes.extend(masked(crc32c::crc32c(&length)).to_le_bytes());
    bytes.extend(&event);
    bytes.extend(masked(crc32c::crc32c(&event)).to_le_bytes());
}

/// A checksum as it is stored: turned and shifted, because the checksum of bytes with their own checksum in them says little.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of_evaluation, of_training};
    use super::*;

    /// `xtask/golden/tensorboard_events.py` writes the same events with the protocol buffers and the writer of TensorBoard's own package.
    #[test]
    fn events_are_those_of_tensorboard() {
        let golden = include_bytes!("../../tests/golden/events.out.tfevents.0.llm");
        let mut bytes = encode(&of_training(1), Place::First);
        bytes.extend(encode(&of_training(2), Place::Later));
        bytes.extend(encode(&of_evaluation(2, 64), Place::Later));
        assert!(bytes == golden, "{bytes:?}");
    }
}
