//! A pass through a model as data.

use super::linear::{Linear, Weights};
use crate::kernels::ActivationKind;
use crate::layers::Rope;

/// What a pass does with its tokens. Made by a model, run by an [`Executor`](super::Executor).
#[derive(Clone, Debug)]
pub struct Plan {
    /// The vector of each token, `[vocab_size, d_model]`.
    pub token_embedding: Weights,
    /// The vector of each position, `[max_seq_len, d_model]`, added to the token's.
    pub position_embedding: Option<Weights>,
    /// Rotation of queries and keys.
    pub rope: Option<Rope>,
    /// From the embedding, in the stream, to what the head takes, in the stream.
    pub operations: Vec<Operation>,
    /// Scores of the next token, `[vocab_size, d_model]`.
    pub head: Linear,
}

/// Where an operation reads or writes, `[rows, d_model]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// The residual stream.
    Stream,
    /// What a sub-layer works on, and what it adds to the stream.
    Branch,
}

/// One step of a [`Plan`]. Sub-layers write to the branch.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a few for each block of a model, beside weights of many times their size"
)]
pub enum Operation {
    /// `to = norm(from)`.
    Norm {
        /// Which norm.
        norm: NormStep,
        /// What is normed.
        from: Register,
        /// Where it goes.
        to: Register,
    },
    /// `branch = attention(from)`; the cache of this layer takes the keys and values.
    Attention {
        /// Projections and sizes.
        attention: AttentionStep,
        /// Its input.
        from: Register,
    },
    /// `branch = feed_forward(from)`.
    FeedForward {
        /// Projections.
        feed_forward: FeedForwardStep,
        /// Its input.
        from: Register,
    },
    /// `stream = stream + branch`.
    Add,
}

/// A norm of rows.
#[derive(Clone, Debug)]
pub enum NormStep {
    /// By mean and variance.
    Layer {
        /// `[d_model]`.
        weight: Weights,
        /// `[d_model]`.
        bias: Option<Weights>,
        /// Added to the variance.
        eps: f32,
    },
    /// By the root of the mean square.
    Rms {
        /// `[d_model]`.
        weight: Weights,
        /// Added to the mean square.
        eps: f32,
    },
}

/// Causal attention with a cache.
#[derive(Clone, Debug)]
pub struct AttentionStep {
    /// `[n_heads * d_head, d_model]`.
    pub query: Linear,
    /// `[n_kv_heads * d_head, d_model]`.
    pub key: Linear,
    /// `[n_kv_heads * d_head, d_model]`.
    pub value: Linear,
    /// `[d_model, n_heads * d_head]`.
    pub output: Linear,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// How many of the newest tokens a token sees, itself included; `None` for all.
    pub window: Option<usize>,
}

/// A feed-forward block.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a few for each block of a model, beside weights of many times their size"
)]
pub enum FeedForwardStep {
    /// `down(activation(up(x)))`.
    Plain {
        /// `[d_ff, d_model]`.
        up: Linear,
        /// Between the projections.
        activation: ActivationKind,
        /// `[d_model, d_ff]`.
        down: Linear,
    },
    /// `down(silu(gate(x)) * up(x))`.
    Gated {
        /// `[d_ff, d_model]`.
        gate: Linear,
        /// `[d_ff, d_model]`.
        up: Linear,
        /// `[d_model, d_ff]`.
        down: Linear,
    },
}

impl Plan {
    /// The operations of all blocks one after the other; `None` when a block has none.
    pub fn in_order<const N: usize>(
        blocks: impl Iterator<Item = Option<[Operation; N]>>,
    ) -> Option<Vec<Operation>> {
        Some(
            blocks
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect(),
        )
    }

    /// Number of tokens that the head scores.
    pub fn vocab_size(&self) -> usize {
        self.head.d_out()
    }

    /// The attention of each layer, which is each cache's.
    pub(super) fn attentions(&self) -> impl Iterator<Item = &AttentionStep> {
        self.operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Attention { attention, .. } => Some(attention),
                _ => None,
            })
    }

    /// The widest window of a layer; `None` when one of them sees everything.
    pub(super) fn window(&self) -> Option<usize> {
        self.attentions()
            .map(|attention| attention.window)
            .reduce(|a, b| Some(a?.max(b?)))?
    }
}
