//! Mistral: LLaMA's blocks with sliding-window attention, so that a cache never holds more than the window.
//!
//! ```text
//! x = token_embedding
//! for each block:  x = x + windowed_attention(norm(x));  x = x + swiglu(norm(x))
//! logits = norm(x) · headᵀ
//! ```
//!
//! A token sees exactly `window` keys, its own included; through the layers it sees `n_layers * (window - 1)` tokens back. Positions go
//! on past the window, so a text may be of any length.
//!
//! Source: Jiang et al. 2023, "Mistral 7B", section 2.

use burn::prelude::*;
use llm_core::decode::Register::Stream;
use llm_core::decode::{Plan, Weights};
use llm_core::layers::{
    AttentionConfig, Initializer, LayerError, Pass, Projection, RmsNorm, RmsNormConfig, Rope,
    RopeConfig, RopeScaling, SwiGluConfig, TokenEmbedding, TokenEmbeddingConfig, small_std,
};
use llm_core::tape::{Parameter, Tape, Value};

use crate::head;
use crate::llama::{Block, BlockConfig};

/// Sizes of a [`Mistral`].
#[derive(Clone, Debug, PartialEq)]
pub struct MistralConfig {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Longest trained context in tokens.
    pub max_seq_len: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width inside the feed-forward block.
    pub d_ff: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head, even.
    pub d_head: usize,
    /// How many of the newest tokens a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// Chance that a value is dropped in training: probabilities, and what the blocks add.
    pub dropout: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Stretching of the rotary positions.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the head is the token embedding.
    pub tie_embeddings: bool,
    /// Added to the mean square inside norms.
    pub norm_eps: f64,
}

/// The model of the [module documentation](self).
#[derive(Module, Debug)]
pub struct Mistral {
    // Field names are the paths that `checkpoint::names` maps to Hugging Face's.
    token_embedding: TokenEmbedding,
    blocks: Vec<Block>,
    final_norm: RmsNorm,
    head: Option<Projection>,
    #[module(skip)]
    rope: Rope,
}

impl MistralConfig {
    /// The first released model, 7.2 billion parameters.
    pub fn mistral_7b() -> Self {
        Self {
            vocab_size: 32_000,
            max_seq_len: 32_768,
            d_model: 4096,
            d_ff: 14_336,
            n_layers: 32,
            n_heads: 32,
            n_kv_heads: 8,
            d_head: 128,
            window: Some(4096),
            dropout: 0.0,
            rope_theta: 10_000.0,
            rope_scaling: None,
            tie_embeddings: false,
            norm_eps: 1e-5,
        }
    }

    /// Settings of the rotary positions.
    pub(crate) fn rope(&self) -> RopeConfig {
        RopeConfig {
            d_head: self.d_head,
            theta: self.rope_theta,
            max_seq_len: self.max_seq_len,
            scaling: self.rope_scaling.clone(),
        }
    }

    fn block(&self) -> BlockConfig {
        let Self { d_model, d_ff, .. } = *self;
        let out_std = small_std(self.d_model) / (2.0 * self.n_layers as f64).sqrt();
        BlockConfig {
            attention: AttentionConfig {
                d_model,
                n_heads: self.n_heads,
                n_kv_heads: self.n_kv_heads,
                d_head: self.d_head,
                window: self.window,
                qkv_bias: false,
                out_bias: false,
                dropout: self.dropout,
                std: small_std(self.d_model),
                out_std,
            },
            feed_forward: SwiGluConfig {
                d_model,
                d_ff,
                bias: false,
                std: small_std(self.d_model),
                out_std,
            },
            norm: RmsNormConfig {
                width: d_model,
                eps: self.norm_eps,
            },
        }
    }

    fn token_embedding(&self) -> TokenEmbeddingConfig {
        TokenEmbeddingConfig {
            vocab_size: self.vocab_size,
            d_model: self.d_model,
            std: small_std(self.d_model),
        }
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// Names the size that does not fit.
    pub fn validate(&self) -> Result<(), LayerError> {
        self.block().validate()?;
        self.rope().validate()
    }

    /// Makes the model on `device`, with the weights of `seed`.
    pub fn init(&self, seed: u64, device: &Device) -> Mistral {
        let init = &mut Initializer::new(seed);
        Mistral {
            token_embedding: self.token_embedding().init(init, device),
            blocks: (0..self.n_layers)
                .map(|_| self.block().init(init, device))
                .collect(),
            final_norm: self.block().norm.init(init, device),
            head: head::init(
                self.tie_embeddings,
                self.vocab_size,
                self.d_model,
                init,
                device,
            ),
            rope: self.rope().init(),
        }
    }

    /// Records [`hidden`](Mistral::hidden); the table of the embedding and the output.
    pub(crate) fn record_hidden(&self, tape: &mut Tape) -> (Parameter, Value) {
        let (table, mut x) = self.token_embedding().record(tape);
        let rotary = self.rope().record(tape);
        for _ in 0..self.n_layers {
            x = self.block().record(tape, x, rotary);
        }
        (table, self.block().norm.record(tape, x))
    }

    /// Records [`logits`](Mistral::logits).
    pub(crate) fn record_logits(&self, tape: &mut Tape, table: Parameter, hidden: Value) -> Value {
        let embedding = self.token_embedding();
        head::record(self.tie_embeddings, &embedding, table, tape, hidden)
    }
}

impl Mistral {
    /// The residual stream after the last norm.
    ///
    /// # Shapes
    /// - `ids`: `[batch, seq]`
    /// - output: `[batch, seq, d_model]`
    pub fn hidden(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_>) -> Tensor<3> {
        let mut x = self.token_embedding.forward(ids);
        pass.set_rope(&self.rope, &x.device(), x.dtype());
        for (layer, block) in self.blocks.iter().enumerate() {
            pass.show_stream(layer, &x);
            x = block.forward(x, pass, layer);
        }
        pass.show_stream(self.blocks.len(), &x);
        self.normed(x)
    }

    /// The residual stream of any depth as the head reads it: through the last norm.
    pub fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        self.final_norm.forward(x)
    }

    /// Scores of the next token: `[rows, d_model]` → `[rows, vocab_size]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        head::logits(self.head.as_ref(), &self.token_embedding, hidden)
    }

    /// [`hidden`](Self::hidden) and [`logits`](Self::logits) as data; `None` where weights are not f32 on the CPU.
    pub fn plan(&self) -> Option<Plan> {
        let mut operations = Plan::in_order(self.blocks.iter().map(Block::plan))?;
        operations.push(self.final_norm.plan(Stream, Stream)?);
        Some(Plan {
            token_embedding: Weights::of(&self.token_embedding.weight)?,
            position_embedding: None,
            rope: Some(self.rope.clone()),
            operations,
            head: head::plan(self.head.as_ref(), &self.token_embedding)?,
        })
    }
}
