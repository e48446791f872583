//! `metrics.csv`: the records as a table, for spreadsheets.

use serde_json::Value;

use super::{Place, Record};

pub(super) const PATH: &str = "metrics.csv";

/// The columns, named as in `metrics.jsonl`. What a record does not have is left empty.
const COLUMNS: [&str; 15] = [
    "step",
    "split",
    "loss",
    "learning_rate",
    "grad_norm",
    "skipped_steps",
    "tokens",
    "epoch",
    "tokens_per_s",
    "flops_per_s",
    "utilisation",
    "evaluated_tokens",
    "rss_bytes",
    "seconds",
    "time",
];

pub(super) fn encode(record: &Record, place: Place) -> Vec<u8> {
    let record = serde_json::to_value(record).expect("numbers and names");
    // No cell needs quotes: all are numbers, but for the name of the split.
    let cells = COLUMNS.map(|column| match record.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
    });
    let head = match place {
        Place::First => COLUMNS.join(",") + "\n",
        Place::Later => String::new(),
    };
    (head + &cells.join(",") + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of_evaluation, of_training};
    use super::*;

    #[test]
    fn every_field_has_a_column() {
        let full = Record {
            evaluated_tokens: Some(7),
            ..of_training(3)
        };
        let Value::Object(fields) = serde_json::to_value(&full).expect("numbers") else {
            panic!("an object")
        };
        assert_eq!(fields.keys().collect::<Vec<_>>(), COLUMNS.to_vec());
    }

    #[test]
    fn what_is_missing_is_an_empty_cell() {
        let text = String::from_utf8(encode(&of_evaluation(3, 64), Place::First)).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "3,validation,1.5,,,,10,0.5,,,,64,1048576,1.0,1700000003.0"
        );
        assert_eq!(
            encode(&of_evaluation(3, 64), Place::Later),
            format!("{}\n", lines[1]).as_bytes()
        );
    }
}
