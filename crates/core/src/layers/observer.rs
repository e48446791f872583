//! Looking into a forward pass while it runs.
//!
//! Layers hand what they have to the observer of their [`Pass`](super::Pass). A pass without one computes nothing more, and one with one
//! computes the same bits: attention goes through its fused operation as ever, and the probabilities, which that never holds, are made
//! beside it.

use std::fmt::Debug;

use burn::prelude::*;

/// Looks on while a forward pass runs; sees what it asks for.
pub trait Observer: Debug {
    /// The residual stream `[batch, seq, d_model]` on its way: at depth 0 as it enters the first block, at depth `i` as it leaves
    /// block `i - 1`.
    fn stream(&mut self, depth: usize, x: &Tensor<3>) {
        let _ = (depth, x);
    }

    /// Whether [`attention`](Self::attention) is wanted from this layer.
    fn wants_attention(&self, layer: usize) -> bool {
        let _ = layer;
        false
    }

    /// The attention probabilities of a layer, `[batch, heads, seq, keys]`, keys in the order in which the pass has them. What a query
    /// may not see is 0, and every row sums to 1. Dropout is not in them.
    fn attention(&mut self, layer: usize, probabilities: Tensor<4>) {
        let _ = (layer, probabilities);
    }
}
