//! Values before they are a [`Config`]: a tree of tables, with dotted keys.
//!
//! The values are figment's, because they come from every format alike (NaN and null included) and because figment's errors say in
//! fields, not in prose, which key is wrong and why.

use figment::error::{Actual, Kind};
use figment::value::{Dict, Value};

use super::Config;

/// The parts of a dotted key.
pub(crate) fn parts(key: &str) -> impl Iterator<Item = &str> {
    key.split('.')
}

/// Merges `over` into `base`: tables key by key, anything else replaces what was there.
pub(crate) fn merge(base: &mut Dict, over: Dict) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Dict(_, base)), Value::Dict(_, over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Whether something stands at the dotted `key`.
pub(crate) fn has(tree: &Dict, key: &str) -> bool {
    let mut parts = parts(key);
    let first = parts.next().and_then(|part| tree.get(part));
    let found = parts.try_fold(first, |value, part| Some(value?.as_dict()?.get(part)));
    found.flatten().is_some()
}

/// A tree with `value` at `key` and nothing else.
pub(crate) fn branch(key: &str, value: Value) -> Dict {
    let mut parts: Vec<&str> = parts(key).collect();
    let leaf = parts.pop().unwrap_or_default();
    let tree = Dict::from([(leaf.to_owned(), value)]);
    parts.into_iter().rev().fold(tree, |tree, part| {
        Dict::from([(part.to_owned(), Value::from(tree))])
    })
}

/// Takes the value at `key` away, if there is one.
pub(crate) fn remove(tree: &mut Dict, key: &str) {
    match key.split_once('.') {
        None => {
            tree.remove(key);
        }
        Some((table, rest)) => {
            if let Some(Value::Dict(_, tree)) = tree.get_mut(table) {
                remove(tree, rest);
            }
        }
    }
}

/// Takes away tables that are written down without a value, as in YAML's `train:` with nothing below it.
pub(crate) fn drop_empty_tables(tree: &mut Dict) {
    let tables = super::keys::tables();
    tree.retain(|key, value| {
        !(matches!(value, Value::Empty(..)) && tables.contains(&key.as_str()))
    });
}

/// Makes a configuration of the tree; what is missing has its default.
///
/// # Errors
/// An unknown key, a wrong type, an unknown name; the path of the error is that of the key.
pub(crate) fn decode(tree: &Dict) -> Result<Config, Box<figment::Error>> {
    let config: Config = Value::from(tree.clone()).deserialize().map_err(Box::new)?;
    // figment takes a number for a name as the position in the list of names; we do not.
    let written = Value::serialize(&config).map_err(Box::new)?;
    match numbers_for_names(&Value::from(tree.clone()), &written, &mut Vec::new()) {
        Some(error) => Err(Box::new(error)),
        None => Ok(config),
    }
}

fn numbers_for_names(
    given: &Value,
    taken: &Value,
    path: &mut Vec<String>,
) -> Option<figment::Error> {
    match (given, taken) {
        (Value::Dict(_, given), Value::Dict(_, taken)) => given.iter().find_map(|(key, value)| {
            path.push(key.clone());
            let error = taken
                .get(key)
                .and_then(|taken| numbers_for_names(value, taken, path));
            path.pop();
            error
        }),
        (Value::Num(_, number), Value::String(..))
            if !super::keys::variants(&path.join(".")).is_empty() =>
        {
            let mut error =
                figment::Error::from(Kind::InvalidType(number.to_actual(), "enum".into()));
            error.path.clone_from(path);
            Some(error)
        }
        _ => None,
    }
}

/// What kind of value it is, and the value where that is short.
pub(crate) fn describe(actual: &Actual) -> String {
    match actual {
        Actual::Bool(v) => v.to_string(),
        Actual::Unsigned(v) => v.to_string(),
        Actual::Signed(v) => v.to_string(),
        Actual::Float(v) => format!("{v:?}"),
        Actual::Char(v) => format!("the text {:?}", v.to_string()),
        Actual::Str(v) => format!("the text {v:?}"),
        Actual::Unit | Actual::Option => "nothing".into(),
        Actual::Seq => "a list".into(),
        Actual::Map => "a table".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_the_upper_tree_does_not_mention() {
        let mut base = branch("train.seed", Value::from(1u64));
        merge(&mut base, branch("train.keep", Value::from(2u64)));
        merge(&mut base, branch("train.seed", Value::from(3u64)));
        let train = decode(&base).unwrap().train;
        assert_eq!((train.seed, train.keep), (3, 2));
        remove(&mut base, "train.seed");
        remove(&mut base, "train.nothing.here");
        assert_eq!(
            decode(&base).unwrap().train.seed,
            Config::default().train.seed
        );
    }

    #[test]
    fn a_number_is_not_a_name() {
        let error = decode(&branch("model.family", Value::from(1u64))).unwrap_err();
        assert_eq!(error.path, ["model", "family"]);
        assert!(decode(&branch("model.dropout", Value::from(0u64))).is_ok());
        assert!(decode(&branch("data.synth.size", Value::from(5_000u64))).is_ok());
    }
}
