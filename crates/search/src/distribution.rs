//! What values a parameter can take, and how they are stored: Optuna's distributions, in its JSON.
//!
//! A value has two forms. Outside it is JSON; inside it is one `f64`: the number itself, or the place of a choice. Samplers work in a third,
//! the unit interval, where every value of a discrete parameter owns an equal share (equal in the logarithm with `log`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The values of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Real numbers of `[low, high]`.
    Float {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Whether the logarithm is what is uniform; then `low` is above 0 and there is no step.
        log: bool,
        /// Distance of the values from `low` on.
        step: Option<f64>,
    },
    /// Integers of `[low, high]`.
    Int {
        /// Smallest value.
        low: i64,
        /// Largest value.
        high: i64,
        /// Whether the logarithm is what is uniform; then `low` is at least 1 and `step` is 1.
        log: bool,
        /// Distance of the values from `low` on, at least 1.
        step: i64,
    },
    /// One of a list.
    Categorical {
        /// The list, not empty.
        choices: Vec<Value>,
    },
}

impl Distribution {
    /// A float parameter.
    ///
    /// # Errors
    /// Bounds that are not finite or crossed, a logarithm of 0, a step that is not above 0 or stands beside `log`.
    pub fn float(low: f64, high: f64, log: bool, step: Option<f64>) -> Result<Self, String> {
        if !low.is_finite() || !high.is_finite() {
            return Err(format!("the bounds {low} and {high} must be finite"));
        }
        check_order(low, high)?;
        if log && low <= 0.0 {
            return Err(format!("a logarithmic scale needs min above 0, not {low}"));
        }
        match step {
            None => Ok(Self::Float {
                low,
                high,
                log,
                step,
            }),
            Some(_) if log => Err("step cannot be combined with log".to_owned()),
            Some(step) if !(step > 0.0 && step.is_finite()) => {
                Err(format!("step must be above 0, not {step}"))
            }
            Some(step) => {
                // A last step that a rounding error alone holds back counts.
                let steps = ((high - low) / step + 1e-8).floor();
                Ok(Self::Float {
                    low,
                    high: round_to_digits(low + steps * step, low, step),
                    log,
                    step: Some(step),
                })
            }
        }
    }

    /// An integer parameter.
    ///
    /// # Errors
    /// Bounds that are crossed or beyond 2^53, a logarithm below 1, a step that is not above 0 or stands beside `log`.
    pub fn int(low: i64, high: i64, log: bool, step: i64) -> Result<Self, String> {
        check_order(low, high)?;
        if low.unsigned_abs().max(high.unsigned_abs()) > 1 << 53 {
            return Err("the bounds of an integer must be within 2^53".to_owned());
        }
        if step < 1 {
            return Err(format!("step must be at least 1, not {step}"));
        }
        if log && low < 1 {
            return Err(format!(
                "a logarithmic scale needs min of 1 or more, not {low}"
            ));
        }
        if log && step != 1 {
            return Err("step cannot be combined with log".to_owned());
        }
        let high = low + (high - low) / step * step;
        Ok(Self::Int {
            low,
            high,
            log,
            step,
        })
    }

    /// A choice from a list.
    ///
    /// # Errors
    /// A list that is empty or says one thing twice.
    pub fn categorical(choices: Vec<Value>) -> Result<Self, String> {
        if choices.is_empty() {
            return Err("the list of values is empty".to_owned());
        }
        for (place, choice) in choices.iter().enumerate() {
            if choices[..place].contains(choice) {
                return Err(format!("the value {choice} is given twice"));
            }
        }
        Ok(Self::Categorical { choices })
    }

    /// How many values there are; nothing where they are more than can be counted.
    #[must_use]
    pub fn cardinality(&self) -> Option<usize> {
        match self {
            Self::Float { low, high, .. } if low == high => Some(1),
            Self::Float { step: None, .. } => None,
            Self::Float {
                low,
                high,
                step: Some(step),
                ..
            } => Some(((high - low) / step).round() as usize + 1),
            Self::Int {
                low, high, step, ..
            } => usize::try_from((high - low) / step + 1).ok(),
            Self::Categorical { choices } => Some(choices.len()),
        }
    }

    /// Whether the stored number `value` is one of the values.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        match self {
            Self::Float {
                low, high, step, ..
            } => {
                let on_step = step.is_none_or(|step| {
                    let steps = (value - low) / step;
                    (steps - steps.round()).abs() < 1e-8
                });
                (*low..=*high).contains(&value) && on_step
            }
            Self::Int {
                low, high, step, ..
            } => {
                (*low as f64..=*high as f64).contains(&value)
                    && (value - *low as f64) % *step as f64 == 0.0
            }
            Self::Categorical { choices } => {
                value >= 0.0 && value.fract() == 0.0 && (value as usize) < choices.len()
            }
        }
    }

    /// The value that the stored number stands for.
    #[must_use]
    pub fn external(&self, value: f64) -> Value {
        match self {
            Self::Float { .. } => json!(value),
            Self::Int { .. } => json!(value as i64),
            Self::Categorical { choices } => {
                choices.get(value as usize).cloned().unwrap_or(Value::Null)
            }
        }
    }

    /// The number that `value` is stored as; nothing where it is not one of the values.
    #[must_use]
    pub fn internal(&self, value: &Value) -> Option<f64> {
        let number = match self {
            Self::Float { .. } | Self::Int { .. } => value.as_f64()?,
            Self::Categorical { choices } => choices.iter().position(|choice| {
                // Python holds 1 and 1.0 equal.
                choice == value || (choice.as_f64().is_some() && choice.as_f64() == value.as_f64())
            })? as f64,
        };
        self.contains(number).then_some(number)
    }

    /// The place of a stored number in the unit interval: the middle of its share, if it is discrete.
    pub(crate) fn unit_of(&self, value: f64) -> f64 {
        let (low, high) = self.scaled_bounds();
        let place = match self {
            Self::Float { log: true, .. } | Self::Int { log: true, .. } => value.ln(),
            Self::Categorical { .. } => value + 0.5,
            _ => value,
        };
        if high > low {
            ((place - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }

    /// The stored number at a place in the unit interval.
    pub(crate) fn at_unit(&self, unit: f64) -> f64 {
        let (low, high) = self.scaled_bounds();
        let place = low + unit.clamp(0.0, 1.0) * (high - low);
        match self {
            Self::Float {
                low,
                high,
                log: true,
                ..
            } => place.exp().clamp(*low, *high),
            Self::Float {
                low,
                high,
                step: None,
                ..
            } => place.clamp(*low, *high),
            Self::Float {
                low,
                high,
                step: Some(step),
                ..
            } => {
                let steps = ((place - low) / step).round().max(0.0);
                round_to_digits(low + steps * step, *low, *step).clamp(*low, *high)
            }
            Self::Int {
                low,
                high,
                log: true,
                ..
            } => place.exp().round().clamp(*low as f64, *high as f64),
            Self::Int {
                low, high, step, ..
            } => {
                let steps = ((place - *low as f64) / *step as f64).round().max(0.0);
                (*low as f64 + steps * *step as f64).min(*high as f64)
            }
            Self::Categorical { choices } => place.floor().min(choices.len() as f64 - 1.0),
        }
    }

    /// Stored number `place` of those that [`Self::cardinality`] counts, from below.
    pub(crate) fn nth(&self, place: usize) -> f64 {
        match self {
            Self::Float {
                low, high, step, ..
            } => {
                let step = step.unwrap_or(0.0);
                round_to_digits(low + place as f64 * step, *low, step).min(*high)
            }
            Self::Int { low, step, .. } => *low as f64 + place as f64 * *step as f64,
            Self::Categorical { .. } => place as f64,
        }
    }

    /// The share of the unit interval that belongs to a stored number, as its two ends; equal for a continuous parameter.
    pub(crate) fn share(&self, value: f64) -> (f64, f64) {
        let (low, high) = self.scaled_bounds();
        let width = high - low;
        if width <= 0.0 {
            return (0.0, 1.0);
        }
        let half = match self {
            Self::Float {
                step: Some(step), ..
            } => step / 2.0,
            Self::Float { .. } => {
                let unit = self.unit_of(value);
                return (unit, unit);
            }
            Self::Int { log: true, .. } => {
                return (
                    ((value - 0.5).ln() - low) / width,
                    ((value + 0.5).ln() - low) / width,
                );
            }
            Self::Int { step, .. } => *step as f64 / 2.0,
            Self::Categorical { .. } => return (value / width, (value + 1.0) / width),
        };
        ((value - half - low) / width, (value + half - low) / width)
    }

    /// The ends of the unit interval on the scale that is uniform.
    fn scaled_bounds(&self) -> (f64, f64) {
        match self {
            Self::Float {
                low,
                high,
                log: true,
                ..
            } => (low.ln(), high.ln()),
            Self::Float {
                low, high, step, ..
            } => {
                let half = step.map_or(0.0, |step| step / 2.0);
                (low - half, high + half)
            }
            Self::Int {
                low,
                high,
                log: true,
                ..
            } => ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln()),
            Self::Int {
                low, high, step, ..
            } => {
                let half = *step as f64 / 2.0;
                (*low as f64 - half, *high as f64 + half)
            }
            Self::Categorical { choices } => (0.0, choices.len() as f64),
        }
    }

    /// Optuna's JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = match self {
            Self::Float {
                low,
                high,
                log,
                step,
            } => Written {
                name: "FloatDistribution".to_owned(),
                attributes: json!({"step": step, "low": low, "high": high, "log": log}),
            },
            Self::Int {
                low,
                high,
                log,
                step,
            } => Written {
                name: "IntDistribution".to_owned(),
                attributes: json!({"log": log, "step": step, "low": low, "high": high}),
            },
            Self::Categorical { choices } => Written {
                name: "CategoricalDistribution".to_owned(),
                attributes: json!({ "choices": choices }),
            },
        };
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Reads Optuna's JSON, with the names of its older versions too.
    ///
    /// # Errors
    /// Text that is not JSON or describes no distribution that is known here.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let attributes = &written.attributes;
        let number = |key: &str| {
            attributes[key]
                .as_f64()
                .ok_or_else(|| format!("{} has no {key}", written.name))
        };
        let whole = |key: &str| number(key).map(|value| value as i64);
        let log = attributes["log"].as_bool().unwrap_or(false);
        match written.name.as_str() {
            "FloatDistribution" => Self::float(
                number("low")?,
                number("high")?,
                log,
                attributes["step"].as_f64(),
            ),
            "UniformDistribution" => Self::float(number("low")?, number("high")?, false, None),
            "LogUniformDistribution" => Self::float(number("low")?, number("high")?, true, None),
            "DiscreteUniformDistribution" => {
                Self::float(number("low")?, number("high")?, false, Some(number("q")?))
            }
            "IntDistribution" | "IntUniformDistribution" | "IntLogUniformDistribution" => {
                Self::int(
                    whole("low")?,
                    whole("high")?,
                    log || written.name == "IntLogUniformDistribution",
                    attributes["step"].as_i64().unwrap_or(1),
                )
            }
            "CategoricalDistribution" => Self::categorical(
                attributes["choices"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default(),
            ),
            other => Err(format!("unknown distribution {other}")),
        }
    }
}

/// The JSON of a distribution.
#[derive(Deserialize, Serialize)]
struct Written {
    name: String,
    attributes: Value,
}

fn check_order<T: PartialOrd + std::fmt::Display>(low: T, high: T) -> Result<(), String> {
    if low > high {
        return Err(format!("min {low} is above max {high}"));
    }
    Ok(())
}

/// `value` on the grid of `low` and `step`, without the tail of binary fractions: 0.30000000000000004 is 0.3.
fn round_to_digits(value: f64, low: f64, step: f64) -> f64 {
    let digits = |x: f64| {
        let text = format!("{x}");
        text.split_once('.')
            .map_or(0, |(_, fraction)| fraction.len())
    };
    let places = digits(low).max(digits(step));
    if places > 15 {
        return value;
    }
    format!("{value:.places$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn examples() -> Vec<Distribution> {
        vec![
            Distribution::float(-2.0, 3.0, false, None).unwrap(),
            Distribution::float(1e-5, 1e-1, true, None).unwrap(),
            Distribution::float(0.1, 0.95, false, Some(0.1)).unwrap(),
            Distribution::int(-3, 12, false, 4).unwrap(),
            Distribution::int(1, 1024, true, 1).unwrap(),
            Distribution::categorical(vec![json!("a"), json!(1), json!(null)]).unwrap(),
        ]
    }

    proptest! {
        #[test]
        fn every_unit_is_a_value_and_goes_back_into_its_share(unit in 0.0f64..1.0) {
            for distribution in examples() {
                let value = distribution.at_unit(unit);
                prop_assert!(distribution.contains(value), "{distribution:?} {value}");
                let again = distribution.at_unit(distribution.unit_of(value));
                prop_assert!((again - value).abs() <= 1e-9 * value.abs(), "{distribution:?} {value} {again}");
                let (low, high) = distribution.share(value);
                prop_assert!(low - 1e-9 <= unit && unit <= high + 1e-9, "{distribution:?} {unit} {low} {high}");
                let external = distribution.external(value);
                prop_assert_eq!(distribution.internal(&external), Some(value));
            }
        }
    }

    #[test]
    fn the_upper_bound_is_the_last_step() {
        let Distribution::Float { high, .. } = examples().remove(2) else {
            unreachable!()
        };
        assert_eq!(high, 0.9);
        assert_eq!(examples()[3], Distribution::int(-3, 9, false, 4).unwrap());
        assert_eq!(examples()[3].cardinality(), Some(4));
    }

    #[test]
    fn json_is_that_of_optuna() {
        let text = r#"{"name":"FloatDistribution","attributes":{"step":null,"low":-2.0,"high":3.0,"log":false}}"#;
        assert_eq!(examples()[0].to_json(), text);
        for distribution in examples() {
            assert_eq!(
                Distribution::from_json(&distribution.to_json()),
                Ok(distribution)
            );
        }
    }

    #[test]
    fn impossible_bounds_are_refused() {
        let message = |result: Result<Distribution, String>| result.unwrap_err();
        assert_eq!(
            message(Distribution::float(2.0, 1.0, false, None)),
            "min 2 is above max 1"
        );
        assert!(message(Distribution::float(0.0, 1.0, true, None)).contains("above 0"));
        assert!(message(Distribution::int(0, 8, true, 1)).contains("1 or more"));
        assert!(message(Distribution::int(1, 8, false, 0)).contains("at least 1"));
        assert!(message(Distribution::categorical(vec![])).contains("empty"));
        assert!(message(Distribution::categorical(vec![json!(1), json!(1)])).contains("twice"));
    }
}
