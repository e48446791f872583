//! The configuration of the trials: a base, and over it the values of a trial.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use llm_data::Prepared;
use llm_models::Architecture;
use llm_search::Space;
use llm_train::plan::MemoryPlan;
use serde_json::{Map, Value, json};

use super::settings::SearchSettings;
use crate::config::{Config, Layers};
use crate::quantity::bytes;
use crate::training::memory::of_process;
use crate::training::settings;

/// What every trial has in common.
#[derive(Clone, Debug)]
pub(crate) struct TrialsConfig {
    layers: Layers,
    /// The text, by whose vocabulary the size of a model is known.
    prepared: Arc<Prepared>,
    /// Why the last point was refused.
    fault: Arc<Mutex<Option<String>>>,
}

/// What no trial may exceed.
#[derive(Clone, Copy, Debug)]
struct Budget {
    parameters: Option<u64>,
    /// Bytes.
    memory: Option<u64>,
}

impl TrialsConfig {
    /// A base, trained on this text.
    pub(crate) fn new(layers: Layers, prepared: Prepared) -> Self {
        Self {
            layers,
            prepared: Arc::new(prepared),
            fault: Arc::default(),
        }
    }

    /// The space of `settings`, with points left out that make no configuration, a model of more than `max_parameters`, or a run that is planned to
    /// take more than `max_memory`.
    ///
    /// # Errors
    /// The settings have no space, or a size that is none.
    pub(crate) fn restrict(&self, settings: &SearchSettings) -> anyhow::Result<Space> {
        let space = settings.space()?;
        let budget = Budget {
            parameters: settings.max_parameters,
            memory: settings.max_memory()?,
        };
        let this = self.clone();
        let fits = move |values: &Map<String, Value>| {
            let fault = this.fault_of(values, budget);
            let fits = fault.is_none();
            *this.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
            fits
        };
        Ok(space.with_predicate("the rules of the configuration", Arc::new(fits)))
    }

    /// Why the last point was refused.
    pub(crate) fn last_fault(&self) -> Option<String> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What makes the trials comparable with those of another machine: the space, what is compared, and the settings under the searched ones.
    ///
    /// # Errors
    /// The settings make no configuration.
    pub(crate) fn fingerprint(&self, settings: &SearchSettings) -> anyhow::Result<Value> {
        let mut config: Value = toml::from_str(&self.layers.clone().resolve()?.to_toml()?)?;
        // Where the files lie is each machine's own affair.
        for (table, key) in [
            ("data", "sources"),
            ("data", "validation_sources"),
            ("tokenizer", "path"),
        ] {
            if let Some(table) = config.get_mut(table).and_then(Value::as_object_mut) {
                table.remove(key);
            }
        }
        Ok(json!({
            "space": settings.space,
            "constraints": settings.constraints,
            "max_parameters": settings.max_parameters,
            "max_memory": settings.max_memory,
            "metric": settings.metric,
            "deterministic": settings.deterministic.then_some(settings.workers),
            "tokenizer": self.prepared.tokenizer.hash(),
            "training_tokens": self.prepared.train.len(),
            "validation_tokens": self.prepared.validation.len(),
            "config": config,
        }))
    }

    fn fault_of(&self, values: &Map<String, Value>, budget: Budget) -> Option<String> {
        self.check(values, budget)
            .err()
            .map(|error| error.to_string())
    }

    /// # Errors
    /// The values make no configuration, or one beyond the budget.
    fn check(&self, values: &Map<String, Value>, budget: Budget) -> anyhow::Result<()> {
        let config = self.with(values)?;
        let prepared = &self.prepared;
        if budget.parameters.is_none() && budget.memory.is_none() {
            return Ok(());
        }
        let architecture = Architecture::resolve(&config.model, prepared.tokenizer.vocab_size())?;
        let size = architecture.parameter_count() as u64;
        if let Some(most) = budget.parameters.filter(|most| size > *most) {
            bail!("{size} parameters are more than search.max_parameters = {most}");
        }
        if let Some(most) = budget.memory {
            let settings = settings(&config, &prepared.tokenizer);
            let seq = settings.window(
                architecture.max_seq_len(),
                &prepared.train,
                &prepared.validation,
            )?;
            let needed = of_process(&MemoryPlan::new(&architecture, &settings, seq));
            if needed > most {
                bail!(
                    "the run needs {} of memory, more than search.max_memory = {}",
                    bytes(needed),
                    bytes(most)
                );
            }
        }
        Ok(())
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
