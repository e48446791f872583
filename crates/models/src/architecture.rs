//! Every size of a model, of whichever family. How a `[model]` table becomes one stands in `resolve`.

use std::path::Path;

use burn::prelude::*;
use llm_core::layers::RopeScaling;

use crate::gpt::GptConfig;
use crate::gpt2::Gpt2Config;
use crate::llama::LlamaConfig;
use crate::mistral::MistralConfig;
use crate::{Family, LanguageModel, ModelError};

/// Every size of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// See [`gpt`](crate::gpt).
    Gpt(GptConfig),
    /// See [`gpt2`](crate::gpt2).
    Gpt2(Gpt2Config),
    /// See [`llama`](crate::llama).
    Llama(LlamaConfig),
    /// See [`mistral`](crate::mistral).
    Mistral(MistralConfig),
}

/// Reads a size that every family has.
macro_rules! size {
    ($self:expr, $field:ident) => {
        match $self {
            Architecture::Gpt(c) => c.$field,
            Architecture::Gpt2(c) => c.$field,
            Architecture::Llama(c) => c.$field,
            Architecture::Mistral(c) => c.$field,
        }
    };
}

impl Architecture {
    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// Names the key, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |key, value: f64, allowed, ok: bool| {
            if ok {
                Ok(())
            } else {
                Err(ModelError::Config {
                    key,
                    value: value.to_string(),
                    allowed,
                })
            }
        };
        let whole = |key, value: usize| check(key, value as f64, "at least 1", value >= 1);
        whole("model.vocab_size", self.vocab_size())?;
        whole("model.max_seq_len", self.max_seq_len())?;
        whole("model.n_layers", self.n_layers())?;
        whole("model.d_model", size!(self, d_model))?;
        whole("model.d_ff", size!(self, d_ff))?;
        let eps = size!(self, norm_eps);
        check(
            "model.norm_eps",
            eps,
            "a finite number above 0",
            eps.is_finite() && eps > 0.0,
        )?;
        // Beyond these a size is a slip of the hand, and its products would overflow.
        for (key, size) in [
            ("model.d_model", size!(self, d_model)),
            ("model.d_ff", size!(self, d_ff)),
            ("model.vocab_size", self.vocab_size()),
            ("model.max_seq_len", self.max_seq_len()),
            ("model.window", self.window().unwrap_or(1)),
        ] {
            check(key, size as f64, "below 2^31", size < 1 << 31)?;
        }
        let heads = self.n_heads();
        let all_heads = heads.saturating_mul(self.rotary_width().unwrap_or(1));
        check(
            "model.n_heads",
            heads as f64,
            "so few that all heads together are narrower than 2^31",
            all_heads < 1 << 31,
        )?;
        check(
            "model.n_layers",
            self.n_layers() as f64,
            "at most 10000",
            self.n_layers() <= 10_000,
        )?;
        match self {
            Self::Gpt(c) => c.validate()?,
            Self::Gpt2(c) => c.validate()?,
            Self::Llama(c) => c.validate()?,
            Self::Mistral(c) => c.validate()?,
        }
        Ok(())
    }

    /// [`Architecture::validate`] for sizes that a file says.
    pub(crate) fn validate_in(&self, path: &Path) -> Result<(), ModelError> {
        self.validate().map_err(|fault| ModelError::Sizes {
            path: path.to_owned(),
            fault: Box::new(fault),
        })
    }

    /// Makes the model on `device`, with the weights of `seed`. Weights are filled when they are first read.
    pub fn init(&self, seed: u64, device: &Device) -> LanguageModel {
        LanguageModel::new(self.clone(), seed, device)
    }

    /// Number of parameters, tied ones once. Allocates nothing.
    pub fn parameter_count(&self) -> usize {
        self.init(0, &Device::flex()).num_params()
    }

    /// The family.
    pub fn family(&self) -> Family {
        match self {
            Self::Gpt(_) => Family::Gpt,
            Self::Gpt2(_) => Family::Gpt2,
            Self::Llama(_) => Family::Llama,
            Self::Mistral(_) => Family::Mistral,
        }
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        size!(self, vocab_size)
    }

    /// Longest trained context in tokens.
    pub fn max_seq_len(&self) -> usize {
        size!(self, max_seq_len)
    }

    /// Number of blocks.
    pub fn n_layers(&self) -> usize {
        size!(self, n_layers)
    }

    /// Number of query heads.
    pub fn n_heads(&self) -> usize {
        size!(self, n_heads)
    }

    /// Width of the residual stream.
    pub fn d_model(&self) -> usize {
        size!(self, d_model)
    }

    /// Width of a head, where positions rotate it.
    pub fn rotary_width(&self) -> Option<usize> {
        match self {
            Self::Gpt(_) | Self::Gpt2(_) => None,
            Self::Llama(c) => Some(c.d_head),
            Self::Mistral(c) => Some(c.d_head),
        }
    }

    /// Stretching of the rotary positions, where there is one.
    pub fn rope_scaling(&self) -> Option<&RopeScaling> {
        match self {
            Self::Gpt(_) | Self::Gpt2(_) => None,
            Self::Llama(c) => c.rope_scaling.as_ref(),
            Self::Mistral(c) => c.rope_scaling.as_ref(),
        }
    }

    /// Width inside the feed-forward blocks.
    pub fn d_ff(&self) -> usize {
        size!(self, d_ff)
    }

    /// Chance that a value is dropped in training.
    pub fn dropout(&self) -> f64 {
        size!(self, dropout)
    }

    /// Added to the variance inside norms.
    pub fn norm_eps(&self) -> f64 {
        size!(self, norm_eps)
    }

    /// Whether files of the family have biases that this model has not: they are written as zeros, which computes the same.
    pub(crate) fn writes_zero_biases(&self) -> bool {
        matches!(self, Self::Gpt2(config) if !config.bias)
    }

    /// Whether the output head is the token embedding.
    pub fn tie_embeddings(&self) -> bool {
        size!(self, tie_embeddings)
    }

    /// Gives the head a matrix of its own.
    pub(crate) fn untie_embeddings(&mut self) {
        match self {
            Self::Gpt(c) => c.tie_embeddings = false,
            Self::Gpt2(c) => c.tie_embeddings = false,
            Self::Llama(c) => c.tie_embeddings = false,
            Self::Mistral(c) => c.tie_embeddings = false,
        }
    }

    /// Width of the sliding window, where there is one.
    pub fn window(&self) -> Option<usize> {
        match self {
            Self::Mistral(c) => c.window,
            _ => None,
        }
    }
}
