//! Training: batches from token shards, the step loop, optimizers and schedules, checkpoints and resume, evaluation, metric records.
//!
//! Knows neither text nor which family it trains.
//!
//! ```
//! use burn::prelude::*;
//! use llm_data::TokenShard;
//! use llm_models::{Architecture, ModelConfig};
//! use llm_train::{Run, Settings, Start, train};
//!
//! let folder = tempfile::tempdir()?;
//! let tokens = TokenShard::from_tokens((0..2000).map(|i| i % 7).collect());
//! let sizes = ModelConfig { d_model: Some(16), n_layers: Some(1), max_seq_len: Some(8), ..ModelConfig::default() };
//! let model = Architecture::resolve(&sizes, 7)?.init(1, &Device::flex().autodiff());
//! let mut settings = Settings::default();
//! settings.train.max_steps = 20;
//! settings.train.sample_every = 0;
//! let run = Run {
//!     folder: folder.path(),
//!     training: &tokens,
//!     validation: &tokens,
//!     special: Default::default(),
//!     sample_prompt: vec![0],
//!     write_extras: &|_| Ok(()),
//!     interrupted: &|| false,
//!     on_event: &mut |_| {},
//! };
//! let outcome = train(Start::Fresh(Box::new(model)), &settings, run)?;
//! assert!(outcome.evaluation.expect("not interrupted").loss < 7f64.ln());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod average;
mod batch;
mod checkpoint;
mod compare;
mod config;
mod error;
mod evaluate;
mod find_learning_rate;
mod flops;
mod gradients;
mod metrics;
mod objective;
mod optimizer;
mod packing;
pub mod plan;
mod run;
mod schedule;
mod settings;
mod spikes;
mod steps;
mod trainer;

pub use checkpoint::{WriteExtras, has_checkpoint};
pub use compare::{Comparison, KlDivergence, compare};
pub use config::{
    Moments, OptimizerConfig, OptimizerKind, ScheduleConfig, ScheduleKind, TrainConfig,
};
pub use error::TrainError;
pub use evaluate::{Evaluation, Protocol, evaluate};
pub use find_learning_rate::{RangePoint, RangeTest, RateRange, find_learning_rate};
pub use flops::{peak_flops, step_flops};
pub use metrics::{Record, Split, read_metrics};
pub use packing::Packing;
pub use run::{Event, Outcome, Run, Start, StopReason};
pub use schedule::Schedule;
pub use settings::Settings;
pub use steps::{StepResult, TrainingSteps};
pub use trainer::train;
