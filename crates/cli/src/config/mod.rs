//! The configuration of a run: one table for each part of the product, and where its values come from.
//!
//! Defaults < file < `--set a.b=value` < flags; [`Layers`] puts them together and blames the layer that a fault came from. Relative paths
//! inside a file are relative to the current directory, as on the command line. [`Config::to_toml`] writes the resolved configuration,
//! which reproduces the run.

mod assignment;
mod explain;
mod file;
mod flat;
mod keys;
mod layers;
mod strict;
mod tree;

pub(crate) use explain::explain;
pub(crate) use file::ConfigFile;
pub(crate) use flat::{Flat, differences};
pub(crate) use keys::{fields as keys_of, tables};
pub(crate) use layers::Layers;

use llm_data::{DataConfig, DataError};
use llm_models::generate::GenerateConfig;
use llm_models::{Architecture, ModelConfig, ModelError};
use llm_tokenizer::{TokenizerConfig, TokenizerError};
use llm_train::{OptimizerConfig, ScheduleConfig, TrainConfig, TrainError};
use serde::{Deserialize, Serialize};

/// The settings of `llm train` without arguments.
pub(crate) const DEFAULT_TOML: &str = include_str!("../../../../configs/default.toml");

/// A whole configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Family and sizes.
    pub(crate) model: ModelConfig,
    /// Which tokenizer is made or loaded.
    pub(crate) tokenizer: TokenizerConfig,
    /// What is read.
    pub(crate) data: DataConfig,
    /// How long, how much at once, and what is written when.
    pub(crate) train: TrainConfig,
    /// How gradients become updates.
    pub(crate) optimizer: OptimizerConfig,
    /// The learning rate over the run.
    pub(crate) schedule: ScheduleConfig,
    /// How text is generated.
    pub(crate) generate: GenerateConfig,
}

/// A value out of its range, or at odds with another one.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The dotted key that the message is about, where the table names one.
    pub(crate) key: Option<String>,
    /// The key, its value and what is allowed.
    pub(crate) message: String,
}

/// What is wrong with the name of a key, or with the kind of a value for it; whether the value is in range is not asked.
pub(crate) fn fault_of_value(key: &str, value: figment::value::Value) -> Option<String> {
    use figment::error::Kind;
    let error = tree::decode(&tree::branch(key, value)).err()?;
    let is_about_it = matches!(
        error.kind,
        Kind::UnknownField(..)
            | Kind::UnknownVariant(..)
            | Kind::InvalidType(..)
            | Kind::InvalidValue(..)
            | Kind::InvalidLength(..)
    );
    is_about_it.then(|| explain(&error))
}

impl Config {
    /// Writes the configuration as TOML, every key that has a value.
    ///
    /// # Errors
    /// A whole number is larger than TOML can hold.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Checks every table against its own rules. Whether the vocabulary of the model fits is known only once there is a tokenizer.
    ///
    /// # Errors
    /// The first fault.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        Architecture::resolve(&self.model, 1)?;
        self.tokenizer.validate()?;
        self.data.validate()?;
        self.train.validate()?;
        self.optimizer.validate()?;
        self.schedule
            .validate(self.train.max_steps, self.optimizer.learning_rate)?;
        self.generate.validate()?;
        Ok(())
    }
}

impl From<TrainError> for Fault {
    fn from(error: TrainError) -> Self {
        let key = match &error {
            TrainError::Config { key, .. } => Some((*key).to_owned()),
            _ => None,
        };
        Self {
            key,
            message: error.to_string(),
        }
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        let key = match &error {
            ModelError::Config { key, .. } => Some((*key).to_owned()),
            ModelError::KeyOfOtherFamily { key, .. } => Some(format!("model.{key}")),
            ModelError::UnknownPreset { .. } | ModelError::PresetOfOtherFamily { .. } => {
                Some("model.preset".to_owned())
            }
            // The message begins with the key.
            ModelError::Layer(_) => message.split(' ').next().map(str::to_owned),
            _ => None,
        };
        Self { key, message }
    }
}

impl From<TokenizerError> for Fault {
    fn from(error: TokenizerError) -> Self {
        let key = match &error {
            TokenizerError::VocabSize { .. } => Some("tokenizer.vocab_size"),
            TokenizerError::PathMissing => Some("tokenizer.kind"),
            TokenizerError::PathUnused { .. } => Some("tokenizer.path"),
            _ => None,
        };
        Self {
            key: key.map(str::to_owned),
            message: error.to_string(),
        }
    }
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        let key = match &error {
            DataError::ValidationShare { .. } => Some("data.validation"),
            DataError::EmptyKey { key } => Some(*key),
            DataError::Separator { .. } => Some("data.document_separator"),
            DataError::SizeZero => Some("data.synth.size"),
            DataError::Encoding { .. } => Some("data.encoding"),
            DataError::LimitZero => Some("data.max_document_bytes"),
            DataError::Weight { .. } | DataError::StdinTwice => Some("data.sources"),
            DataError::ValidationWeight { .. } => Some("data.validation_sources"),
            DataError::CleanKey { key, .. } => {
                return Self {
                    key: Some(format!("data.clean.{key}")),
                    message: error.to_string(),
                };
            }
            _ => None,
        };
        Self {
            key: key.map(str::to_owned),
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn configs() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
    }

    #[test]
    fn the_example_of_the_architecture_is_the_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
        let text = fs::read_to_string(path).unwrap();
        let (_, example) = text.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        assert_eq!(example, DEFAULT_TOML);
    }

    #[test]
    fn every_file_in_configs_is_a_configuration() {
        let mut files = 0;
        for entry in fs::read_dir(configs()).unwrap() {
            let path = entry.unwrap().path();
            let mut file = ConfigFile::read(&path).unwrap();
            let is_a_search = path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("search");
            if is_a_search {
                crate::search::SearchSettings::take(&mut file).unwrap();
            }
            let config = Layers::on(file).resolve().unwrap();
            let text = config.to_toml().unwrap();
            let again = Layers::new()
                .built_in("resolved", &text)
                .unwrap()
                .resolve()
                .unwrap();
            assert_eq!(again, config, "{}", path.display());
            files += 1;
        }
        assert!(files >= 5, "{files} files");
    }

    #[test]
    fn the_default_configuration_explains_every_key() {
        let mut table = String::new();
        let mut found = Vec::new();
        let mut before = "";
        for line in DEFAULT_TOML.lines() {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                table = name.to_owned();
            } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
                && !key.contains(' ')
            {
                assert!(before.starts_with('#'), "{table}.{key} has no comment");
                found.push(format!("{table}.{key}"));
            }
            before = line;
        }
        for key in keys::all().into_iter().flat_map(innermost) {
            assert!(
                found.contains(&key),
                "{key} is missing from configs/default.toml"
            );
        }
    }

    /// The keys that the key stands for: itself, or those of its table.
    fn innermost(key: String) -> Vec<String> {
        let fields = keys::fields(&key);
        if fields.is_empty() {
            return vec![key];
        }
        let inner = fields.into_iter().map(|field| format!("{key}.{field}"));
        inner.flat_map(innermost).collect()
    }
}
