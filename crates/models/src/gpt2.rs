//! GPT-2: learned positions, in each block the norms before the sub-layers, a norm at the end, a tied head.
//!
//! ```text
//! x = token_embedding + position_embedding
//! for each block:  x = x + attention(norm(x));  x = x + feed_forward(norm(x))
//! logits = norm(x) · token_embeddingᵀ
//! ```
//!
//! Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3; sizes of its table 2 as in the
//! released models. Without biases it is the form of Karpathy's nanoGPT.

use burn::prelude::*;
use llm_core::decode::Register::{Branch, Stream};
use llm_core::decode::{Operation, Plan, Weights};
use llm_core::layers::{
    ActivationKind, Attention, AttentionConfig, FeedForward, FeedForwardConfig, Initializer,
    LayerError, LayerNorm, LayerNormConfig, LearnedPositions, LearnedPositionsConfig, Pass,
    Projection, TokenEmbedding, TokenEmbeddingConfig, small_std,
};
use llm_core::tape::{Parameter, Tape, Value};

use crate::head;

/// Sizes of a [`Gpt2`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt2Config {
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
    /// Number of attention heads; divides `d_model`.
    pub n_heads: usize,
    /// Chance that a value is dropped in training: embeddings, probabilities, and what the blocks add.
    pub dropout: f64,
    /// Whether projections and norms have biases.
    pub bias: bool,
    /// Whether the head is the token embedding.
    pub tie_embeddings: bool,
    /// Added to the variance inside norms.
    pub norm_eps: f64,
}

/// The model of the [module documentation](self).
#[derive(Module, Debug)]
pub struct Gpt2 {
    // Field names are the paths that `checkpoint::names` maps to Hugging Face's.
    token_embedding: TokenEmbedding,
    position_embedding: LearnedPositions,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
    head: Option<Projection>,
    dropout: f64,
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: LayerNorm,
    attention: Attention,
    feed_forward_norm: LayerNorm,
    feed_forward: FeedForward,
    dropout: f64,
}

impl Gpt2Config {
    /// The smallest released model, `gpt2`: 124 M parameters.
    pub fn gpt2_124m() -> Self {
        Self::released(12, 12, 768)
    }

    /// `gpt2-medium`: 355 M parameters.
    pub fn gpt2_355m() -> Self {
        Self::released(24, 16, 1024)
    }

    /// `gpt2-large`: 774 M parameters.
    pub fn gpt2_774m() -> Self {
        Self::released(36, 20, 1280)
    }

    /// `gpt2-xl`: 1.56 billion parameters.
    pub fn gpt2_1558m() -> Self {
        Self::released(48, 25, 1600)
    }

    fn released(n_layers: usize, n_heads: usize, d_model: usize) -> Self {
        Self {
            vocab_size: 50_257,
            max_seq_len: 1024,
            d_model,
            d_ff: 4 * d_model,
            n_layers,
            n_heads,
            dropout: 0.1,
            bias: true,
            tie_embeddings: true,
            norm_eps: 1e-5,
        }
    }

    /// The projections that add to the residual stream begin smaller, by the number of additions (section 2.3).
    fn out_std(&self) -> f64 {
        small_std(self.d_model) / (2.0 * self.n_layers as f64).sqrt()
    }

    fn attention(&self) -> AttentionConfig {
        AttentionConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            n_kv_heads: self.n_heads,
            d_head: self.d_model / self.n_heads.max(1),
            window: None,
            qkv_bias: self.bias,
            out_bias: self.bias,
            dropout: self.dropout,
            std: small_std(self.d_model),
            out_std: self.out_std(),
        }
    }

    fn norm(&self) -> LayerNormConfig {
        LayerNormConfig {
            width: self.d_model,
            bias: self.bias,
            eps: self.norm_eps,
        }
    }

    fn feed_forward(&self) -> FeedForwardConfig {
        FeedForwardConfig {
            d_model: self.d_model,
            d_ff: self.d_ff,
            bias: self.bias,
            activation: ActivationKind::GeluTanh,
            std: small_std(self.d_model),
            out_std: self.out_std(),
        }
    }

    fn token_embedding(&self) -> TokenEmbeddingConfig {
        TokenEmbeddingConfig {
            vocab_size: self.vocab_size,
            d_model: self.d_model,
            std: small_std(self.d_model),
        }
    }

    fn position_embedding(&self) -> LearnedPositionsConfig {
        LearnedPositionsConfig {
            max_seq_len: self.max_seq_len,
            d_model: self.d_model,
            std: small_std(self.d_model),
        }
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// Names the size that does not fit.
    pub fn validate(&self) -> Result<(), LayerError> {
        self.attention().validate()?;
        if !self.d_model.is_multiple_of(self.n_heads) {
            let (value, divisor) = (self.d_model, self.n_heads);
            return Err(LayerError::NotMultiple {
                name: "d_model",
                value,
                divisor_name: "n_heads",
                divisor,
            });
        }
        Ok(())
    }

    /// Makes the model on `device`, with the weights of `seed`.
    pub fn init(&self, seed: u64, device: &Device) -> Gpt2 {
        let init = &mut Initializer::new(seed);
        Gpt2 {
            token_embedding: self.token_embedding().init(init, device),
            position_embedding: self.position_embedding().init(init, device),
            blocks: (0..self.n_layers)
                .map(|_| Block {
                    attention_norm: self.norm().init(init, device),
                    attention: self.attention().init(init, device),
                    feed_forward_norm: self.norm().init(init, device),
                    feed_forward: self.feed_forward().init(init, device),
                    dropout: self.dropout,
                })
                .collect(),
            final_norm: self.norm().init(init, device),
            head: head::init(
                self.tie_embeddings,
                self.vocab_size,
                self.d_model,
                init,
                device,
            ),
            dropout: self.dropout,
        }
    }

    /// Records [`hidden`](Gpt2::hidden); the table of the embedding and the output.
    pub(crate) fn record_hidden(&self, tape: &mut Tape) -> (Parameter, Value) {
        let (table, x) = self.token_embedding().record(tape);
        let positions = self.position_embedding().record(tape);
        let x = tape.add(x, positions);
        let mut x = tape.dropout(x, self.dropout);
        for _ in 0..self.n_layers {
            let normed = self.norm().record(tape, x);
            let mixed = self.attention().record(tape, normed, None);
            let mixed = tape.dropout(mixed, self.dropout);
            x = tape.add(x, mixed);
            let normed = self.norm().record(tape, x);
            let processed = self.feed_forward().record(tape, normed);
            let processed = tape.dropout(processed, self.dropout);
            x = tape.add(x, processed);
        }
        (table, self.norm().record(tape, x))
    }

    /// Records [`logits`](Gpt2::logits).
    pub(crate) fn record_logits(&self, tape: &mut Tape, table: Parameter, hidden: Value) -> Value {
        let embedding = self.token_embedding();
        head::record(self.tie_embeddings, &embedding, table, tape, hidden)
    }
}

impl Gpt2 {
    /// The residual stream after the last norm.
    ///
    /// # Shapes
    /// - `ids`: `[batch, seq]`
    /// - output: `[batch, seq, d_model]`
    pub fn hidden(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_>) -> Tensor<3> {
        let x =
            self.token_embedding.forward(ids) + self.position_embedding.forward(pass.positions());
        let mut x = pass.dropout(x, self.dropout, self.blocks.len(), 0);
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
            position_embedding: Some(Weights::of(&self.position_embedding.weight)?),
            rope: None,
            operations,
            head: head::plan(self.head.as_ref(), &self.token_embedding)?,
        })
    }
}

impl Block {
    fn forward(&self, x: Tensor<3>, pass: &mut Pass<'_>, layer: usize) -> Tensor<3> {
        let mixed = self
            .attention
            .forward(self.attention_norm.forward(x.clone()), pass, layer);
        let x = x + pass.dropout(mixed, self.dropout, layer, 1);
        let processed = self
            .feed_forward
            .forward(self.feed_forward_norm.forward(x.clone()));
        x + pass.dropout(processed, self.dropout, layer, 2)
    }

    fn plan(&self) -> Option<[Operation; 6]> {
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
