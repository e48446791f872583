//! The search for settings of training runs: what is searched, how a trial runs, and what is left of a study.
//!
//! The method is `llm-search`'s, which knows nothing of training; here a trial is `llm train` in a process of its own.

mod figures;
mod folder;
mod metric;
mod pool;
mod progress;
mod results;
mod settings;
mod shared;
mod trial;
mod trials_config;

pub(crate) use figures::{Figures, Picture, in_words};
pub(crate) use folder::StudyFolder;
pub(crate) use metric::Metric;
pub(crate) use pool::{Pool, Stop};
pub(crate) use results::Results;
pub(crate) use settings::{Metrics, SearchSettings};
pub(crate) use shared::shared_study;
pub(crate) use trials_config::TrialsConfig;
