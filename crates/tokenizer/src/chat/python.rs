//! What templates expect of Python's strings, lists and of Jinja's filters and tests, where the engine differs.
//!
//! Most methods are those of `minijinja-contrib`. What the engine cannot be taught is `%` between a text and its values (the filter `format`
//! does that), and `varargs` and `kwargs` in macros; templates that use them fail with an error. Methods that change a list or a dictionary are refused, as in the sandbox of transformers.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use minijinja_contrib::pycompat;

use super::json;

/// Makes `environment` behave as Jinja in Python does.
pub(crate) fn install(environment: &mut Environment<'static>) {
    minijinja_contrib::add_to_environment(environment);
    environment.set_unknown_method_callback(call_method);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
    environment.set_formatter(print);
}

/// In Python a string and a dictionary have a length and items too.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::String | ValueKind::Map
    )
}

/// What is undefined is an empty list to a loop, and so it is iterable; None is not.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Prints a value; a number with a fraction with the exponent that Python would give it.
fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        return Ok(out.write_str(&json::number(value)?)?);
    }
    minijinja::escape_formatter(out, state, value)
}

/// What is undefined has the length 0.
fn length(value: &Value) -> Result<usize, Error> {
    match value.is_undefined() {
        true => Ok(0),
        false => minijinja::filters::length(value),
    }
}

fn call_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let found = match value.as_str() {
        Some(text) => string_method(text, method, args)?,
        None if value.kind() == ValueKind::Seq => list_method(value, method, args)?,
        None => None,
    };
    match found {
        Some(result) => Ok(result),
        None => pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "split" => split(text, args, words, |text, separator, limit| {
            text.splitn(limit, separator).collect()
        })?,
        "rsplit" => split(text, args, words_from_end, |text, separator, limit| {
            let mut parts: Vec<_> = text.rsplitn(limit, separator).collect();
            parts.reverse();
            parts
        })?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (before, after) = text.split_once(separator).unwrap_or((text, ""));
            let found = &text[before.len()..text.len() - after.len()];
            triple([before, found, after])
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (before, after) = text.rsplit_once(separator).unwrap_or(("", text));
            let found = &text[before.len()..text.len() - after.len()];
            triple([before, found, after])
        }
        "index" | "rindex" => {
            let (part,): (&str,) = from_args(args)?;
            let place = match method {
                "index" => text.find(part),
                _ => text.rfind(part),
            };
            let place = place.ok_or_else(|| not_found(method))?;
            text[..place].chars().count().into()
        }
        "ljust" | "rjust" | "center" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let missing = width.saturating_sub(text.chars().count());
            let left = match method {
                "ljust" => 0,
                "rjust" => missing,
                // The odd one goes to the right, but to the left where the width is odd too.
                _ => missing / 2 + (missing & width & 1),
            };
            let fill = |count: usize| fill.unwrap_or(' ').to_string().repeat(count);
            (fill(left) + text + &fill(missing - left)).into()
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let digits = text.trim_start_matches(['+', '-']);
            let sign = &text[..(text.len() - digits.len()).min(1)];
            let zeros = "0".repeat(width.saturating_sub(text.chars().count()));
            format!("{sign}{zeros}{}", &text[sign.len()..]).into()
        }
        "casefold" => {
            let () = from_args(args)?;
            text.to_lowercase().into()
        }
        "swapcase" => {
            let () = from_args(args)?;
            let swapped = text.chars().map(|c| match c.is_uppercase() {
                true => c.to_lowercase().to_string(),
                false => c.to_uppercase().to_string(),
            });
            swapped.collect::<String>().into()
        }
        _ => return Ok(None),
    }))
}

fn list_method(list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let place = list.try_iter()?.position(|item| item == *wanted);
            Ok(Some(place.ok_or_else(|| not_found(method))?.into()))
        }
        "copy" => {
            let () = from_args(args)?;
            Ok(Some(list.clone()))
        }
        _ => Ok(None),
    }
}

/// `split` and `rsplit`: at a separator, or into words where there is none.
fn split(
    text: &str,
    args: &[Value],
    words: fn(&str, usize) -> Vec<&str>,
    cut: for<'t> fn(&'t str, &str, usize) -> Vec<&'t str>,
) -> Result<Value, Error> {
    let (separator, limit, named): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = separator.or(named.get("sep")?);
    let limit = limit.or(named.get("maxsplit")?).unwrap_or(-1);
    named.assert_all_used()?;
    // Python counts the cuts, and a negative number is no limit.
    let parts = usize::try_from(limit).map_or(usize::MAX, |cuts| cuts.saturating_add(1));
    match separator {
        Some("") => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(separator) => Ok(list(&cut(text, separator, parts))),
        None => Ok(list(&words(text, parts))),
    }
}

fn words(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && parts.len() + 1 < limit {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts.extend(Some(rest).filter(|rest| !rest.is_empty()));
    parts
}

fn words_from_end(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() && parts.len() + 1 < limit {
        let start = rest.trim_end_matches(|c: char| !c.is_whitespace()).len();
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    parts.extend(Some(rest).filter(|rest| !rest.is_empty()));
    parts.reverse();
    parts
}

fn list(parts: &[&str]) -> Value {
    parts.iter().map(|part| Value::from(*part)).collect()
}

fn triple(parts: [&str; 3]) -> Value {
    Value::from(Tuple::from(parts.map(Value::from)))
}

fn not_found(method: &str) -> Error {
    let message = format!("{method} does not find what it looks for");
    Error::new(ErrorKind::InvalidOperation, message)
}
