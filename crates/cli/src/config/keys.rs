//! The names that a configuration knows, asked of the structs themselves, so that no list can go stale.

use figment::error::Kind;
use figment::value::Value;

use super::tree;

/// A name that no table has.
const NONE_SUCH: &str = "\u{0}";

/// The names of the tables.
pub(crate) fn tables() -> Vec<&'static str> {
    fields("")
}

/// The keys of the table at the dotted key `table`; none if it is no table.
pub(crate) fn fields(table: &str) -> Vec<&'static str> {
    let key = if table.is_empty() {
        NONE_SUCH.to_owned()
    } else {
        format!("{table}.{NONE_SUCH}")
    };
    match tree::decode(&tree::branch(&key, Value::from(true))) {
        Err(error) => match error.kind {
            Kind::UnknownField(_, names) => names.to_vec(),
            _ => Vec::new(),
        },
        Ok(_) => Vec::new(),
    }
}

/// The values that the key takes, if it takes one of a list of names.
pub(crate) fn variants(key: &str) -> Vec<&'static str> {
    match tree::decode(&tree::branch(key, Value::from(NONE_SUCH))) {
        Err(error) => match error.kind {
            Kind::UnknownVariant(_, names) => names.to_vec(),
            _ => Vec::new(),
        },
        Ok(_) => Vec::new(),
    }
}

/// Every `table.key`.
pub(crate) fn all() -> Vec<String> {
    let keys = |table| {
        fields(table)
            .into_iter()
            .map(move |key| format!("{table}.{key}"))
    };
    tables().into_iter().flat_map(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_tell_their_keys_and_names() {
        assert_eq!(
            tables(),
            [
                "model",
                "tokenizer",
                "data",
                "train",
                "optimizer",
                "schedule",
                "generate"
            ]
        );
        assert!(fields("optimizer").contains(&"learning_rate"));
        assert!(fields("train.seed").is_empty());
        assert_eq!(
            variants("model.family"),
            ["gpt", "gpt2", "llama", "mistral"]
        );
        assert!(variants("train.seed").is_empty());
        assert!(all().contains(&"schedule.warmup_steps".to_owned()));
    }
}
