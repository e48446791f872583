//! The fast way through a model on the CPU, without tensors: a [`Plan`] says what a pass does, an [`Executor`] does it, and a
//! [`SequenceCache`] holds the keys and values of one sequence.
//!
//! A pass takes any number of new tokens of any number of sequences, each with its own length: a prompt, one token of each of eight
//! sequences, or several guessed tokens to be checked. Families differ in their plans only. The tensor forward pass of the same model is
//! the oracle, and the way on other devices.

mod cache;
mod executor;
mod linear;
mod plan;

pub use cache::{SequenceCache, room};
pub use executor::{Chunk, Executor};
pub use linear::{Linear, Weights};
pub use plan::{AttentionStep, FeedForwardStep, NormStep, Operation, Plan, Register};
