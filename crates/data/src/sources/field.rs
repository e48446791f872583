//! The text in a JSON value, found without keeping the rest of the value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::fault::RecordFault;

/// The name of the text that a list of bare strings has for users of Hugging Face's `datasets`.
const BARE: &str = "text";
/// How many keys a message lists.
const LISTED: usize = 8;

/// The text of a JSON value: a string under the key `field`, or under its parts where it is a path such as `a.b` and no key has the
/// whole name. A bare string is the text itself where `field` is `text`, the name that `datasets` of Hugging Face gives to a list of
/// strings.
pub(super) fn text_of(json: &str, field: &str) -> Result<String, RecordFault> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = Picker { field }.deserialize(&mut deserializer);
    let found = found.and_then(|found| deserializer.end().map(|()| found));
    match found {
        Ok(Found::Text(text)) => Ok(text),
        Ok(Found::Bare(text)) if field == BARE => Ok(text),
        Ok(_) => Err(what_is_wrong(json, field)),
        Err(reason) => Err(RecordFault::Json { reason }),
    }
}

/// What stands in the place of the text.
enum Found {
    Text(String),
    /// A string that is no part of an object.
    Bare(String),
    /// Something else, or nothing.
    Other,
}

/// Finds the text in the next value.
struct Picker<'a> {
    field: &'a str,
}

impl<'de> DeserializeSeed<'de> for Picker<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Picker<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let parts = self.field.split_once('.');
        let (mut whole, mut nested) = (None, None);
        while let Some(key) = map.next_key::<Key<'_>>()? {
            let inside = parts.filter(|(first, _)| key.is(first));
            if key.is(self.field) {
                whole = Some(map.next_value_seed(Leaf)?);
            } else if let Some((_, field)) = inside {
                nested = Some(match map.next_value_seed(Picker { field })? {
                    Found::Bare(_) => Found::Other,
                    found => found,
                });
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(whole.or(nested).unwrap_or(Found::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Bare(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Found, E> {
        Ok(Found::Bare(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }
}

/// The value under the whole key.
struct Leaf;

impl<'de> DeserializeSeed<'de> for Leaf {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        // A string is found as such; of an object nothing is wanted.
        let found = Picker { field: "" }.deserialize(deserializer)?;
        Ok(match found {
            Found::Bare(text) => Found::Text(text),
            _ => Found::Other,
        })
    }
}

/// A key, copied only where it is written with escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl Key<'_> {
    fn is(&self, name: &str) -> bool {
        self.0 == name
    }
}

/// Why there is no text in a value; the slow way.
fn what_is_wrong(json: &str, field: &str) -> RecordFault {
    let mut value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(reason) => return RecordFault::Json { reason },
    };
    let (mut key, mut rest) = (field, field);
    loop {
        let Value::Object(object) = &mut value else {
            let (key, found) = (key.to_owned(), kind_of(&value));
            return RecordFault::JsonObject { key, found };
        };
        let next = match (object.remove(rest), rest.split_once('.')) {
            (Some(value), _) => {
                let (key, found) = (field.to_owned(), kind_of(&value));
                return RecordFault::Type { key, found };
            }
            (None, Some((first, after))) => object.remove(first).map(|value| (value, after)),
            (None, None) => None,
        };
        match next {
            Some((inner, after)) => {
                value = inner;
                (key, rest) = (after, after);
            }
            None => {
                return RecordFault::JsonKey {
                    key: key.to_owned(),
                    found: keys_of(object),
                };
            }
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn keys_of(object: &serde_json::Map<String, Value>) -> String {
    listed(object.keys().map(String::as_str)).unwrap_or_else(|| "an empty object".to_owned())
}

/// The first of some names for a message; none when there is none.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut names = names.map(|name| format!("`{name}`"));
    let shown: Vec<_> = names.by_ref().take(LISTED).collect();
    let more = if names.next().is_some() {
        " and more"
    } else {
        ""
    };
    (!shown.is_empty()).then(|| shown.join(", ") + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_under_its_key_or_path() {
        for (json, field, text) in [
            (
                r#"{"id": 1, "text": "x\n\u00e9", "n": {"text": "no"}}"#,
                "text",
                "x\n\u{e9}",
            ),
            (r#"{"a": {"b": "x", "c": [1, {}]}, "b": "no"}"#, "a.b", "x"),
            (r#"{"a": {"b.c": "x"}}"#, "a.b.c", "x"),
            (r#"{"a": {"b": {"c": "x"}}}"#, "a.b.c", "x"),
            (r#"{"a": {"b": "no"}, "a.b": "x"}"#, "a.b", "x"),
            (r#"{"a.b": "x", "a": {"b": "no"}}"#, "a.b", "x"),
            (r#"{"text": "no", "text": "x"}"#, "text", "x"),
            (r#"{"t\u0065xt": "x"}"#, "text", "x"),
            (r#" "x" "#, "text", "x"),
        ] {
            assert_eq!(text_of(json, field).expect(json), text, "{json}");
        }
    }

    #[test]
    fn what_stands_in_its_place_is_named() {
        #[track_caller]
        fn check(json: &str, field: &str, part: &str) {
            let fault = text_of(json, field).expect_err(json).to_string();
            assert!(fault.contains(part), "{fault}");
        }
        check(
            r#""x""#,
            "body",
            "an object with the key `body`, found a string",
        );
        check("[1, \"x\"]", "text", "found a list");
        for (json, kind) in [
            ("5", "a number"),
            ("-5", "a number"),
            ("0.5", "a number"),
            ("true", "a boolean"),
            ("null", "null"),
        ] {
            check(json, "text", kind);
            check(&format!("{{\"text\": {json}}}"), "text", kind);
        }
        check(
            r#"{"text": {"text": "x"}}"#,
            "text",
            "must be a string, found an object",
        );
        check(r#"{"a": {"c": 1}}"#, "a.b", "no key `b`, only `c`");
        check(
            r#"{"a": "x"}"#,
            "a.b",
            "object with the key `b`, found a string",
        );
        check(
            r#"{"a": {"b": 1}}"#,
            "a.b",
            "`a.b` must be a string, found a number",
        );
        check(
            "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}",
            "x",
            "`8` and more;",
        );
        check("{\"text\": \"x\"} 5", "text", "not valid JSON");
        check("{\"text\": \"x\", }", "text", "not valid JSON");
        check(&"[".repeat(100_000), "text", "not valid JSON");
    }
}
