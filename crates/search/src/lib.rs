//! Search for hyperparameters: spaces, samplers, pruners, and studies that Optuna reads and goes on with.
//!
//! Knows nothing of language models. What is searched for is an [`Objective`], or whoever asks a [`Study`] for trials and tells it how they ended.
//!
//! ```
//! use llm_search::{Limits, Running, Space, SpaceConfig, Study, StudyOptions};
//!
//! let config: SpaceConfig = toml::from_str("
//!     x = { min = -5.0, max = 5.0 }
//!     kind = ['near', 'far']
//!     shift = { min = 1, max = 9, when = 'kind == \"far\"' }
//! ")?;
//! let space = Space::new(config.parameters)?;
//! let mut study = Study::new(space, StudyOptions { seed: 42, ..StudyOptions::default() })?;
//! let objective = |trial: &Running<'_>| {
//!     let shift = trial.get("shift").map_or(0.0, |_| trial.float("shift"));
//!     trial.float("x").powi(2) + shift
//! };
//! study.optimize(&objective, Limits { trials: Some(50), timeout: None })?;
//! let best = study.best().unwrap();
//! assert_eq!(best.params()["kind"], "near");
//! assert!(best.values[0] < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod distribution;
mod error;
mod expression;
mod history;
mod importance;
mod linalg;
mod normal;
mod objective;
mod pareto;
mod pruner;
mod random;
mod sampler;
mod sobol;
mod space;
mod storage;
mod study;
mod trial;

pub use distribution::Distribution;
pub use error::{Result, SearchError};
pub use expression::Expression;
pub use history::{Observation, Request};
pub use importance::importance;
pub use objective::{Objective, Running, Stop};
pub use pruner::{
    HalvingPruner, HyperbandPruner, NoPruner, PatientConfig, PatientPruner, PercentilePruner,
    Pruner, PrunerConfig, Reports, ThresholdPruner,
};
pub use sampler::{
    CmaEsSampler, GpSampler, GridSampler, Nsga2Sampler, Proposal, QmcSampler, RandomSampler,
    Sampler, SamplerConfig, TpeSampler,
};
pub use space::{Parameter, Point, Predicate, Space, SpaceConfig};
pub use storage::{
    Change, Corruption, JournalStorage, MemoryStorage, NewTrial, State, Storage, StudyRecord,
    Transaction,
};
#[cfg(feature = "rdb")]
pub use storage::{DatabaseUrl, RdbStorage};
pub use study::{Asked, Limits, Outcome, Recovery, Started, Study, StudyOptions};
pub use trial::{Direction, Trial, TrialParameter, TrialState};
