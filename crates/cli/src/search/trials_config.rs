//! The configuration of the trials: a base, and over it the values of a trial.

use std::sync::{Arc, Mutex, PoisonError};

use llm_models::Architecture;
use llm_search::Space;
use serde_json::{Map, Value};

use crate::config::{Config, Layers};

/// What every trial has in common.
#[derive(Clone, Debug)]
pub(crate) struct TrialsConfig {
    layers: Layers,
    /// Tokens of the vocabulary, which the size of a model depends on.
    vocab_size: usize,
    /// Why the last point was refused.
    fault: Arc<Mutex<Option<String>>>,
}

impl TrialsConfig {
    /// A base with a vocabulary of so many tokens.
    pub(crate) fn new(layers: Layers, vocab_size: usize) -> Self {
        Self {
            layers,
            vocab_size,
            fault: Arc::default(),
        }
    }

    /// `space`, with points left out that make no configuration, or a model of more than `max_parameters`.
    pub(crate) fn restrict(&self, space: Space, max_parameters: Option<u64>) -> Space {
        let this = self.clone();
        let fits = move |values: &Map<String, Value>| {
            let fault = this.fault_of(values, max_parameters);
            let fits = fault.is_none();
            *this.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
            fits
        };
        space.with_predicate("the rules of the configuration", Arc::new(fits))
    }

    /// Why the last point was refused.
    pub(crate) fn last_fault(&self) -> Option<String> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fault_of(&self, values: &Map<String, Value>, max_parameters: Option<u64>) -> Option<String> {
        let config = match self.with(values) {
            Ok(config) => config,
            Err(error) => return Some(error.to_string()),
        };
        let most = max_parameters?;
        let size = match Architecture::resolve(&config.model, self.vocab_size) {
            Ok(architecture) => architecture.parameter_count() as u64,
            Err(error) => return Some(error.to_string()),
        };
        (size > most)
            .then(|| format!("{size} parameters are more than search.max_parameters = {most}"))
    }

    fn with(&self, values: &Map<String, Value>) -> anyhow::Result<Config> {
        self.layers.clone().set(&assignments(values))?.resolve()
    }
}

/// The values as arguments of `--set`; nothing puts a key back to its default.
pub(crate) fn assignments(values: &Map<String, Value>) -> Vec<String> {
    let written = |value: &Value| match value {
        Value::Null => String::new(),
        value => toml::Value::try_from(value)
            .map_or_else(|_| value.to_string(), |value| value.to_string()),
    };
    values
        .iter()
        .map(|(key, value)| format!("{key}={}", written(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_arguments() {
        let values = json!({ "a.b": 1e-4, "c.d": "x y", "e.f": null, "g.h": [0.9, 0.95], "i.j": 3, "k.l": true });
        let mut found = assignments(values.as_object().unwrap());
        found.sort();
        assert_eq!(
            found,
            [
                "a.b=0.0001",
                "c.d=\"x y\"",
                "e.f=",
                "g.h=[0.9, 0.95]",
                "i.j=3",
                "k.l=true"
            ]
        );
    }
}
