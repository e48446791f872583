//! An entry of `data.sources`: a path, or a table that says more about it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::coding;
use super::format::Format;
use crate::error::DataError;

/// The largest weight of a source: more copies teach a model to recite.
const MAX_WEIGHT: f64 = 100.0;

/// A file or folder with text; in a configuration file a path, or a table such as
/// `{ path = "poems.csv", text_field = "poem", weight = 2.0 }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The file or folder; `-` is standard input.
    pub path: PathBuf,
    /// How often its documents appear in the training part, above 0 up to 100, on average where it is no whole number. The validation
    /// part takes each document once.
    pub weight: f64,
    /// In place of [`DataConfig::text_field`](crate::DataConfig::text_field).
    pub text_field: Option<String>,
    /// In place of [`DataConfig::format`](crate::DataConfig::format).
    pub format: Option<Format>,
    /// In place of [`DataConfig::encoding`](crate::DataConfig::encoding).
    pub encoding: Option<String>,
}

impl Source {
    /// A source with nothing to say but its path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            weight: 1.0,
            text_field: None,
            format: None,
            encoding: None,
        }
    }

    /// Whether it stands for standard input.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    pub(crate) fn validate(&self) -> Result<(), DataError> {
        if !(self.weight > 0.0 && self.weight <= MAX_WEIGHT) {
            return Err(DataError::Weight {
                path: self.path.clone(),
                found: self.weight,
            });
        }
        if self.text_field.as_deref() == Some("") {
            return Err(DataError::EmptyKey {
                key: "text_field of a source",
            });
        }
        let coding = self.encoding.as_deref().map(coding::named);
        coding.transpose().map(|_| ())
    }

    fn is_plain(&self) -> bool {
        *self == Self::new(&self.path)
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

/// The table form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    path: PathBuf,
    #[serde(default = "one")]
    weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
}

fn one() -> f64 {
    1.0
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_plain() {
            return self.path.serialize(serializer);
        }
        let source = self.clone();
        Table {
            path: source.path,
            weight: source.weight,
            text_field: source.text_field,
            format: source.format,
            encoding: source.encoding,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SourceVisitor;

        impl<'de> Visitor<'de> for SourceVisitor {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a table such as { path = \"a.jsonl\", weight = 2.0 }")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Source, E> {
                Ok(Source::new(path))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Source {
                    path: table.path,
                    weight: table.weight,
                    text_field: table.text_field,
                    format: table.format,
                    encoding: table.encoding,
                })
            }
        }

        deserializer.deserialize_any(SourceVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_path_or_a_table() {
        let read = |json: &str| serde_json::from_str::<Source>(json);
        assert_eq!(read(r#""a.txt""#).ok(), Some(Source::new("a.txt")));
        let table = r#"{"path":"a.csv","weight":2.5,"text_field":"body","format":"csv","encoding":"windows-1252"}"#;
        let source = read(table).expect("a full table");
        assert_eq!((source.weight, source.format), (2.5, Some(Format::Csv)));
        for source in [source, Source::new("a.txt")] {
            let text = serde_json::to_string(&source).expect("a source can be written");
            assert_eq!(read(&text).ok(), Some(source), "{text}");
        }
        assert_eq!(read(r#"{"path":"a","weight":1.0}"#).ok(), Some("a".into()));
        let text = serde_json::to_string(&Source::new("a.txt")).ok();
        assert_eq!(text.as_deref(), Some(r#""a.txt""#));
    }

    #[test]
    fn what_is_wrong_with_a_source_is_named() {
        #[track_caller]
        fn check(json: &str, parts: &[&str]) {
            let error = serde_json::from_str::<Source>(json).expect_err(json);
            for part in parts {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
        check("7", &["a path or a table", "7"]);
        check(
            r#"{"path":"a","wieght":2.0}"#,
            &["unknown field `wieght`", "`weight`"],
        );
        check(r#"{"weight":2.0}"#, &["missing field `path`"]);
        check(
            r#"{"path":"a","format":"xml"}"#,
            &["unknown variant `xml`", "`jsonl`"],
        );
        for weight in [0.0, -1.0, 100.5, f64::NAN, f64::INFINITY] {
            let source = Source {
                weight,
                ..Source::new("a.txt")
            };
            let error = source.validate().expect_err("no weight").to_string();
            assert!(error.contains("a.txt") && error.contains("100"), "{error}");
        }
        let mut source = Source::new("a.txt");
        assert!(source.validate().is_ok());
        source.weight = 100.0;
        assert!(source.validate().is_ok());
    }
}
