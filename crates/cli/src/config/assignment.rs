//! One value given on the command line: `--set a.b=value`, or a flag that stands for a key.

use figment::value::Value;

use crate::failure::usage;

/// A dotted key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// How it was written, for messages.
    pub(crate) origin: String,
    /// The dotted key.
    pub(crate) key: String,
    /// The value; `None` puts the key back to its default.
    pub(crate) value: Option<Value>,
    /// The value as a text, when it could be meant as one.
    pub(crate) text: Option<String>,
}

impl Assignment {
    /// Reads the `a.b=value` that `origin`, such as `--set`, was given. The value is TOML, or a text if it is no TOML; an empty one puts the key back to its default.
    ///
    /// # Errors
    /// There is no `=`, or the key is not a dotted key.
    pub(crate) fn parse(origin: &str, argument: &str) -> anyhow::Result<Self> {
        let example = format!("{origin} train.max_steps=500");
        let origin = format!("{origin} {argument}");
        let Some((key, text)) = argument.split_once('=') else {
            return Err(usage(format_args!(
                "{origin}: expected KEY=VALUE, such as {example}"
            )));
        };
        let (key, text) = (key.trim(), text.trim());
        if super::tree::parts(key).any(str::is_empty) {
            return Err(usage(format_args!(
                "{origin}: the key must be names with dots between them, such as train.max_steps"
            )));
        }
        let value = (!text.is_empty()).then(|| parse_value(text));
        Ok(Self {
            origin,
            key: key.to_owned(),
            value,
            text: Some(text.to_owned()),
        })
    }

    /// The key that the flag stands for has this value.
    pub(crate) fn flag(flag: &str, key: &str, value: Value) -> Self {
        Self {
            origin: flag.to_owned(),
            key: key.to_owned(),
            value: Some(value),
            text: None,
        }
    }

    /// Whether an error at the dotted key `other` can come from here: one of the keys lies within the other.
    pub(crate) fn concerns(&self, other: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        within(&self.key, other) || within(other, &self.key)
    }
}

fn parse_value(text: &str) -> Value {
    let as_text = || Value::from(text);
    let Ok(mut table) = toml::from_str::<figment::value::Dict>(&format!("value = {text}")) else {
        return as_text();
    };
    match (table.remove("value"), table.is_empty()) {
        (Some(value), true) => value,
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_else_text() {
        #[track_caller]
        fn check(text: &str, expected: Value) {
            let found = Assignment::parse("--set", &format!("a.b={text}"))
                .unwrap()
                .value
                .unwrap();
            assert_eq!(
                format!("{:?}", found.to_actual()),
                format!("{:?}", expected.to_actual())
            );
        }
        check("5", Value::from(5i64));
        check("1e-3", Value::from(1e-3));
        check("true", Value::from(true));
        check("gpt2", Value::from("gpt2"));
        check("'5'", Value::from("5"));
        check("[1, 2]", Value::from(vec![1u8]));
        check("a=b", Value::from("a=b"));
        check("5\nother = 6", Value::from("5\nother = 6"));
        check("C:\\data", Value::from("C:\\data"));
        assert!(Assignment::parse("--set", "a.b=").unwrap().value.is_none());
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for argument in [
            "",
            "train.seed",
            "=5",
            ".seed=5",
            "train.=5",
            "train..seed=5",
        ] {
            let error = Assignment::parse("--set", argument)
                .expect_err(argument)
                .to_string();
            assert!(error.starts_with(&format!("--set {argument}: ")), "{error}");
        }
    }

    #[test]
    fn an_error_concerns_the_keys_around_it() {
        let assignment = Assignment::parse("--set", "model.rope_scaling.factor=2").unwrap();
        assert!(assignment.concerns("model.rope_scaling"));
        assert!(assignment.concerns("model.rope_scaling.factor"));
        assert!(!assignment.concerns("model.rope"));
    }
}
