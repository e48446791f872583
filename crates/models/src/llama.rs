//! LLaMA: rotary positions, RMSNorm before the sub-layers, SwiGLU, grouped-query attention.
//!
//! ```text
//! x = token_embedding
//! for each block:  x = x + attention(norm(x));  x = x + swiglu(norm(x))
//! logits = norm(x) · headᵀ          (the head may be the token embedding)
//! ```
//!
//! Sources: Touvron et al. 2023, "LLaMA", section 2.2; Touvron et al. 2023, "Llama 2" (grouped queries); Dubey et al. 2024, "The Llama 3
//! Herd of Models", table 3; sizes as in the released models.

use burn::prelude::*;
use llm_core::decode::Register::{Branch, Stream};
use llm_core::decode::{Operation, Plan, Weights};
use llm_core::layers::{
    Attention, AttentionConfig, Initializer, LayerError, Pass, Projection, RmsNorm, RmsNormConfig,
    Rope, RopeConfig, RopeScaling, SwiGlu, SwiGluConfig, TokenEmbedding, TokenEmbeddingConfig,
    small_std,
};
use llm_core::tape::{Parameter, Tape, Value};

use crate::head;

/// Sizes of a [`Llama`].
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// Number of tokens.
    pub vocab_size: usize,
    /// Longest context in tokens.
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
    /// Chance that a value is dropped in training: probabilities, and what the blocks add.
    pub dropout: f64,
    /// Whether the projections of attention have biases.
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward block have biases.
    pub mlp_bias: bool,
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
pub struct Llama {
    // Field names are the paths that `checkpoint::names` maps to Hugging Face's.
    token_embedding: TokenEmbedding,
    blocks: Vec<Block>,
    final_norm: RmsNorm,
    head: Option<Projection>,
    #[module(skip)]
    rope: Rope,
}

/// One block, Mistral's too.
#[derive(Module, Debug)]
pub(crate) struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    feed_forward_norm: RmsNorm,
    feed_forward: SwiGlu,
    dropout: f64,
}

/// Sizes of a [`Block`].
pub(crate) struct BlockConfig {
    pub(crate) attention: AttentionConfig,
    pub(crate) feed_forward: SwiGluConfig,
    pub(crate) norm: RmsNormConfig,
}

impl LlamaConfig {
    /// Llama 2 with 7 billion parameters.
    pub fn llama2_7b() -> Self {
        Self::llama2(32, 32, 32, 4096, 11_008)
    }

    /// Llama 2 with 13 billion parameters.
    pub fn llama2_13b() -> Self {
        Self::llama2(40, 40, 40, 5120, 13_824)
    }

    /// Llama 2 with 70 billion parameters.
    pub fn llama2_70b() -> Self {
        Self::llama2(80, 64, 8, 8192, 28_672)
    }

    /// Llama 3 with 8 billion parameters.
    pub fn llama3_8b() -> Self {
        Self::llama3(32, 32, 4096, 14_336)
    }

    /// Llama 3 with 70 billion parameters.
    pub fn llama3_70b() -> Self {
        Self::llama3(80, 64, 8192, 28_672)
    }

    /// Llama 3.2 with 1.2 billion parameters.
    pub fn llama3_2_1b() -> Self {
        Self::llama3_2(16, 32, 2048, 64)
    }

    /// Llama 3.2 with 3.2 billion parameters.
    pub fn llama3_2_3b() -> Self {
        Self::llama3_2(28, 24, 3072, 128)
    }

    fn llama2(
        n_layers: usize,
        n_heads: usize,
        n_kv_heads: usize,
        d_model: usize,
        d_ff: usize,
    ) -> Self {
        Self {
            vocab_size: 32_000,
            max_seq_len: 4096,
            d_model,
            d_ff,
            n_layers,
            n_heads,
            n_kv_heads,
            d_head: d_model / n_heads,
            dropout: 0.0,
            attention_bias: false,
            mlp_bias: false,
            rope_theta: 10_000.0,
            rope_scaling: None,
            tie_embeddings: false,
            norm_eps: 1e-5,
        }
    }

    fn llama3(n_layers: usize, n_heads: usize, d_model: usize, d_ff: usize) -> Self {
        Self {
            vocab_size: 128_256,
            max_seq_len: 8192,
            rope_theta: 500_000.0,
            ..Self::llama2(n_layers, n_heads, 8, d_model, d_ff)
        }
    }

    fn llama3_2(n_layers: usize, n_heads: usize, d_model: usize, d_head: usize) -> Self {
        let scaling = RopeScaling::Llama3 {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_seq_len: 8192,
        };
        Self {
            max_seq_len: 131_072,
            d_head,
            rope_scaling: Some(scaling),
            tie_embeddings: true,
            ..Self::llama3(n_layers, n_heads, d_model, 8192)
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
                window: None,
                qkv_bias: self.attention_bias,
                out_bias: self.attention_bias,
                dropout: self.dropout,
                std: small_std(self.d_model),
                out_std,
            },
            feed_forward: SwiGluConfig {
                d_model,
                d_ff,
                bias: self.mlp_bias,
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
    pub fn init(&self, seed: u64, device: &Device) -> Llama {
        let init = &mut Initializer::new(seed);
        Llama {
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

    /// Records [`hidden`](Llama::hidden); the table of the embedding and the output.
    pub(crate) fn record_hidden(&self, tape: &mut Tape) -> (Parameter, Value) {
        let (table, mut x) = self.token_embedding().record(tape);
        let rotary = self.rope().record(tape);
        for _ in 0..self.n_layers {
            x = self.block().record(tape, x, rotary);
        }
        (table, self.block().norm.record(tape, x))
    }

    /// Records [`logits`](Llama::logits).
    pub(crate) fn record_logits(&self, tape: &mut Tape, table: Parameter, hidden: Value) -> Value {
        let embedding = self.token_embedding();
        head::record(self.tie_embeddings, &embedding, table, tape, hidden)
    }
}

impl Llama {
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

impl BlockConfig {
    pub(crate) fn validate(&self) -> Result<(), LayerError> {
        self.attention.validate()?;
        self.feed_forward.validate()
    }

    pub(crate) fn init(&self, init: &mut Initializer, device: &Device) -> Block {
        Block {
            attention_norm: self.norm.init(init, device),
            attention: self.attention.init(init, device),
            feed_forward_norm: self.norm.init(init, device),
            feed_forward: self.feed_forward.init(init, device),
            dropout: self.attention.dropout,
        }
    }

    /// Records [`Block::forward`].
    pub(crate) fn record(&self, tape: &mut Tape, x: Value, rotary: Value) -> Value {
        let dropout = self.attention.dropout;
        let normed = self.norm.record(tape, x);
        let mixed = self.attention.record(tape, normed, Some(rotary));
        let mixed = tape.dropout(mixed, dropout);
        let x = tape.add(x, mixed);
        let normed = self.norm.record(tape, x);
        let processed = self.feed_forward.record(tape, normed);
        let processed = tape.dropout(processed, dropout);
        tape.add(x, processed)
    }
}

impl Block {
    pub(crate) fn forward(&self, x: Tensor<3>, pass: &mut Pass<'_>, layer: usize) -> Tensor<3> {
        let mixed = self
            .attention
            .forward(self.attention_norm.forward(x.clone()), pass, layer);
        let x = x + pass.dropout(mixed, self.dropout, layer, 1);
        let processed = self
            .feed_forward
            .forward(self.feed_forward_norm.forward(x.clone()));
        x + pass.dropout(processed, self.dropout, layer, 2)
    }

    pub(crate) fn plan(&self) -> Option<[Operation; 6]> {
        Some([
            self.attention_norm.plan(Stream, Branch)?,
            self.attention.plan(Branch)?,
            Operation::Add,
            self.feed_forward_norm.plan(Stream, Branch)?,
            self.feed_forward.plan(Branch)?,
            Operation::Add,
        ])
    }
}
