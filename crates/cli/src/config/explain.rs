//! An error of deserialization in words: the key, what belongs there, what was found, and the name that was probably meant.

use figment::error::Kind;

use super::{keys, tree};
use crate::names;

/// One line on what is wrong, without where it was written.
pub(crate) fn explain(error: &figment::Error) -> String {
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, known) => {
            // The path ends with the name, except inside a table that has its own `kind`.
            let has_name = error.path.last() == Some(name);
            let key = if has_name {
                key
            } else {
                format!("{key}.{name}")
            };
            unknown_key(&key, name, known)
        }
        Kind::UnknownVariant(name, known) => {
            format!(
                "{key} = {name:?} is not known: use one of {}",
                known.join(", ")
            )
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!(
                "{key} must be {}, found {}",
                expectation(&key, expected),
                tree::describe(found)
            )
        }
        Kind::InvalidLength(found, expected) => {
            format!(
                "{key} must be {}, found {found} values",
                expectation(&key, expected)
            )
        }
        Kind::MissingField(name) if key.is_empty() => format!("the key `{name}` is missing"),
        Kind::MissingField(name) => format!("the key `{key}.{name}` is missing"),
        other if key.is_empty() => other.to_string(),
        other => format!("{key}: {other}"),
    }
}

fn unknown_key(key: &str, name: &str, known: &[&str]) -> String {
    let table = key.strip_suffix(name).unwrap_or_default();
    // A key in the wrong table is more likely than a misspelt one.
    let elsewhere = keys::all()
        .into_iter()
        .find(|other| other.split_once('.').is_some_and(|(_, leaf)| leaf == name));
    if let Some(other) = elsewhere {
        return format!("unknown key `{key}`, did you mean `{other}`?");
    }
    match names::nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown key `{key}`, did you mean `{table}{near}`?"),
        None => format!("unknown key `{key}`, known here: {}", known.join(", ")),
    }
}

/// What serde expects, in words for people who do not write Rust.
fn expectation(key: &str, expected: &str) -> String {
    let names = keys::variants(key);
    if !names.is_empty() {
        return format!(
            "one of {}",
            names
                .iter()
                .map(|n| format!("{n:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" | "path string" => "a text in quotes".into(),
        "a sequence" => "a list such as [\"a\", \"b\"]".into(),
        "an array of length 2" => "a list of 2 numbers".into(),
        other if other.starts_with("internally tagged enum ") => {
            "a table with the key `kind`".into()
        }
        other if other.starts_with("struct ") || other == "a map" => "a table".into(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use figment::value::Value;

    use super::*;

    #[track_caller]
    fn check(key: &str, value: impl Into<Value>, expected: &str) {
        let error = tree::decode(&tree::branch(key, value.into())).expect_err("a fault");
        assert_eq!(explain(&error), expected);
    }

    #[test]
    fn unknown_keys_come_with_the_nearest_or_with_all() {
        check(
            "train.max_step",
            1u64,
            "unknown key `train.max_step`, did you mean `train.max_steps`?",
        );
        check(
            "train.learning_rate",
            1u64,
            "unknown key `train.learning_rate`, did you mean `optimizer.learning_rate`?",
        );
        check(
            "max_steps",
            1u64,
            "unknown key `max_steps`, did you mean `train.max_steps`?",
        );
        check(
            "trian.seed",
            1u64,
            "unknown key `trian`, did you mean `train`?",
        );
        check(
            "schedule.colour",
            1u64,
            "unknown key `schedule.colour`, known here: kind, warmup_steps, min_learning_rate, decay_share",
        );
    }

    #[test]
    fn wrong_types_say_what_belongs_there_and_what_was_found() {
        check(
            "train.max_steps",
            "many",
            "train.max_steps must be a whole number from 0, found the text \"many\"",
        );
        check(
            "train.max_steps",
            -1i64,
            "train.max_steps must be a whole number from 0, found -1",
        );
        check(
            "train.max_steps",
            1.5f64,
            "train.max_steps must be a whole number from 0, found 1.5",
        );
        check(
            "optimizer.learning_rate",
            true,
            "optimizer.learning_rate must be a number, found true",
        );
        check(
            "model.bias",
            1u64,
            "model.bias must be true or false, found 1",
        );
        check(
            "generate.stop",
            "x",
            "generate.stop must be a list such as [\"a\", \"b\"], found the text \"x\"",
        );
        check(
            "optimizer.betas",
            vec![0.9],
            "optimizer.betas must be a list of 2 numbers, found 1 values",
        );
        check("train", 5u64, "train must be a table, found 5");
        check(
            "model.rope_scaling",
            2.0,
            "model.rope_scaling must be a table with the key `kind`, found 2.0",
        );
        check(
            "data.synth.size",
            "1 mile",
            "data.synth.size: `1 mile` is not a size; write a number of bytes or one with a unit, such as 512 KB, 10MB or 1GiB",
        );
    }

    #[test]
    fn tables_with_a_kind_name_their_keys() {
        let scaling = |kind: &str, key: &str| {
            let values = [
                ("kind", Value::from(kind)),
                ("factor", Value::from(2.0)),
                (key, Value::from(1.0)),
            ];
            Value::from(
                values
                    .map(|(key, value)| (key.to_owned(), value))
                    .into_iter()
                    .collect::<figment::value::Dict>(),
            )
        };
        check(
            "model.rope_scaling",
            scaling("linear", "fact"),
            "unknown key `model.rope_scaling.fact`, did you mean `model.rope_scaling.factor`?",
        );
        let error = tree::decode(&tree::branch(
            "model.rope_scaling",
            scaling("square", "factor"),
        ))
        .unwrap_err();
        assert!(explain(&error).contains("linear"), "{}", explain(&error));
    }

    #[test]
    fn unknown_names_come_with_the_known_ones() {
        check(
            "model.family",
            "gtp2",
            "model.family = \"gtp2\" is not known: use one of gpt, gpt2, llama, mistral",
        );
        check(
            "model.family",
            1u64,
            "model.family must be one of \"gpt\", \"gpt2\", \"llama\", \"mistral\", found 1",
        );
        check(
            "model.family",
            true,
            "model.family must be one of \"gpt\", \"gpt2\", \"llama\", \"mistral\", found true",
        );
    }
}
