//! Generation: token ids and their log-probabilities, for several sequences as one batch, with a cache or without.
//!
//! Speaks ids only: stop strings and printing belong to the caller, which answers every token with [`Decision`].
//! Beam search will stand beside the engine, and share its sequences and the filters.

mod config;
mod engine;
mod sampler;

pub use config::{ContextOverflow, GenerateConfig, Strategy};
pub use engine::{Caching, Decision, Finish, Generated, Special, Step, generate};

#[cfg(test)]
mod tests;
