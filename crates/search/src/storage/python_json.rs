//! JSON as Python writes it, with numbers that JSON does not have: `NaN` and `Infinity`, as bare words.
//!
//! They are read as texts that nobody writes, and written the same way around.

use serde_json::{Value, json};

/// Bare words of Python, and the numbers that they stand for.
const WORDS: [(&str, f64); 3] = [
    ("-Infinity", f64::NEG_INFINITY),
    ("Infinity", f64::INFINITY),
    ("NaN", f64::NAN),
];
/// Begins a text that stands for a bare word.
const MARK: char = '\u{1}';
const ESCAPED_MARK: &str = "\\u0001";

/// Reads a text, bare words included.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(&quote_words(text)).map_err(|_| error))
}

/// Writes a value on one line, bare words where [`float`] has put them.
pub(super) fn write(value: &Value) -> String {
    let mut text = value.to_string();
    if text.contains(ESCAPED_MARK) {
        for (word, _) in WORDS {
            text = text.replace(&format!("\"{ESCAPED_MARK}{word}\""), word);
        }
    }
    text
}

/// A number as a value, also one that JSON does not have.
pub(super) fn float(value: f64) -> Value {
    match WORDS
        .iter()
        .find(|(_, special)| special.to_bits() == value.to_bits())
    {
        Some((word, _)) => json!(format!("{MARK}{word}")),
        None if value.is_nan() => json!(format!("{MARK}NaN")),
        None => json!(value),
    }
}

/// The number of a value, also one that JSON does not have.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| {
        let text = value.as_str()?.strip_prefix(MARK)?;
        WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, number)| *number)
    })
}

/// The bare words outside of strings, as strings.
fn quote_words(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut rest = text;
    'text: while let Some(first) = rest.chars().next() {
        if !in_string {
            for (word, _) in WORDS {
                if let Some(after) = rest.strip_prefix(word) {
                    quoted.extend(["\"", ESCAPED_MARK, word, "\""]);
                    rest = after;
                    continue 'text;
                }
            }
        }
        let mut length = first.len_utf8();
        if first == '"' {
            in_string = !in_string;
        } else if first == '\\' {
            length += rest[length..].chars().next().map_or(0, char::len_utf8);
        }
        quoted.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    quoted
}
