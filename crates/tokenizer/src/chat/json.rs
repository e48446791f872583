//! The filter `tojson` as transformers has it: Python's `json.dumps`, which escapes nothing for HTML and keeps letters of all scripts.
//!
//! Source: `json.encoder` of Python, <https://docs.python.org/3/library/json.html>.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// How the text is laid out.
struct Layout {
    ensure_ascii: bool,
    /// What one level is indented by; none for a single line.
    indent: Option<String>,
    between_items: String,
    after_key: String,
    sort_keys: bool,
}

/// The filter. `separators` and `sort_keys` are given by name; templates write all but the value so.
pub(crate) fn tojson(
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let indent = match indent.or(named.get("indent")?) {
        Some(width) if width.is_integer() => {
            // A negative width breaks lines and indents nothing, as zero does.
            let width = usize::try_from(width.as_i64().unwrap_or(0)).unwrap_or(0);
            Some(" ".repeat(width.min(64)))
        }
        Some(text) if text.as_str().is_some() => text.as_str().map(str::to_owned),
        None => None,
        Some(other) => return Err(wrong_argument("indent", "a number or a text", &other)),
    };
    let (between_items, after_key) = match named.get::<Option<Value>>("separators")? {
        Some(pair) => {
            let both: Vec<Value> = pair.try_iter()?.collect();
            match both.iter().map(Value::as_str).collect::<Vec<_>>()[..] {
                [Some(items), Some(key)] => (items.to_owned(), key.to_owned()),
                _ => return Err(wrong_argument("separators", "two texts", &pair)),
            }
        }
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let layout = Layout {
        ensure_ascii: ensure_ascii.or(named.get("ensure_ascii")?).unwrap_or(false),
        indent,
        between_items,
        after_key,
        sort_keys: named.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    named.assert_all_used()?;
    let mut text = String::new();
    layout.push(value, 0, &mut text)?;
    Ok(text)
}

impl Layout {
    fn push(&self, value: &Value, depth: usize, text: &mut String) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => text.push_str("null"),
            ValueKind::Bool => text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => text.push_str(&number(value)?),
            ValueKind::String => self.push_string(value.as_str().unwrap_or_default(), text),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.begin_item(index, depth, text);
                    self.push(item, depth + 1, text)?;
                }
                self.end(']', items.is_empty(), depth, text);
            }
            ValueKind::Map => {
                let mut pairs = Vec::new();
                for key in value.try_iter()? {
                    pairs.push((key_text(&key)?, value.get_item(&key)?));
                }
                if self.sort_keys {
                    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
                }
                text.push('{');
                for (index, (key, item)) in pairs.iter().enumerate() {
                    self.begin_item(index, depth, text);
                    self.push_string(key, text);
                    text.push_str(&self.after_key);
                    self.push(item, depth + 1, text)?;
                }
                self.end('}', pairs.is_empty(), depth, text);
            }
            kind => {
                let message = format!("tojson cannot write a value of type {kind}");
                return Err(Error::new(ErrorKind::BadSerialization, message));
            }
        }
        Ok(())
    }

    fn begin_item(&self, index: usize, depth: usize, text: &mut String) {
        if index > 0 {
            text.push_str(&self.between_items);
        }
        self.break_line(depth + 1, text);
    }

    fn end(&self, bracket: char, empty: bool, depth: usize, text: &mut String) {
        if !empty {
            self.break_line(depth, text);
        }
        text.push(bracket);
    }

    fn break_line(&self, depth: usize, text: &mut String) {
        if let Some(indent) = &self.indent {
            text.push('\n');
            text.push_str(&indent.repeat(depth));
        }
    }

    fn push_string(&self, string: &str, text: &mut String) {
        text.push('"');
        for character in string.chars() {
            match character {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\u{8}' => text.push_str("\\b"),
                '\u{c}' => text.push_str("\\f"),
                // Noncharacters belong to nobody's text; the guard of special tokens takes its own out again and has to find it.
                '\u{FDD0}'..='\u{FDEF}' => text.push(character),
                '\0'..' ' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
                '\u{7f}'.. if self.ensure_ascii => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                other => text.push(other),
            }
        }
        text.push('"');
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => number(key),
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        kind => {
            let message = format!("tojson cannot write a key of type {kind}");
            Err(Error::new(ErrorKind::BadSerialization, message))
        }
    }
}

/// A number as Python writes it.
pub(super) fn number(value: &Value) -> Result<String, Error> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone())?;
    if !number.is_finite() {
        return Ok(match number {
            n if n.is_nan() => "NaN",
            n if n > 0.0 => "Infinity",
            _ => "-Infinity",
        }
        .to_owned());
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    Ok(if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    })
}

fn wrong_argument(name: &str, expected: &str, found: &Value) -> Error {
    let message = format!("the argument {name} of tojson must be {expected}, not {found}");
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (found, expected) in [
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-1.5e300, "-1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number(&Value::from(found)).unwrap(), expected);
        }
        assert_eq!(
            number(&Value::from(u64::MAX)).unwrap(),
            u64::MAX.to_string()
        );
    }
}
