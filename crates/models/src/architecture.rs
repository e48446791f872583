//! Every size of a model, of whichever family. How a `[model]` table becomes one stands in `resolve`.

use std::path::Path;

use burn::prelude::*;
use llm_core::decode;
use llm_core::layers::RopeScaling;
use llm_core::tape::{Parameter, Purpose, Tape, Value};

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
            "so few that the width of all heads is below 2^31",
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

    /// A pass over `batch` rows of `seq` tokens up to the losses of their next tokens, over shapes alone.
    pub fn record(&self, purpose: Purpose, batch: usize, seq: usize) -> Tape {
        let mut tape = Tape::new(purpose, batch, seq);
        let (table, hidden) = self.record_hidden(&mut tape);
        let logits = match self {
            Self::Gpt(c) => c.record_logits(&mut tape, table, hidden),
            Self::Gpt2(c) => c.record_logits(&mut tape, table, hidden),
            Self::Llama(c) => c.record_logits(&mut tape, table, hidden),
            Self::Mistral(c) => c.record_logits(&mut tape, table, hidden),
        };
        tape.cross_entropy(logits);
        tape
    }

    /// A pass over a prompt of `seq` tokens, of which hardly any gets scores, over shapes alone.
    pub fn record_prompt(&self, seq: usize) -> Tape {
        let mut tape = Tape::new(Purpose::Inference, 1, seq);
        self.record_hidden(&mut tape);
        tape
    }

    fn record_hidden(&self, tape: &mut Tape) -> (Parameter, Value) {
        match self {
            Self::Gpt(c) => c.record_hidden(tape),
            Self::Gpt2(c) => c.record_hidden(tape),
            Self::Llama(c) => c.record_hidden(tape),
            Self::Mistral(c) => c.record_hidden(tape),
        }
    }

    /// Bytes of the keys and values of one sequence of `tokens` tokens in generation.
    pub fn cache_bytes(&self, tokens: usize) -> u64 {
        let width = match self {
            Self::Gpt(c) => c.d_model,
            Self::Gpt2(c) => c.d_model,
            Self::Llama(c) => c.n_kv_heads * c.d_head,
            Self::Mistral(c) => c.n_kv_heads * c.d_head,
        };
        let held = decode::room(self.window(), tokens);
        let bytes_of_a_token = 2 * size_of::<f32>() * self.n_layers() * width;
        (held as u64).saturating_mul(bytes_of_a_token as u64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    /// The tape knows the same parameters as the model.
    #[test]
    fn a_recorded_pass_has_the_parameters_of_the_model() {
        let mut all: Vec<Architecture> = presets::ALL.iter().map(|p| p.architecture()).collect();
        for architecture in all.clone() {
            let mut untied = architecture;
            untied.untie_embeddings();
            all.push(untied);
        }
        for architecture in all {
            let tape = architecture.record(Purpose::Training, 1, 8);
            let parameters = architecture.parameter_count() as u64;
            assert_eq!(tape.parameter_count(), parameters, "{architecture:?}");
            assert_eq!(tape.peak().gradient_bytes, 4 * parameters);
        }
    }

    /// Six operations a token for each parameter of a matrix, and twelve times the width for each pair of tokens that attention looks at
    /// (Chowdhery et al. 2022, appendix B); the head is a matrix, the embedding is none.
    #[test]
    fn operations_are_those_of_the_textbook() {
        let Architecture::Gpt2(config) = presets::Preset::find("gpt2-124m")
            .expect("there")
            .architecture()
        else {
            panic!("another family")
        };
        let (d, layers, seq) = (config.d_model as u64, config.n_layers as u64, 256u64);
        let matrices = layers * 12 * d * d + config.vocab_size as u64 * d;
        let pairs = seq * (seq + 1) / 2;
        let expected = 6 * matrices * seq + 12 * layers * d * pairs;
        let tape = Architecture::Gpt2(config).record(Purpose::Training, 1, 256);
        assert_eq!(tape.flops(), expected);
    }

    #[test]
    fn a_window_bounds_the_cache_and_the_attention() {
        let Architecture::Mistral(mut config) = presets::Preset::find("mistral-tiny")
            .expect("there")
            .architecture()
        else {
            panic!("another family")
        };
        config.window = Some(4);
        let narrow = Architecture::Mistral(config.clone());
        config.window = None;
        let wide = Architecture::Mistral(config);
        assert!(narrow.cache_bytes(100_000) < wide.cache_bytes(1000));
        let flops = |a: &Architecture| a.record(Purpose::Inference, 2, 64).flops();
        assert!(flops(&narrow) < flops(&wide));
    }
}
