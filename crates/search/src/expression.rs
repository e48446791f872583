//! Small expressions over parameters: when a parameter is active, and which points are allowed.
//!
//! `model.d_model % model.n_heads == 0 and (optimizer.kind in ["sgd", "muon"] or not bias)`. Numbers, strings, `true`, `false`, `null`, names (with
//! dots), `+ - * / %`, comparisons, `and`, `or`, `not`, `in` a list, `min(…)`, `max(…)` and brackets. There is nothing that loops or has an effect.

mod parser;
mod tokens;

use std::fmt;

use serde_json::Value;

use crate::error::{Result, SearchError};

/// An expression, read once and evaluated for many points.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Literal(Value),
    Name(String),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    Extreme { largest: bool, of: Vec<Node> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// How strongly it binds; a comparison less than a sum.
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
            _ => 4,
        }
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Text that is none, with the place where it stops making sense.
    pub fn parse(text: &str) -> Result<Self> {
        let fail = |message: String| SearchError::Expression {
            expression: text.to_owned(),
            message,
        };
        let root = parser::parse(text).map_err(fail)?;
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    /// The names in it, in the order of the text.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect_names(&self.root, &mut names);
        names
    }

    /// Whether it is true for the values that `value_of` knows; nothing where one of the names has no value.
    ///
    /// # Errors
    /// A comparison or sum of things that have none, such as a word with a number.
    pub fn holds(&self, value_of: &dyn Fn(&str) -> Option<Value>) -> Result<Option<bool>> {
        let value = evaluate(&self.root, value_of).map_err(|message| SearchError::Expression {
            expression: self.text.clone(),
            message,
        })?;
        match value {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(other) => Err(SearchError::Expression {
                expression: self.text.clone(),
                message: format!("gives {other}, which is neither true nor false"),
            }),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn collect_names<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
    match node {
        Node::Literal(_) => {}
        Node::Name(name) => names.push(name),
        Node::Not(inner) | Node::Negative(inner) => collect_names(inner, names),
        Node::Binary(_, left, right) => {
            collect_names(left, names);
            collect_names(right, names);
        }
        Node::In(inner, list) => {
            collect_names(inner, names);
            list.iter().for_each(|item| collect_names(item, names));
        }
        Node::Extreme { of, .. } => of.iter().for_each(|item| collect_names(item, names)),
    }
}

/// `None` where a name in it has no value: what is said of a parameter that is not there says nothing.
fn evaluate(
    node: &Node,
    value_of: &dyn Fn(&str) -> Option<Value>,
) -> Result<Option<Value>, String> {
    // The value of a part, or nothing for the whole.
    macro_rules! part {
        ($node:expr) => {
            match evaluate($node, value_of)? {
                Some(value) => value,
                None => return Ok(None),
            }
        };
    }
    Ok(Some(match node {
        Node::Literal(value) => value.clone(),
        Node::Name(name) => return Ok(value_of(name)),
        Node::Not(inner) => Value::Bool(!truth(&part!(inner))?),
        Node::Negative(inner) => Value::from(-number(&part!(inner))?),
        Node::In(inner, list) => {
            let value = part!(inner);
            let mut found = false;
            for item in list {
                found |= equal(&value, &part!(item));
            }
            Value::Bool(found)
        }
        Node::Extreme { largest, of } => {
            let mut best = if *largest {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            };
            for item in of {
                let value = number(&part!(item))?;
                best = if *largest {
                    best.max(value)
                } else {
                    best.min(value)
                };
            }
            Value::from(best)
        }
        Node::Binary(operator, left, right) => {
            let left = part!(left);
            let right = part!(right);
            binary(*operator, &left, &right)?
        }
    }))
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    use Operator as O;
    Ok(match operator {
        O::Or => Value::Bool(truth(left)? || truth(right)?),
        O::And => Value::Bool(truth(left)? && truth(right)?),
        O::Equal => Value::Bool(equal(left, right)),
        O::Unequal => Value::Bool(!equal(left, right)),
        O::Less => Value::Bool(number(left)? < number(right)?),
        O::LessEqual => Value::Bool(number(left)? <= number(right)?),
        O::Greater => Value::Bool(number(left)? > number(right)?),
        O::GreaterEqual => Value::Bool(number(left)? >= number(right)?),
        O::Add => Value::from(number(left)? + number(right)?),
        O::Subtract => Value::from(number(left)? - number(right)?),
        O::Multiply => Value::from(number(left)? * number(right)?),
        O::Divide | O::Remainder => {
            let (left, right) = (number(left)?, number(right)?);
            if right == 0.0 {
                return Err("divides by 0".to_owned());
            }
            Value::from(if operator == O::Divide {
                left / right
            } else {
                left.rem_euclid(right)
            })
        }
    })
}

fn truth(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("{value} is neither true nor false"))
}

fn number(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .ok_or_else(|| format!("{value} is not a number"))
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<bool>) {
        let expression = Expression::parse(text).unwrap();
        let value_of = |name: &str| match name {
            "d_model" => Some(json!(96)),
            "n_heads" => Some(json!(6)),
            "optimizer.kind" => Some(json!("sgd")),
            "bias" => Some(json!(false)),
            _ => None,
        };
        assert_eq!(expression.holds(&value_of).unwrap(), expected, "{text}");
    }

    #[test]
    fn operators_bind_as_usual() {
        check("d_model % n_heads == 0", Some(true));
        check("1 + 2 * 3 == 7 and not 8 - 4 - 2 == 6", Some(true));
        check("-2 * 3 + 7 == 1 && (1 + 1) * 2 == 4", Some(true));
        check("false and true or true", Some(true));
        check("not bias and d_model >= 16 * n_heads", Some(true));
        check("optimizer.kind in ['adamw', \"sgd\"]", Some(true));
        check(
            "optimizer.kind not in ['adamw', 'sgd'] or d_model not in [96.0]",
            Some(false),
        );
        check("min(n_heads, 4) == 4 and max(1, 2e1, 3) == 20", Some(true));
    }

    #[test]
    fn a_name_without_value_says_nothing() {
        check("unknown > 3", None);
        check("n_heads > unknown or bias", None);
    }

    #[test]
    fn faults_are_named() {
        let message = |text: &str| Expression::parse(text).unwrap_err().to_string();
        assert!(message("a = 3").contains("`==`"));
        assert!(message("(a > 3").contains("`)` is missing at the end"));
        assert!(message("a > ").contains("ends too early"));
        assert!(message("a $ 3").contains("'$'"));
        assert!(message("a > 3 4").contains("`4` is not expected"));
        assert!(message(&"(".repeat(1000)).contains("levels deep"));
        let fails = |text: &str| {
            Expression::parse(text)
                .unwrap()
                .holds(&|_| Some(json!("x")))
                .unwrap_err()
                .to_string()
        };
        assert!(fails("a > 3").contains("\"x\" is not a number"));
        assert!(fails("1 % 0 == 0").contains("divides by 0"));
        assert!(fails("1 + 2").contains("neither true nor false"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9.()<>=!&|+*/% 'in,\\[\\]-]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                let _ = expression.holds(&|_| Some(json!(2)));
            }
        }
    }
}
