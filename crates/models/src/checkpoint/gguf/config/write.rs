//! From sizes to metadata.

use llm_core::layers::{RopeConfig, RopeScaling};

use super::super::ALIGNMENT;
use super::super::metadata::{Metadata, MetadataValue as V};
use super::{
    LONG_FACTORS, ROPE_FACTORS, SHORT_FACTORS, context_length, frequency_factors, yarn_sharpening,
};
use crate::checkpoint::encoding::Encoding;
use crate::checkpoint::outputs::Output;
use crate::{Architecture, ModelError};

/// The keys of these sizes, and the tensors that stand for what has no key.
///
/// # Errors
/// The rotary scaling has no place in the format.
pub(in super::super) fn write(
    architecture: &Architecture,
    encoding: Encoding,
) -> Result<(Metadata, Vec<Output>), ModelError> {
    let mut sizes = Sizes {
        name: match architecture {
            Architecture::Gpt(_) | Architecture::Gpt2(_) => "gpt2",
            Architecture::Llama(_) | Architecture::Mistral(_) => "llama",
        },
        metadata: Metadata::new(),
    };
    let file_type = match encoding {
        Encoding::F32 => 0,
        Encoding::F16 => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q8_0 => 7,
        Encoding::Bf16 => 32,
    };
    let general = [
        ("architecture", V::String(sizes.name.into())),
        ("type", V::String("model".into())),
        ("file_type", V::U32(file_type)),
        ("quantization_version", V::U32(2)),
        ("alignment", V::U32(ALIGNMENT as u32)),
    ];
    for (key, value) in general {
        sizes.metadata.insert(format!("general.{key}"), value);
    }
    sizes.size("vocab_size", architecture.vocab_size());
    sizes.size("context_length", context_length(architecture));
    sizes.size("embedding_length", architecture.d_model());
    sizes.size("block_count", architecture.n_layers());
    sizes.size("feed_forward_length", architecture.d_ff());
    sizes.size("attention.head_count", architecture.n_heads());
    let factors = match architecture {
        Architecture::Gpt(_) | Architecture::Gpt2(_) => {
            sizes.number("attention.layer_norm_epsilon", architecture.norm_eps());
            Vec::new()
        }
        Architecture::Llama(c) => sizes.llama(architecture, c.n_kv_heads, c.d_head, c.rope())?,
        Architecture::Mistral(c) => {
            if let Some(window) = c.window {
                sizes.size("attention.sliding_window", window);
            }
            sizes.llama(architecture, c.n_kv_heads, c.d_head, c.rope())?
        }
    };
    Ok((sizes.metadata, factors))
}

/// Keys on their way into a file.
struct Sizes {
    /// `general.architecture`.
    name: &'static str,
    metadata: Metadata,
}

impl Sizes {
    fn put(&mut self, key: &str, value: V) {
        self.metadata.insert(format!("{}.{key}", self.name), value);
    }

    fn size(&mut self, key: &str, value: usize) {
        self.put(key, V::U32(u32::try_from(value).expect("validated sizes")));
    }

    fn number(&mut self, key: &str, value: f64) {
        self.put(key, V::F32(value as f32));
    }

    /// What is LLaMA's own; returns the tensors of its rotary factors.
    fn llama(
        &mut self,
        architecture: &Architecture,
        n_kv_heads: usize,
        d_head: usize,
        rope: RopeConfig,
    ) -> Result<Vec<Output>, ModelError> {
        self.size("attention.head_count_kv", n_kv_heads);
        self.size("attention.key_length", d_head);
        self.size("attention.value_length", d_head);
        self.size("rope.dimension_count", d_head);
        self.number("attention.layer_norm_rms_epsilon", architecture.norm_eps());
        self.number("rope.freq_base", rope.theta);
        let Some(scaling) = &rope.scaling else {
            return Ok(Vec::new());
        };
        let kind = |sizes: &mut Self, kind: &str| {
            sizes.put("rope.scaling.type", V::String(kind.into()));
        };
        let numbers = |name, values: &[f64]| {
            Output::given(name, values.iter().map(|value| *value as f32).collect())
        };
        match scaling {
            // Beyond the context that the file has; see `notes`.
            RopeScaling::Dynamic { .. } => {}
            RopeScaling::Linear { factor } => {
                kind(self, "linear");
                self.number("rope.scaling.factor", *factor);
            }
            RopeScaling::Yarn {
                truncate: false, ..
            } => {
                return Err(ModelError::NoGguf {
                    what: "YaRN with truncate = false: llama.cpp always cuts its ramp at whole pairs",
                });
            }
            RopeScaling::Yarn {
                factor,
                original_max_seq_len,
                attention_factor,
                beta_fast,
                beta_slow,
                ..
            } => {
                kind(self, "yarn");
                self.number("rope.scaling.factor", *factor);
                self.size(
                    "rope.scaling.original_context_length",
                    *original_max_seq_len,
                );
                self.number("rope.scaling.yarn_beta_fast", *beta_fast);
                self.number("rope.scaling.yarn_beta_slow", *beta_slow);
                if let Some(attention_factor) = attention_factor {
                    // llama.cpp multiplies this by what YaRN has by default.
                    let relative = attention_factor / yarn_sharpening(*factor);
                    self.number("rope.scaling.attn_factor", relative);
                }
            }
            RopeScaling::LongRope {
                short_factor,
                long_factor,
                original_max_seq_len,
                ..
            } => {
                let (_, sharpened) = rope.init().frequencies(1);
                kind(self, "longrope");
                self.size(
                    "rope.scaling.original_context_length",
                    *original_max_seq_len,
                );
                self.number("rope.scaling.attn_factor", sharpened);
                return Ok(vec![
                    numbers(SHORT_FACTORS, short_factor),
                    numbers(LONG_FACTORS, long_factor),
                ]);
            }
            RopeScaling::Llama3 { .. } => {
                let factors = frequency_factors(&rope, scaling);
                return Ok(vec![numbers(ROPE_FACTORS, &factors)]);
            }
        }
        Ok(Vec::new())
    }
}
