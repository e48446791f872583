//! What can go wrong in a search. Messages name the parameter, key, file or line and what to do about it.

use std::path::PathBuf;

/// Why a search cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A parameter that cannot be searched as it is described.
    #[error("search space: {parameter}: {message}")]
    Parameter {
        /// Name of the parameter.
        parameter: String,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// A space that has nothing to search, or that no point satisfies.
    #[error("search space: {0}")]
    Space(String),
    /// A condition or constraint that is not an expression over the parameters.
    #[error("search space: `{expression}`: {message}")]
    Expression {
        /// The text as given.
        expression: String,
        /// What is wrong with it.
        message: String,
    },
    /// A setting of a sampler, pruner or study that is out of its range or unknown.
    #[error("{0}")]
    Setting(String),
    /// Every point of a finite space has been tried.
    #[error("all {0} points of the search space have been tried")]
    Exhausted(usize),
    /// A trial that is not there, or not running.
    #[error("trial {number}: {message}")]
    Trial {
        /// Number of the trial in its study.
        number: usize,
        /// What is wrong.
        message: String,
    },
    /// All trials of a study failed.
    #[error("all {count} trials failed; the last: {reason}")]
    AllFailed {
        /// How many there were.
        count: usize,
        /// Why the last one failed.
        reason: String,
    },
    /// A file that cannot be read, written or locked.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A storage that does not answer, or holds something else than was expected.
    #[error("storage {url}: {message}")]
    Storage {
        /// Where it is.
        url: String,
        /// What is wrong, and the remedy.
        message: String,
    },
}

impl SearchError {
    /// Whether the settings are wrong, rather than the data, the storage or the trials.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Parameter { .. } | Self::Space(_) | Self::Expression { .. } | Self::Setting(_)
        )
    }

    pub(crate) fn parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self::Parameter {
            parameter: parameter.to_owned(),
            message: message.into(),
        }
    }
}

/// Result of this crate.
pub type Result<T, E = SearchError> = std::result::Result<T, E>;

/// ` (did you mean …?)`, where one of `known` is near `word`; else the list of them.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    match known.clone().into_iter().min_by_key(|name| distance(name)) {
        Some(name) if distance(name) <= (name.len() / 3).max(1) => {
            format!("did you mean `{name}`?")
        }
        _ => {
            let names: Vec<&str> = known.into_iter().collect();
            format!("known are {}", names.join(", "))
        }
    }
}
