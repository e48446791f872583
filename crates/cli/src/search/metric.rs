//! What trials are compared by, measured from what a training run leaves.

use llm_search::Direction;
use llm_train::{Record, Split};
use serde::{Deserialize, Serialize};

/// A number that a trial ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Nats per token over the whole validation part, of the model that the run leaves.
    ValidationLoss,
    /// The least loss of all evaluations.
    BestValidationLoss,
    /// Parameters of the model.
    Parameters,
    /// Training tokens a second: the median of the records.
    TokensPerS,
    /// Seconds of training.
    Seconds,
    /// The most memory of the process, in bytes.
    PeakMemory,
}

impl Metric {
    const ALL: [Self; 6] = [
        Self::ValidationLoss,
        Self::BestValidationLoss,
        Self::Parameters,
        Self::TokensPerS,
        Self::Seconds,
        Self::PeakMemory,
    ];

    /// Its name in files and flags.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ValidationLoss => "validation_loss",
            Self::BestValidationLoss => "best_validation_loss",
            Self::Parameters => "parameters",
            Self::TokensPerS => "tokens_per_s",
            Self::Seconds => "seconds",
            Self::PeakMemory => "peak_memory",
        }
    }

    /// All names.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The metric of a name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or_else(|| format!("use one of {}", Self::names()))
    }

    /// Whether less or more of it is better.
    pub(crate) fn direction(self) -> Direction {
        match self {
            Self::TokensPerS => Direction::Maximize,
            _ => Direction::Minimize,
        }
    }

    /// Whether losses on the way foretell it.
    pub(crate) fn is_a_loss(self) -> bool {
        matches!(self, Self::ValidationLoss | Self::BestValidationLoss)
    }

    /// Its value for a run with these records, and a model of so many parameters.
    pub(crate) fn of(self, records: &[Record], parameters: usize) -> Option<f64> {
        let validation = || {
            records
                .iter()
                .filter(|record| record.split == Split::Validation)
        };
        match self {
            // The last evaluation but one is over all windows where the last compares with the best.
            Self::ValidationLoss => validation()
                .max_by_key(|record| (record.step, record.evaluated_tokens))
                .map(|record| record.loss),
            Self::BestValidationLoss => validation()
                .map(|record| record.loss)
                .min_by(f64::total_cmp),
            Self::Parameters => Some(parameters as f64),
            Self::TokensPerS => {
                let mut paces: Vec<f64> = records
                    .iter()
                    .filter_map(|record| record.tokens_per_s)
                    .collect();
                paces.sort_by(f64::total_cmp);
                paces.get(paces.len() / 2).copied()
            }
            Self::Seconds => records.last().map(|record| record.seconds),
            Self::PeakMemory => records
                .iter()
                .filter_map(|record| record.rss_bytes)
                .max()
                .map(|bytes| bytes as f64),
        }
    }
}
