//! A configuration as a list of dotted keys, to compare two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;

/// Dotted keys and their values; keys without a value are not there.
pub(crate) type Flat = BTreeMap<String, toml::Value>;

impl Config {
    /// Every key that has a value.
    ///
    /// # Errors
    /// A whole number is larger than TOML can hold.
    pub(crate) fn flat(&self) -> Result<Flat, toml::ser::Error> {
        Ok(flat(toml::Value::try_from(self)?))
    }
}

/// Keys whose values differ between any two, in alphabetical order.
pub(crate) fn differences(configs: &[&Flat]) -> Vec<String> {
    let keys: BTreeSet<&String> = configs.iter().flat_map(|config| config.keys()).collect();
    let differs = |key: &&String| {
        let mut values = configs.iter().map(|config| config.get(*key));
        let first = values.next().flatten();
        values.any(|value| value != first)
    };
    keys.into_iter().filter(differs).cloned().collect()
}

fn flat(value: toml::Value) -> Flat {
    fn walk(prefix: &str, value: toml::Value, flat: &mut Flat) {
        match value {
            toml::Value::Table(table) => {
                for (name, value) in table {
                    let key = if prefix.is_empty() {
                        name
                    } else {
                        format!("{prefix}.{name}")
                    };
                    walk(&key, value, flat);
                }
            }
            value => {
                flat.insert(prefix.to_owned(), value);
            }
        }
    }
    let mut all = Flat::new();
    walk("", value, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_differs_is_named() {
        let parse = |text: &str| flat(toml::Value::Table(text.parse().unwrap()));
        let before = parse("[a]\nb = 1\nc = 2\n[d]\ne = [1]");
        let after = parse("[a]\nb = 1\nc = 3\n[d.f]\ng = 1");
        assert_eq!(differences(&[&before, &after]), ["a.c", "d.e", "d.f.g"]);
        assert_eq!(differences(&[&before, &before]), [""; 0]);
        assert_eq!(differences(&[&before]), [""; 0]);
    }
}
