//! Generation: token ids and their log-probabilities, for several sequences as one batch, with a cache or without.
//!
//! Speaks ids only: stop strings and printing belong to the caller, which answers every token with [`Decision`].
//! Beam search will stand beside the engine, and share its sequences and the filters.

mod config;
mod engine;
mod planned;
mod sampler;
mod sequence;
mod speculation;
mod tensors;

pub use config::{ContextOverflow, GenerateConfig, Strategy};
pub use engine::{Decision, Finish, Generated, Generator, Method, Special, Step, generate};

#[cfg(test)]
mod tests;
