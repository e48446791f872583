//! GPT (2018): learned positions, and in each block the norms after the residual sums.
//!
//! ```text
//! x = token_embedding + position_embedding
//! for each block:  x = norm(x + attention(x));  x = norm(x + feed_forward(x))
//! logits = x · token_embeddingᵀ
//! ```
//!
//! Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", equation 2 and section 4.1.

use burn::prelude::*;
use llm_core::decode::Register::Stream;
use llm_core::decode::{Operation, Plan, Weights};
use llm_core::layers::{
    ActivationKind, Attention, AttentionConfig, FeedForward, FeedForwardConfig, Initializer,
    LayerError, LayerNorm, LayerNormConfig, LearnedPositions, LearnedPositionsConfig, Pass,
    Projection, TokenEmbedding, TokenEmbeddingConfig, small_std,
};
use llm_core::tape::{Parameter, Tape, Value};

use crate::head;

/// Sizes of a [`Gpt`].
#[derive(Clone, Debug, PartialEq)]
pub struct GptConfig {
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
    /// Whether the head is the token embedding.
    pub tie_embeddings: bool,
    /// Added to the variance inside norms.
    pub norm_eps: f64,
}

/// The model of the [module documentation](self).
#[derive(Module, Debug)]
pub struct Gpt {
    // Field names are the paths that `checkpoint::names` maps to Hugging Face's.
    token_embedding: TokenEmbedding,
    position_embedding: LearnedPositions,
    blocks: Vec<Block>,
    head: Option<Projection>,
    dropout: f64,
}

#[derive(Module, Debug)]
struct Block {
    attention: Attention,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    feed_forward_norm: LayerNorm,
    dropout: f64,
}

impl GptConfig {
    /// The model of the paper, 117 M parameters.
    pub fn gpt_117m() -> Self {
        Self {
            vocab_size: 40_478,
            max_seq_len: 512,
            d_model: 768,
            d_ff: 3072,
            n_layers: 12,
            n_heads: 12,
            dropout: 0.1,
            tie_embeddings: true,
            norm_eps: 1e-5,
        }
    }

    fn attention(&self) -> AttentionConfig {
        AttentionConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            n_kv_heads: self.n_heads,
            d_head: self.d_model / self.n_heads.max(1),
            window: None,
            qkv_bias: true,
            out_bias: true,
            dropout: self.dropout,
            std: small_std(self.d_model),
            out_std: small_std(self.d_model),
        }
    }

    fn norm(&self) -> LayerNormConfig {
        LayerNormConfig {
            width: self.d_model,
            bias: true,
            eps: self.norm_eps,
        }
    }

    fn feed_forward(&self) -> FeedForwardConfig {
        FeedForwardConfig {
            d_model: self.d_model,
            d_ff: self.d_ff,
            bias: true,
            activation: ActivationKind::GeluTanh,
            std: small_std(self.d_model),
            out_std: small_std(self.d_model),
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
    pub fn init(&self, seed: u64, device: &Device) -> Gpt {
        let init = &mut Initializer::new(seed);
        Gpt {
            token_embedding: self.token_embedding().init(init, device),
            position_embedding: self.position_embedding().init(init, device),
            blocks: (0..self.n_layers)
                .map(|_| Block {
                    attention: self.attention().init(init, device),
                    attention_norm: self.norm().init(init, device),
                    feed_forward: self.feed_forward().init(init, device),
                    feed_forward_norm: self.norm().init(init, device),
                    dropout: self.dropout,
                })
                .collect(),
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

    /// Records [`hidden`](Gpt::hidden); the table of the embedding and the output.
    pub(crate) fn record_hidden(&self, tape: &mut Tape) -> (Parameter, Value) {
        let (table, x) = self.token_embedding().record(tape);
        let positions = self.position_embedding().record(tape);
        let x = tape.add(x, positions);
        let mut x = tape.dropout(x, self.dropout);
        for _ in 0..self.n_layers {
            let mixed = self.attention().record(tape, x, None);
            let mixed = tape.dropout(mixed, self.dropout);
            let sum = tape.add(x, mixed);
            x = self.norm().record(tape, sum);
            let processed = self.feed_forward().record(tape, x);
            let processed = tape.dropout(processed, self.dropout);
            let sum = tape.add(x, processed);
            x = self.norm().record(tape, sum);
        }
        (table, x)
    }

    /// Records [`logits`](Gpt::logits).
    pub(crate) fn record_logits(&self, tape: &mut Tape, table: Parameter, hidden: Value) -> Value {
        let embedding = self.token_embedding();
        head::record(self.tie_embeddings, &embedding, table, tape, hidden)
    }
}

impl Gpt {
    /// The residual stream after the last block.
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
        x
    }

    /// Scores of the next token: `[rows, d_model]` → `[rows, vocab_size]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        head::logits(self.head.as_ref(), &self.token_embedding, hidden)
    }

    /// [`hidden`](Self::hidden) and [`logits`](Self::logits) as data; `None` where weights are not f32 on the CPU.
    pub fn plan(&self) -> Option<Plan> {
        let operations = Plan::in_order(self.blocks.iter().map(Block::plan))?;
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
        let mixed = self.attention.forward(x.clone(), pass, layer);
        let x = self
            .attention_norm
            .forward(x + pass.dropout(mixed, self.dropout, layer, 1));
        let processed = self.feed_forward.forward(x.clone());
        self.feed_forward_norm
            .forward(x + pass.dropout(processed, self.dropout, layer, 2))
    }

    fn plan(&self) -> Option<[Operation; 6]> {
        Some([
            self.attention.plan(Stream)?,
            Operation::Add,
            self.attention_norm.plan(Stream, Stream)?,
            self.feed_forward.plan(Stream)?,
            Operation::Add,
            self.feed_forward_norm.plan(Stream, Stream)?,
        ])
    }
}
