//! How people write a space: tables of TOML, or the `param_space` of other tools' YAML.
//!
//! Each parameter is a plain list of values, or a table `{ type = "float" | "int" | "categorical", min, max, step, log, values, when }`. The type may be
//! left out where the rest tells it; `low`, `high` and `choices` are accepted for `min`, `max` and `values`, as Optuna calls them. A table of tables
//! groups parameters, and names are joined by dots: `[search.space.optimizer]` and `"optimizer.learning_rate"` mean the same.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::Parameter;
use crate::distribution::Distribution;
use crate::error::nearest;
use crate::expression::Expression;

/// Parameters as they stand in a file.
#[derive(Clone, Debug, Default)]
pub struct SpaceConfig {
    /// The parameters, in the order of the file.
    pub parameters: Vec<Parameter>,
}

const KEYS: [&str; 7] = ["type", "min", "max", "step", "log", "values", "when"];
const ALIASES: [(&str, &str); 5] = [
    ("low", "min"),
    ("high", "max"),
    ("choices", "values"),
    ("condition", "when"),
    ("log_scale", "log"),
];

impl<'de> Deserialize<'de> for SpaceConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Map::<String, Value>::deserialize(deserializer)?;
        let mut parameters = Vec::new();
        collect("", &table, &mut parameters).map_err(D::Error::custom)?;
        Ok(Self { parameters })
    }
}

/// Adds the parameters of `table`, whose names begin with `prefix`.
fn collect(
    prefix: &str,
    table: &Map<String, Value>,
    parameters: &mut Vec<Parameter>,
) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        let fail = |message: String| format!("search space: {name}: {message}");
        match value {
            Value::Array(values) => parameters.push(Parameter {
                name: Arc::from(name.as_str()),
                distribution: Arc::new(Distribution::categorical(values.clone()).map_err(fail)?),
                condition: None,
            }),
            Value::Object(inner) if is_group(inner) => collect(&name, inner, parameters)?,
            Value::Object(inner) => parameters.push(parameter(&name, inner).map_err(fail)?),
            other => {
                return Err(fail(format!(
                    "{other} is neither a list of values nor a table such as {{ type = \"float\", min = 0.0, max = 1.0 }}"
                )));
            }
        }
    }
    Ok(())
}

/// Whether a table holds parameters rather than describing one.
fn is_group(table: &Map<String, Value>) -> bool {
    !table.is_empty()
        && table.iter().all(|(key, value)| match value {
            Value::Object(_) => true,
            Value::Array(_) => canonical(key) != "values",
            _ => false,
        })
}

fn canonical(key: &str) -> &str {
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == key)
        .map_or(key, |(_, name)| name)
}

fn parameter(name: &str, table: &Map<String, Value>) -> Result<Parameter, String> {
    let mut keys = Map::new();
    for (key, value) in table {
        let known = canonical(key);
        if !KEYS.contains(&known) {
            return Err(format!("unknown key `{key}`; {}", nearest(key, KEYS)));
        }
        if keys.insert(known.to_owned(), value.clone()).is_some() {
            return Err(format!("`{known}` is given twice"));
        }
    }
    let condition = match keys.get("when") {
        None => None,
        Some(Value::String(text)) => {
            Some(Expression::parse(text).map_err(|error| error.to_string())?)
        }
        Some(other) => {
            return Err(format!(
                "`when` must be an expression in quotes, not {other}"
            ));
        }
    };
    Ok(Parameter {
        name: Arc::from(name),
        distribution: Arc::new(distribution(&keys)?),
        condition,
    })
}

fn distribution(keys: &Map<String, Value>) -> Result<Distribution, String> {
    let kind = match keys.get("type") {
        Some(Value::String(kind)) => match kind.as_str() {
            "int" | "integer" => "int",
            "float" | "double" => "float",
            "categorical" | "choice" => "categorical",
            // The names of distributions that some tools write in place of a type.
            "loguniform" | "log_uniform" | "uniform" => "float",
            other => {
                let known = ["float", "int", "categorical"];
                return Err(format!("unknown type `{other}`; {}", nearest(other, known)));
            }
        },
        Some(other) => return Err(format!("`type` must be a word in quotes, not {other}")),
        None if keys.contains_key("values") => "categorical",
        None if ["min", "max", "step"]
            .iter()
            .all(|key| keys.get(*key).is_none_or(Value::is_i64)) =>
        {
            "int"
        }
        None => "float",
    };
    let refuse = |wrong: &[&str]| match wrong.iter().find(|key| keys.contains_key(**key)) {
        Some(key) => Err(format!(
            "`{key}` has no meaning for type {kind}; leave it out"
        )),
        None => Ok(()),
    };
    if kind == "categorical" {
        refuse(&["min", "max", "step", "log"])?;
        let values = keys
            .get("values")
            .ok_or("a categorical parameter needs `values`")?;
        let values = values.as_array().ok_or("`values` must be a list")?;
        return Distribution::categorical(values.clone());
    }
    refuse(&["values"])?;
    let log = match keys.get("log") {
        None => keys
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.starts_with("log")),
        Some(Value::Bool(log)) => *log,
        Some(other) => return Err(format!("`log` must be true or false, not {other}")),
    };
    let needed = |key: &str| keys.get(key).ok_or(format!("type {kind} needs `{key}`"));
    if kind == "int" {
        let step = keys
            .get("step")
            .map_or(Ok(1), |value| whole("step", value))?;
        return Distribution::int(
            whole("min", needed("min")?)?,
            whole("max", needed("max")?)?,
            log,
            step,
        );
    }
    let step = keys
        .get("step")
        .map(|value| real("step", value))
        .transpose()?;
    Distribution::float(
        real("min", needed("min")?)?,
        real("max", needed("max")?)?,
        log,
        step,
    )
}

fn whole(key: &str, value: &Value) -> Result<i64, String> {
    let whole = value
        .as_f64()
        .filter(|number| number.fract() == 0.0 && number.abs() <= (1u64 << 53) as f64);
    whole
        .map(|number| number as i64)
        .ok_or_else(|| format!("`{key}` must be a whole number, not {value}"))
}

/// A number; YAML reads 1e-4 without a point as text.
fn real(key: &str, value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.parse().ok())
        .ok_or_else(|| format!("`{key}` must be a number, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SpaceConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn toml_and_yaml_mean_the_same() {
        let toml = r#"
            "optimizer.learning_rate" = { type = "float", min = 1e-4, max = 1e-1, log = true }
            model.n_layers = { min = 1, max = 8 }
            model.family = ["gpt2", "llama"]
            "optimizer.momentum" = { type = "float", low = 0.5, high = 1.0, step = 0.1, when = "model.n_layers > 2" }
        "#;
        let yaml = "
optimizer.learning_rate: {type: float, min: 1e-4, max: 0.1, log: true}
model.n_layers: {type: int, min: 1, max: 8}
model.family:
  type: categorical
  values: [gpt2, llama]
optimizer.momentum: {type: float, min: 0.5, max: 1.0, step: 0.1}
";
        let toml = read(toml).unwrap().parameters;
        let yaml: SpaceConfig = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!((toml.len(), yaml.parameters.len()), (4, 4));
        let named = |name: &str| toml.iter().find(|ours| &*ours.name == name).unwrap();
        for theirs in &yaml.parameters {
            assert_eq!(named(&theirs.name).distribution, theirs.distribution);
        }
        let condition = named("optimizer.momentum").condition.as_ref().unwrap();
        assert_eq!(condition.names(), ["model.n_layers"]);
    }

    #[test]
    fn faults_name_key_and_remedy() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let message = read(text).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        check(
            "lr = { type = 'float', min = 1, mx = 2 }",
            "lr: unknown key `mx`; did you mean `max`?",
        );
        check(
            "lr = { type = 'flaot', min = 1, max = 2 }",
            "did you mean `float`?",
        );
        check("lr = { min = 3.0, max = 2.0 }", "lr: min 3 is above max 2");
        check(
            "lr = { min = 0.0, max = 2.0, log = true }",
            "lr: a logarithmic scale needs min above 0",
        );
        check(
            "lr = { type = 'int', min = 0.5, max = 2 }",
            "`min` must be a whole number, not 0.5",
        );
        check("lr = { type = 'int', max = 2 }", "type int needs `min`");
        check(
            "lr = { values = [1], step = 2 }",
            "`step` has no meaning for type categorical",
        );
        check("lr = []", "lr: the list of values is empty");
        check("lr = 3", "lr: 3 is neither a list of values nor a table");
        check("lr = { min = 1, max = 2, when = 'x >' }", "ends too early");
    }
}
