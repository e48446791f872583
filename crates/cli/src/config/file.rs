//! A configuration file of any format: TOML, or by its extension JSON or YAML.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{anyhow, bail};
use figment::value::{Dict, Value};
use toml::de::{DeTable, DeValue};

use super::strict::Strict;
use super::tree;
use crate::failure::flatten;
use crate::input;

/// What a file says, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// The name for messages.
    pub(crate) name: String,
    /// Its values.
    pub(crate) values: Dict,
    /// Lines of the dotted keys, from 1. TOML only.
    lines: BTreeMap<String, usize>,
}

impl ConfigFile {
    /// Reads a file; an empty one has no values.
    ///
    /// # Errors
    /// The file is missing, a folder, not UTF-8 or malformed.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = input::read_text(path)?;
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        Self::parse(path.display().to_string(), &text, &extension)
    }

    /// Parses the text of a file with this extension.
    ///
    /// # Errors
    /// The text is malformed.
    pub(crate) fn parse(name: String, text: &str, extension: &str) -> anyhow::Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(Self {
                name,
                ..Self::default()
            });
        }
        let (value, lines) = match extension {
            "json" => (parse_json(&name, text)?, BTreeMap::new()),
            "yaml" | "yml" => (parse_yaml(&name, text)?, BTreeMap::new()),
            _ => parse_toml(&name, text)?,
        };
        let mut values = match value {
            Value::Dict(_, values) => values,
            Value::Empty(..) => Dict::new(),
            other => bail!(
                "{name}: must be a table of keys, found {}",
                tree::describe(&other.to_actual())
            ),
        };
        tree::drop_empty_tables(&mut values);
        Ok(Self {
            name,
            values,
            lines,
        })
    }

    /// Takes a table away, which is then none of the configuration's.
    pub(crate) fn take(&mut self, table: &str) -> Option<Value> {
        self.values.remove(table)
    }

    /// The file, and the line of the key or of the table it is in where that is known.
    pub(crate) fn place(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return format!("{}:{line}", self.name);
            }
            match key.rsplit_once('.') {
                Some((table, _)) => key = table,
                None => return self.name.clone(),
            }
        }
    }
}

fn parse_toml(name: &str, text: &str) -> anyhow::Result<(Value, BTreeMap<String, usize>)> {
    let malformed = |error: toml::de::Error| {
        let (line, column) = position(text, error.span().map_or(text.len(), |span| span.start));
        anyhow!("{name}:{line}:{column}: {}", flatten(error.message()))
    };
    let table = DeTable::parse(text).map_err(malformed)?;
    let mut lines = BTreeMap::new();
    note_lines(text, table.get_ref(), "", &mut lines);
    Ok((toml::from_str(text).map_err(malformed)?, lines))
}

fn note_lines(text: &str, table: &DeTable<'_>, prefix: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let dotted = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(table) = value.get_ref() {
            note_lines(text, table, &format!("{dotted}."), lines);
        }
        lines.insert(dotted, position(text, key.span().start).0);
    }
}

fn parse_json(name: &str, text: &str) -> anyhow::Result<Value> {
    match serde_json::from_str(text) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => {
            let (line, column, message) = (error.line(), error.column(), error.to_string());
            Err(anyhow!(
                "{name}:{line}:{column}: {}",
                without_place(&message)
            ))
        }
    }
}

fn parse_yaml(name: &str, text: &str) -> anyhow::Result<Value> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = flatten(&error.without_snippet().to_string());
        let message = without_place(&message);
        match error.location() {
            Some(place) => anyhow!("{name}:{}:{}: {message}", place.line(), place.column()),
            None => anyhow!("{name}: {message}"),
        }
    })
}

/// The message without the line and column at its end, which stand at the beginning of ours.
fn without_place(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message)
}

/// Line and column of a byte offset, from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (
        1 + before.matches('\n').count(),
        1 + before[line_start..].chars().count(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_say_the_same() {
        let parse = |text: &str, extension: &str| {
            let file = ConfigFile::parse("f".into(), text, extension).unwrap();
            tree::decode(&file.values).unwrap()
        };
        let toml = parse(
            "[train]\nseed = 7\n[optimizer]\nlearning_rate = 1e-3\n[generate]\nstop = ['a']",
            "toml",
        );
        assert_eq!(toml.train.seed, 7);
        let json = parse(
            r#"{"train": {"seed": 7}, "optimizer": {"learning_rate": 1e-3}, "generate": {"stop": ["a"]}}"#,
            "json",
        );
        let yaml = parse(
            "train:\n  seed: 7\noptimizer:\n  learning_rate: 1e-3\ngenerate:\n  stop: [a]\n",
            "yml",
        );
        assert_eq!(toml, json);
        assert_eq!(toml, yaml);
    }

    #[test]
    fn nothing_is_the_default() {
        for (text, extension) in [
            ("", "toml"),
            (" \n", "json"),
            ("# x\n", "yaml"),
            ("\u{feff}", "toml"),
            ("train:\n", "yaml"),
            ("{}", "json"),
        ] {
            let file = ConfigFile::parse("f".into(), text, extension).unwrap();
            assert!(file.values.is_empty(), "{text:?} {extension}");
        }
    }

    #[test]
    fn malformed_files_are_located() {
        #[track_caller]
        fn check(text: &str, extension: &str, start: &str) {
            let error = ConfigFile::parse("f".into(), text, extension)
                .expect_err("malformed")
                .to_string();
            assert!(error.starts_with(start), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        check("[train]\nseed = \n", "toml", "f:2:8: ");
        check("[train]\nseed = 1\nseed = 2\n", "toml", "f:3:1: ");
        check("[train\n", "toml", "f:1:");
        check("{\"train\": {\n\"seed\": }}", "json", "f:2:9: ");
        check(
            "{\"a\": 1,\n\"a\": 2}",
            "json",
            "f:2:3: the key `a` appears twice",
        );
        check("a: 1\na: 2\n", "yaml", "f:2:1: ");
        check("{\"train\": {", "json", "f:1:11: ");
        check("train:\n  seed: [1\n", "yaml", "f:");
        check("[1]", "json", "f: must be a table of keys, found a list");
        check(
            "hello",
            "yaml",
            "f: must be a table of keys, found the text \"hello\"",
        );
    }

    #[test]
    fn keys_have_lines() {
        let file = ConfigFile::parse(
            "f".into(),
            "\n[train]\nseed = 7\n\n[data.synth]\nsize = '1MB'",
            "toml",
        )
        .unwrap();
        assert_eq!(file.place("train.seed"), "f:3");
        assert_eq!(file.place("train.keep"), "f:2");
        assert_eq!(file.place("data.synth.size"), "f:6");
        assert_eq!(file.place("model.family"), "f");
    }
}
