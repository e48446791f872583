//! The `[data]` table of a configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::size::ByteSize;

/// Where text comes from and how it is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Files and folders; none for the story grammar, see [`SynthConfig`].
    pub sources: Vec<PathBuf>,
    /// Files and folders to validate on. When given, `sources` is not split.
    pub validation_sources: Vec<PathBuf>,
    /// The key of the text in the objects of `.jsonl` files.
    pub text_field: String,
    /// The share of the text that is kept for validation, between 0 and 1.
    pub validation: f64,
    /// What the split keeps together.
    pub split: SplitBy,
    /// The line that ends a document in a `.txt` file; empty when each file is one document.
    pub document_separator: String,
    /// The stories that are made when there are no sources.
    pub synth: SynthConfig,
}

/// What a split keeps together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Documents when there are 20 of them or more, else the tail.
    #[default]
    Auto,
    /// Each document goes to one part or the other as a whole.
    Documents,
    /// The last characters of all documents in a row are the validation part.
    Tail,
}

/// Which stories are made; see [`StoryGenerator`](crate::StoryGenerator).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynthConfig {
    /// The seed of the stories.
    pub seed: u64,
    /// Their size as a text file, reached with the last story.
    pub size: ByteSize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            validation_sources: Vec::new(),
            text_field: "text".to_owned(),
            validation: 0.1,
            split: SplitBy::Auto,
            document_separator: crate::synth::SEPARATOR.to_owned(),
            synth: SynthConfig::default(),
        }
    }
}

impl Default for SynthConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            size: ByteSize(4_000_000),
        }
    }
}

impl DataConfig {
    /// Checks what the types alone do not.
    ///
    /// # Errors
    /// Names the key that is wrong. Does not look at the sources.
    pub fn validate(&self) -> Result<(), DataError> {
        if !(self.validation > 0.0 && self.validation < 1.0) {
            return Err(DataError::ValidationShare {
                found: self.validation,
            });
        }
        if self.text_field.is_empty() {
            return Err(DataError::EmptyKey {
                key: "data.text_field",
            });
        }
        if self.document_separator.contains(['\n', '\r']) {
            return Err(DataError::Separator {
                found: self.document_separator.clone(),
            });
        }
        if self.synth.size.0 == 0 {
            return Err(DataError::SizeZero);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default() {
        let config: DataConfig = serde_json::from_str("{}").expect("all keys have defaults");
        assert_eq!(config, DataConfig::default());
        let text = serde_json::to_string(&config).expect("a config can be written");
        assert!(
            text.contains(r#""split":"auto""#) && text.contains(r#""size":"4MB""#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<DataConfig>(&text).ok(), Some(config));
        assert!(serde_json::from_str::<DataConfig>(r#"{"source": []}"#).is_err());
        assert!(serde_json::from_str::<DataConfig>(r#"{"synth": {"sead": 1}}"#).is_err());
    }

    #[test]
    fn wrong_values_name_their_key() {
        #[track_caller]
        fn check(change: impl Fn(&mut DataConfig), part: &str) {
            let mut config = DataConfig::default();
            change(&mut config);
            let error = config.validate().expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(DataConfig::default().validate().is_ok());
        for share in [0.0, 1.0, -0.5, f64::NAN] {
            check(|c| c.validation = share, "data.validation");
        }
        check(|c| c.text_field.clear(), "data.text_field");
        check(
            |c| c.document_separator.push('\n'),
            "data.document_separator",
        );
        check(|c| c.synth.size = ByteSize(0), "data.synth.size");
    }
}
