//! The `[model]` table: what a person writes to describe a model, before it is resolved to the sizes of one family.
//!
//! Every key but the family is optional. A missing key takes the value of the preset, or else the small default of
//! [`Architecture::resolve`](crate::Architecture::resolve); a key that the family does not have is refused by name.

use llm_core::layers::RopeScaling;
use serde::{Deserialize, Serialize};

/// A family of models, one file each in this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// GPT (2018): norms after each residual sum.
    Gpt,
    /// GPT-2: norms before each sub-layer, tied head.
    #[default]
    Gpt2,
    /// LLaMA: RMSNorm, rotary positions, SwiGLU, grouped-query attention.
    Llama,
    /// Mistral: LLaMA with sliding-window attention.
    Mistral,
}

impl Family {
    /// Every family, in the order of their papers.
    pub const ALL: [Self; 4] = [Self::Gpt, Self::Gpt2, Self::Llama, Self::Mistral];

    /// The name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt => "gpt",
            Self::Gpt2 => "gpt2",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
        }
    }
}

/// The `[model]` table of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Which family to build. Default: `gpt2`.
    pub family: Family,
    /// Sizes to start from, one of the names that `llm models` lists; the other keys change them.
    pub preset: Option<String>,
    /// Width of the residual stream. Default: 128.
    pub d_model: Option<usize>,
    /// Width inside the feed-forward block. Default: 4 × `d_model`, or for LLaMA and Mistral 8/3 × `d_model` rounded up to a multiple of 8.
    pub d_ff: Option<usize>,
    /// Width of one attention head. Default: `d_model / n_heads`. GPT and GPT-2 have no other.
    pub d_head: Option<usize>,
    /// Number of blocks. Default: 4.
    pub n_layers: Option<usize>,
    /// Number of query heads. Default: 4.
    pub n_heads: Option<usize>,
    /// Number of key and value heads (LLaMA and Mistral). Default: `n_heads`.
    pub n_kv_heads: Option<usize>,
    /// Number of tokens. Default: what the tokenizer has; a larger value pads the embedding.
    pub vocab_size: Option<usize>,
    /// Longest context in tokens. Default: 64.
    pub max_seq_len: Option<usize>,
    /// Chance that a value is dropped in training, in `[0, 1)`. Default: 0.
    pub dropout: Option<f64>,
    /// Whether projections and LayerNorms have biases. Default: true for GPT and GPT-2; LLaMA and Mistral take `true` for attention only, default false.
    pub bias: Option<bool>,
    /// Whether the projections of the feed-forward block have biases (LLaMA). Default: false.
    pub mlp_bias: Option<bool>,
    /// Sliding window in tokens, the current one included (Mistral). Default: the whole context.
    pub window: Option<usize>,
    /// Base of the rotary frequencies (LLaMA and Mistral). Default: 10000.
    pub rope_theta: Option<f64>,
    /// Stretching of the rotary positions (LLaMA and Mistral). Default: none.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the output head is the embedding. Default: true.
    pub tie_embeddings: Option<bool>,
    /// Added to the variance inside norms. Default: 1e-5.
    pub norm_eps: Option<f64>,
}
