//! The `[data]` table of a configuration file.

use serde::{Deserialize, Serialize};

use crate::clean::CleanConfig;
use crate::error::DataError;
use crate::size::ByteSize;
use crate::sources::{self, Format, Source};

/// Where text comes from and how it is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Files and folders, see [`Documents`](crate::Documents) for the kinds; none for the story grammar, see [`SynthConfig`].
    pub sources: Vec<Source>,
    /// Files and folders to validate on. When given, `sources` is not split.
    pub validation_sources: Vec<Source>,
    /// The name of the text: the key in JSON objects, or a path of keys such as `meta.text`; the column of tables, or its number, such as
    /// `#2`, where a table has no header.
    pub text_field: String,
    /// The format of all files, in place of what their extensions say; standard input is text otherwise. In a folder it takes in all files
    /// but hidden ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The character coding of all files: `auto`, which finds it for each file, or a name of the Encoding Standard such as `utf-8` or
    /// `windows-1252`, <https://encoding.spec.whatwg.org/#names-and-labels>.
    pub encoding: String,
    /// What happens to what cannot be read.
    pub on_error: OnError,
    /// The longest record that is held in memory: a line, a row, a JSON value or a web page, in bytes.
    pub max_document_bytes: ByteSize,
    /// The share of the text that is kept for validation, between 0 and 1.
    pub validation: f64,
    /// What the split keeps together.
    pub split: SplitBy,
    /// The line that ends a document in a `.txt` file; empty when each file is one document.
    pub document_separator: String,
    /// Whether a window of training treats each document as if it stood alone: no attention and no loss over its borders.
    pub respect_documents: bool,
    /// How text is cleaned; by default not at all.
    pub clean: CleanConfig,
    /// The stories that are made when there are no sources.
    pub synth: SynthConfig,
}

/// What happens to a record, or a file, that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It is an error.
    #[default]
    Stop,
    /// It is passed over and counted, see [`Skipped`](crate::Skipped). In a text file this is a line, which its document then lacks; in a
    /// file that is damaged on the way, all that follows.
    Skip,
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
            format: None,
            encoding: "auto".to_owned(),
            on_error: OnError::Stop,
            max_document_bytes: ByteSize(256_000_000),
            validation: 0.1,
            split: SplitBy::Auto,
            document_separator: crate::synth::SEPARATOR.to_owned(),
            respect_documents: false,
            clean: CleanConfig::default(),
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
        sources::named_coding(&self.encoding)?;
        if self.max_document_bytes.0 == 0 {
            return Err(DataError::LimitZero);
        }
        if self.document_separator.contains(['\n', '\r']) {
            return Err(DataError::Separator {
                found: self.document_separator.clone(),
            });
        }
        if self.synth.size.0 == 0 {
            return Err(DataError::SizeZero);
        }
        self.clean.validate()?;
        self.validate_sources()
    }

    fn validate_sources(&self) -> Result<(), DataError> {
        let all = || self.sources.iter().chain(&self.validation_sources);
        for source in all() {
            source.validate()?;
        }
        if let Some(source) = self.validation_sources.iter().find(|s| s.weight != 1.0) {
            return Err(DataError::ValidationWeight {
                path: source.path.clone(),
            });
        }
        if all().filter(|source| source.is_stdin()).count() > 1 {
            return Err(DataError::StdinTwice);
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
        check(
            |c| c.max_document_bytes = ByteSize(0),
            "data.max_document_bytes",
        );
        check(|c| c.encoding = "utf-9".to_owned(), "`utf-9`");
        let weighted = Source {
            weight: 2.0,
            ..Source::new("a.txt")
        };
        check(|c| c.validation_sources.push(weighted.clone()), "a.txt");
        check(
            |c| {
                c.sources.push("-".into());
                c.validation_sources.push("-".into());
            },
            "only once",
        );
        check(
            |c| {
                let encoding = Some("utf-9".to_owned());
                c.sources.push(Source {
                    encoding,
                    ..Source::new("a.txt")
                });
            },
            "`utf-9`",
        );
    }
}
