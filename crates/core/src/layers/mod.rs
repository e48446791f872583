//! Layers, each config → module → `init` → `forward`, on the fused operations of [`kernels`](crate::kernels).
//!
//! Training and cached decoding share them. What differs between two forward passes (positions, padding, cache, dropout) is a [`Pass`],
//! and an [`Observer`] looks into one.

mod attention;
mod cache;
mod dropout;
mod embedding;
mod feed_forward;
mod initializer;
mod norm;
mod observer;
mod pass;
mod positions;
mod projection;
mod rope;
mod rope_scaling;

pub use crate::kernels::ActivationKind;
pub use attention::{Attention, AttentionConfig};
pub use cache::KvCache;
pub use dropout::DropoutKey;
pub use embedding::{TokenEmbedding, TokenEmbeddingConfig};
pub use feed_forward::{FeedForward, FeedForwardConfig, SwiGlu, SwiGluConfig};
pub use initializer::{Initializer, small_std};
pub use norm::{LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig};
pub use observer::Observer;
pub use pass::Pass;
pub use positions::{LearnedPositions, LearnedPositionsConfig, Positions, SinusoidalPositions};
pub use projection::{Projection, ProjectionConfig};
pub use rope::{Rope, RopeConfig};
pub use rope_scaling::RopeScaling;

/// Sizes that do not make a layer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayerError {
    /// A size is zero.
    #[error("{name} is 0: it must be at least 1")]
    Zero {
        /// Which size.
        name: &'static str,
    },
    /// A size must divide another.
    #[error("{name} is {value}: it must be a multiple of {divisor_name} = {divisor}")]
    NotMultiple {
        /// The larger size.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The size that must divide it.
        divisor_name: &'static str,
        /// Its value.
        divisor: usize,
    },
    /// Rotary positions rotate pairs.
    #[error("d_head is {0}: rotary positions need an even head size")]
    OddHead(usize),
    /// A number is out of its range.
    #[error("{name} is {value}: it must be {allowed}")]
    OutOfRange {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// Fails with the name of the first size that is zero.
pub(crate) fn at_least_one(sizes: &[(&'static str, usize)]) -> Result<(), LayerError> {
    match sizes.iter().find(|(_, value)| *value == 0) {
        Some(&(name, _)) => Err(LayerError::Zero { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod gradient_tests;
