//! Token embedding: one vector for each token id, used again as the output head where the head is tied.
//!
//! Source: Press, Wolf 2017, "Using the Output Embedding to Improve Language Models" (tying).

use burn::module::Param;
use burn::prelude::*;

use super::Initializer;
use crate::decode::{Linear, Weights};
use crate::kernels::{embedding, linear};
use crate::tape::{Parameter, Tape, Value};

/// Sizes of a [`TokenEmbedding`].
#[derive(Clone, Copy, Debug)]
pub struct TokenEmbeddingConfig {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Width of a vector.
    pub d_model: usize,
    /// Standard deviation of the initial vectors.
    pub std: f64,
}

/// One vector for each token id.
#[derive(Module, Debug)]
pub struct TokenEmbedding {
    /// `[vocab_size, d_model]`.
    pub weight: Param<Tensor<2>>,
}

impl TokenEmbeddingConfig {
    /// Makes the vectors on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> TokenEmbedding {
        TokenEmbedding {
            weight: init.normal([self.vocab_size, self.d_model], self.std, device),
        }
    }
}

impl TokenEmbeddingConfig {
    /// Records [`TokenEmbedding::forward`]; the table and its vectors.
    pub fn record(&self, tape: &mut Tape) -> (Parameter, Value) {
        let table = tape.parameter(self.vocab_size * self.d_model);
        (table, tape.embedding(table, tape.tokens(), self.d_model))
    }

    /// Records [`TokenEmbedding::logits`] with that table.
    pub fn record_logits(&self, tape: &mut Tape, table: Parameter, hidden: Value) -> Value {
        tape.linear(hidden, self.vocab_size, &[table])
    }
}

impl TokenEmbedding {
    /// Looks the vectors up.
    ///
    /// # Shapes
    /// - `ids`: `[batch, seq]`, below `vocab_size`
    /// - output: `[batch, seq, d_model]`
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, seq] = ids.dims();
        let weight = self.weight.val();
        let d_model = weight.dims()[1];
        embedding(weight, ids.reshape([batch * seq])).reshape([batch, seq, d_model])
    }

    /// Logits of the tied head: `hidden · weightᵀ`.
    ///
    /// # Shapes
    /// - `hidden`: `[rows, d_model]`
    /// - output: `[rows, vocab_size]`
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        linear(hidden, self.weight.val(), None)
    }

    /// The tied head for a plan; `None` where weights are not f32 on the CPU.
    pub fn plan_head(&self) -> Option<Linear> {
        Some(Linear {
            weight: Weights::of(&self.weight)?,
            bias: None,
        })
    }
}
