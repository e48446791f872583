//! What a definition has to say beside what the library reads, for encoding exactly as SentencePiece does.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::TokenizerError;
use crate::load::wrong_key;

/// Key in the normalizer of a definition.
pub(crate) const KEY: &str = "sentencepiece";

/// The value of [`KEY`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether a ▁ is put before each text.
    pub(crate) add_dummy_prefix: bool,
    /// Whether spaces at both ends of a text are dropped, and all but one of those that follow each other.
    pub(crate) remove_extra_whitespaces: bool,
    /// What the unknown piece is decoded to.
    pub(crate) unk_surface: String,
    /// Ids of the pieces that are looked for before anything else.
    pub(super) user_defined: Vec<u32>,
    /// Ids of the pieces that no text becomes.
    pub(crate) unused: Vec<u32>,
    /// Scores of all pieces of a BPE, by id. Those of other models stand in the vocabulary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scores: Vec<f32>,
}

impl Settings {
    /// The settings in a definition, if it has any.
    pub(crate) fn of(definition: &Value, path: &Path) -> Result<Option<Self>, TokenizerError> {
        let value = &definition["normalizer"][KEY];
        if value.is_null() {
            return Ok(None);
        }
        let settings = Self::deserialize(value)
            .map_err(|_| wrong(path, "the settings that saving writes there"))?;
        if settings.scores.iter().any(|score| !score.is_finite()) {
            return Err(wrong(path, "settings with finite scores"));
        }
        Ok(Some(settings))
    }
}

/// The error for settings that do not fit the rest of the definition.
pub(super) fn wrong(path: &Path, expected: &'static str) -> TokenizerError {
    wrong_key(path, &format!("normalizer.{KEY}"), expected)
}
