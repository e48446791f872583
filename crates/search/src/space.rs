//! The space of a search: parameters, when each is active, and which points are allowed.
//!
//! A [`Point`] holds a number for every active parameter, in the order of the space. There a parameter stands behind those that its condition names, so
//! that a point can be filled from front to back.

mod config;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::config::SpaceConfig;
use crate::distribution::Distribution;
use crate::error::{Result, SearchError, nearest};
use crate::expression::Expression;
use crate::random::mix;

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, unique in the space.
    pub name: Arc<str>,
    /// Its values.
    pub distribution: Arc<Distribution>,
    /// When it is active; always, if nothing is said.
    pub condition: Option<Expression>,
}

/// What a named rule says of the values of a point, as JSON by name.
pub type Predicate = Arc<dyn Fn(&Map<String, Value>) -> bool + Send + Sync>;

#[derive(Clone)]
enum Constraint {
    Expression(Expression),
    Predicate(String, Predicate),
}

/// Parameters and what must hold between them.
#[derive(Clone)]
pub struct Space {
    parameters: Vec<Parameter>,
    constraints: Vec<Constraint>,
}

/// A stored number for every parameter, in their order; nothing for those that are not active.
pub type Point = Vec<Option<f64>>;

impl Space {
    /// A space of parameters.
    ///
    /// # Errors
    /// No parameter, a name twice, or a condition that names none of the parameters, or in a circle.
    pub fn new(parameters: Vec<Parameter>) -> Result<Self> {
        if parameters.is_empty() {
            return Err(SearchError::Space(
                "is empty; name at least one parameter, such as `\"optimizer.learning_rate\" = { type = \"float\", min = 1e-4, max = 1e-2, log = true }`".to_owned(),
            ));
        }
        for (place, parameter) in parameters.iter().enumerate() {
            if parameters[..place]
                .iter()
                .any(|other| other.name == parameter.name)
            {
                return Err(SearchError::parameter(&parameter.name, "is given twice"));
            }
            for name in parameter.condition.iter().flat_map(Expression::names) {
                if !parameters.iter().any(|known| &*known.name == name) {
                    let names: Vec<&str> = parameters.iter().map(|known| &*known.name).collect();
                    let message = format!("its condition names `{name}`; {}", nearest(name, names));
                    return Err(SearchError::parameter(&parameter.name, message));
                }
            }
        }
        let parameters = in_order(parameters)?;
        Ok(Self {
            parameters,
            constraints: Vec::new(),
        })
    }

    /// The space with a constraint that every point must satisfy, such as `d_model % n_heads == 0`. One that speaks of a parameter that is not active
    /// holds.
    ///
    /// # Errors
    /// Text that is no expression over the parameters.
    pub fn with_constraint(mut self, text: &str) -> Result<Self> {
        let expression = Expression::parse(text)?;
        for name in expression.names() {
            if self.position(name).is_none() {
                let names: Vec<&str> = self.parameters.iter().map(|p| &*p.name).collect();
                return Err(SearchError::Expression {
                    expression: text.to_owned(),
                    message: format!("no parameter is called `{name}`; {}", nearest(name, names)),
                });
            }
        }
        self.constraints.push(Constraint::Expression(expression));
        Ok(self)
    }

    /// The space with a rule that is code, such as a budget of parameters or memory; `name` is what messages call it.
    #[must_use]
    pub fn with_predicate(mut self, name: &str, predicate: Predicate) -> Self {
        self.constraints
            .push(Constraint::Predicate(name.to_owned(), predicate));
        self
    }

    /// The parameters, in order.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The number of points if all parameters are active; nothing where there are too many to count.
    #[must_use]
    pub fn cardinality(&self) -> Option<usize> {
        self.parameters
            .iter()
            .try_fold(1usize, |product, parameter| {
                product.checked_mul(parameter.distribution.cardinality()?)
            })
    }

    /// The place of a parameter.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.parameters
            .iter()
            .position(|parameter| &*parameter.name == name)
    }

    /// Leaves only what is active in `point`, which has a number for every parameter.
    ///
    /// # Errors
    /// A condition that cannot be evaluated.
    pub(crate) fn prune_inactive(&self, point: &mut Point) -> Result<()> {
        for place in 0..self.parameters.len() {
            if let Some(condition) = &self.parameters[place].condition {
                // What depends on something inactive is inactive itself.
                let active = condition.holds(&|name| self.value_of(point, name))?;
                if active != Some(true) {
                    point[place] = None;
                }
            }
        }
        Ok(())
    }

    /// The first constraint that `point` breaks, if any.
    ///
    /// # Errors
    /// A constraint that cannot be evaluated.
    pub(crate) fn broken(&self, point: &Point) -> Result<Option<String>> {
        for constraint in &self.constraints {
            match constraint {
                Constraint::Expression(expression) => {
                    if expression.holds(&|name| self.value_of(point, name))? == Some(false) {
                        return Ok(Some(expression.to_string()));
                    }
                }
                Constraint::Predicate(name, predicate) => {
                    if !predicate(&self.values(point)) {
                        return Ok(Some(name.clone()));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The values of the active parameters by name.
    pub(crate) fn values(&self, point: &Point) -> Map<String, Value> {
        self.parameters
            .iter()
            .zip(point)
            .filter_map(|(parameter, value)| {
                Some((
                    parameter.name.to_string(),
                    parameter.distribution.external((*value)?),
                ))
            })
            .collect()
    }

    /// The point of places in the unit cube, one for every parameter.
    ///
    /// # Errors
    /// A condition that cannot be evaluated.
    pub(crate) fn point_of_units(&self, units: impl Iterator<Item = f64>) -> Result<Point> {
        let mut point = self
            .parameters
            .iter()
            .zip(units)
            .map(|(parameter, unit)| Some(parameter.distribution.at_unit(unit)))
            .collect();
        self.prune_inactive(&mut point)?;
        Ok(point)
    }

    /// Point number `place` of all, the last parameter running fastest; each must have a number of values.
    ///
    /// # Errors
    /// A condition that cannot be evaluated.
    pub(crate) fn nth_point(&self, mut place: usize) -> Result<Point> {
        let mut units = Vec::with_capacity(self.parameters.len());
        for parameter in self.parameters.iter().rev() {
            let count = parameter.distribution.cardinality().unwrap_or(1);
            units.push(parameter.distribution.nth(place % count));
            place /= count;
        }
        let mut point: Point = units.into_iter().rev().map(Some).collect();
        self.prune_inactive(&mut point)?;
        Ok(point)
    }

    fn value_of(&self, point: &Point, name: &str) -> Option<Value> {
        let place = self.position(name)?;
        Some(self.parameters[place].distribution.external(point[place]?))
    }
}

/// The parameters, every one behind those that its condition names, else in the order given.
fn in_order(mut rest: Vec<Parameter>) -> Result<Vec<Parameter>> {
    let mut ordered: Vec<Parameter> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let is_ready = |parameter: &Parameter| {
            let mut names = parameter.condition.iter().flat_map(Expression::names);
            names.all(|name| ordered.iter().any(|known| &*known.name == name))
        };
        let Some(ready) = rest.iter().position(is_ready) else {
            return Err(SearchError::parameter(
                &rest[0].name,
                "its condition depends, through others, on itself",
            ));
        };
        ordered.push(rest.remove(ready));
    }
    Ok(ordered)
}

/// What tells points apart: a hash of the active numbers.
pub(crate) fn fingerprint(point: &Point) -> u64 {
    point.iter().fold(0, |hash, value| {
        // Positive and negative zero are one value; no value is a NaN that no parameter has.
        let bits = value.map_or(u64::MAX, |value| (value + 0.0).to_bits());
        mix(hash ^ mix(bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(text: &str) -> Result<Space> {
        let config: SpaceConfig = toml::from_str(text).unwrap();
        Space::new(config.parameters)
    }

    #[test]
    fn what_depends_on_something_inactive_is_inactive() {
        let space = space(
            "kind = ['sgd', 'adamw']\na_momentum = { min = 0.0, max = 1.0, when = 'kind == \"sgd\"' }\nb_nesterov = { values = [true, false], when = 'a_momentum > 0.0' }",
        )
        .unwrap();
        let mut point = vec![Some(1.0), Some(0.5), Some(0.0)];
        space.prune_inactive(&mut point).unwrap();
        assert_eq!(point, [Some(1.0), None, None]);
        let mut point = vec![Some(0.0), Some(0.5), Some(0.0)];
        space.prune_inactive(&mut point).unwrap();
        assert_eq!(point, [Some(0.0), Some(0.5), Some(0.0)]);
        assert_eq!(space.values(&point)["b_nesterov"], true);
    }

    #[test]
    fn constraints_bind_only_what_is_there() {
        let space = space("a = [1, 2, 3]\nb = { type = 'int', min = 1, max = 9, when = 'a > 1' }")
            .unwrap()
            .with_constraint("b % a == 0")
            .unwrap();
        assert_eq!(space.broken(&vec![Some(0.0), None]).unwrap(), None);
        assert_eq!(space.broken(&vec![Some(1.0), Some(4.0)]).unwrap(), None);
        let broken = space.broken(&vec![Some(1.0), Some(3.0)]).unwrap();
        assert_eq!(broken.as_deref(), Some("b % a == 0"));
    }

    #[test]
    fn faults_name_the_parameter() {
        assert!(space("").err().unwrap().to_string().contains("is empty"));
        let circle =
            "a = { min = 0, max = 1, when = 'b > 1' }\nb = { min = 0, max = 1, when = 'a > 1' }";
        let message = space(circle).err().unwrap();
        assert!(
            message
                .to_string()
                .contains("a: its condition depends, through others, on itself"),
            "{message}"
        );
        let message = space("alpha = [1, 2]")
            .unwrap()
            .with_constraint("alhpa > 1")
            .err()
            .unwrap();
        assert!(
            message.to_string().contains("did you mean `alpha`?"),
            "{message}"
        );
    }
}
