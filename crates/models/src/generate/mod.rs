//! Generation: token ids and their log-probabilities, for several sequences as one batch, with a cache or without.
//!
//! Speaks ids only: stop strings and printing belong to the caller, which answers every token with [`Decision`].
//! Beam search will stand beside the engine, and share its sequences and the samplers.

mod chooser;
mod config;
mod engine;
mod limits;
mod planned;
mod samplers;
mod sequence;
mod speculation;
mod tensors;
mod token_bias;
mod trace;

pub use config::{ContextOverflow, GenerateConfig, Strategy};
pub use engine::{Decision, Finish, Generated, Generator, Method, Special, Step, generate};
pub use token_bias::TokenBias;
pub use trace::{Stage, Trace};

#[cfg(test)]
mod tests;
