//! From metadata to sizes.

use std::path::Path;

use llm_core::layers::{RopeConfig, RopeScaling};

use super::super::file::Tensors;
use super::super::metadata::{Metadata, MetadataValue as V};
use super::{LONG_FACTORS, ROPE_FACTORS, SHORT_FACTORS, frequency_factors, yarn_sharpening};
use crate::checkpoint::encoding::Encoding;
use crate::gpt2::Gpt2Config;
use crate::llama::LlamaConfig;
use crate::mistral::MistralConfig;
use crate::{Architecture, ModelError};

/// What a file says of its model.
struct File<'a> {
    path: &'a Path,
    metadata: &'a Metadata,
    tensors: &'a Tensors,
    bytes: &'a [u8],
    /// `general.architecture`, with which the keys of sizes begin.
    name: String,
}

/// The sizes that the file describes.
///
/// # Errors
/// Names the key that is missing, or what is not supported.
pub(in super::super) fn read(
    metadata: &Metadata,
    tensors: &Tensors,
    bytes: &[u8],
    path: &Path,
) -> Result<Architecture, ModelError> {
    let name = metadata.get("general.architecture").and_then(V::as_str);
    let file = File {
        path,
        metadata,
        tensors,
        bytes,
        name: name.unwrap_or_default().to_owned(),
    };
    match name {
        Some("gpt2") => file.gpt2(),
        Some("llama") => file.llama(),
        Some(other) => Err(file.unsupported(format!(
            "general.architecture {other:?} (known: gpt2, llama)"
        ))),
        None => Err(file.missing("general.architecture".into())),
    }
}

impl File<'_> {
    fn missing(&self, key: String) -> ModelError {
        ModelError::MissingKey {
            path: self.path.to_owned(),
            key,
        }
    }

    fn unsupported(&self, what: String) -> ModelError {
        ModelError::Unsupported {
            path: self.path.to_owned(),
            what,
        }
    }

    /// The value of a key of this architecture, if it is there and of the right type.
    fn find<T>(&self, key: &str, of: impl Fn(&V) -> Option<T>) -> Result<Option<T>, ModelError> {
        let key = format!("{}.{key}", self.name);
        match self.metadata.get(&key) {
            None => Ok(None),
            Some(value) => of(value)
                .map(Some)
                .ok_or_else(|| self.unsupported(format!("{key} of this type"))),
        }
    }

    fn size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        self.find(key, |value| usize::try_from(value.as_u64()?).ok())
    }

    fn need_size(&self, key: &str) -> Result<usize, ModelError> {
        let missing = || self.missing(format!("{}.{key}", self.name));
        self.size(key)?.ok_or_else(missing)
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.find(key, V::as_f64)
    }

    /// Number of tokens: as many as the embedding has.
    fn vocab_size(&self) -> Result<usize, ModelError> {
        let shape = self.tensors.get("token_embd.weight").map(|t| &t.shape);
        let rows = shape.and_then(|shape| shape.first());
        rows.copied().ok_or_else(|| ModelError::MissingTensor {
            path: self.path.to_owned(),
            name: "token_embd.weight".into(),
        })
    }

    /// Whether the head is the embedding: it is not there, or, as older converters left it, a copy.
    fn tie_embeddings(&self) -> bool {
        let bytes = |name| {
            let place = self.tensors.get(name)?;
            Some((place.shape.clone(), &self.bytes[place.bytes.clone()]))
        };
        match bytes("output.weight") {
            None => true,
            head => head == bytes("token_embd.weight"),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn gpt2(&self) -> Result<Architecture, ModelError> {
        let d_model = self.need_size("embedding_length")?;
        Ok(Architecture::Gpt2(Gpt2Config {
            vocab_size: self.vocab_size()?,
            max_seq_len: self.need_size("context_length")?,
            d_model,
            d_ff: self
                .size("feed_forward_length")?
                .unwrap_or(d_model.saturating_mul(4)),
            n_layers: self.need_size("block_count")?,
            n_heads: self.need_size("attention.head_count")?,
            dropout: 0.0,
            bias: true,
            tie_embeddings: self.tie_embeddings(),
            norm_eps: self.epsilon("attention.layer_norm_epsilon")?,
        }))
    }

    /// A small number that files keep as f32 and people as a decimal.
    fn epsilon(&self, key: &str) -> Result<f64, ModelError> {
        let missing = || self.missing(format!("{}.{key}", self.name));
        let stored = self.number(key)?.ok_or_else(missing)?;
        let shortest = (stored as f32).to_string().parse();
        Ok(shortest.unwrap_or(stored))
    }

    fn llama(&self) -> Result<Architecture, ModelError> {
        if let Some(experts) = self.size("expert_count")?.filter(|experts| *experts > 0) {
            return Err(self.unsupported(format!("a mixture of {experts} experts")));
        }
        let d_model = self.need_size("embedding_length")?;
        let n_heads = self.need_size("attention.head_count")?;
        let per_head = d_model / n_heads.max(1);
        let d_head = self.size("attention.key_length")?.unwrap_or(per_head);
        let value_width = self.size("attention.value_length")?.unwrap_or(per_head);
        let rotated = self.size("rope.dimension_count")?.unwrap_or(d_head);
        if value_width != d_head || rotated != d_head {
            return Err(self.unsupported(format!(
                "heads whose keys are {d_head} wide, values {value_width}, rotated {rotated}: they must be equal"
            )));
        }
        let max_seq_len = self.need_size("context_length")?;
        let window = self.size("attention.sliding_window")?.filter(|w| *w > 0);
        let attention_bias = self.has("blk.0.attn_q.bias");
        let mlp_bias = self.has("blk.0.ffn_up.bias");
        let rope = RopeConfig {
            d_head,
            theta: self.number("rope.freq_base")?.unwrap_or(10_000.0),
            max_seq_len,
            scaling: None,
        };
        let config = LlamaConfig {
            vocab_size: self.vocab_size()?,
            max_seq_len,
            d_model,
            d_ff: self.need_size("feed_forward_length")?,
            n_layers: self.need_size("block_count")?,
            n_heads,
            n_kv_heads: self.size("attention.head_count_kv")?.unwrap_or(n_heads),
            d_head,
            dropout: 0.0,
            attention_bias,
            mlp_bias,
            rope_theta: rope.theta,
            rope_scaling: self.rope_scaling(&rope)?,
            tie_embeddings: self.tie_embeddings(),
            norm_eps: self.epsilon("attention.layer_norm_rms_epsilon")?,
        };
        Ok(match window {
            Some(_) if attention_bias || mlp_bias => {
                return Err(self.unsupported("a sliding window together with biases".into()));
            }
            Some(_) => Architecture::Mistral(MistralConfig {
                vocab_size: config.vocab_size,
                max_seq_len: config.max_seq_len,
                d_model: config.d_model,
                d_ff: config.d_ff,
                n_layers: config.n_layers,
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                d_head: config.d_head,
                window,
                dropout: 0.0,
                rope_theta: config.rope_theta,
                rope_scaling: config.rope_scaling,
                tie_embeddings: config.tie_embeddings,
                norm_eps: config.norm_eps,
            }),
            None => Architecture::Llama(config),
        })
    }

    fn rope_scaling(&self, rope: &RopeConfig) -> Result<Option<RopeScaling>, ModelError> {
        let original = self.size("rope.scaling.original_context_length")?;
        let original_max_seq_len = original.unwrap_or(rope.max_seq_len);
        let factor = self.number("rope.scaling.factor")?;
        let sharpened = self.number("rope.scaling.attn_factor")?;
        if self.has(ROPE_FACTORS) {
            return Ok(Some(self.of_factors(rope)?));
        }
        let kind = self.find("rope.scaling.type", |v| v.as_str().map(str::to_owned))?;
        Ok(match kind.as_deref() {
            None | Some("none") => None,
            Some("linear") => factor.map(|factor| RopeScaling::Linear { factor }),
            Some("yarn") => {
                let missing = || self.missing(format!("{}.rope.scaling.factor", self.name));
                let factor = factor.ok_or_else(missing)?;
                Some(RopeScaling::Yarn {
                    factor,
                    original_max_seq_len,
                    attention_factor: sharpened.map(|by| by * yarn_sharpening(factor)),
                    beta_fast: self.number("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.number("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                    truncate: true,
                })
            }
            Some("longrope") => Some(RopeScaling::LongRope {
                short_factor: self.factors(SHORT_FACTORS)?,
                long_factor: self.factors(LONG_FACTORS)?,
                original_max_seq_len,
                factor: None,
                attention_factor: Some(sharpened.unwrap_or(1.0)),
            }),
            Some(other) => {
                let known = "none, linear, yarn, longrope";
                return Err(
                    self.unsupported(format!("rope.scaling.type {other:?} (known: {known})"))
                );
            }
        })
    }

    /// Numbers of a list of factors.
    fn factors(&self, name: &str) -> Result<Vec<f64>, ModelError> {
        let place = self
            .tensors
            .get(name)
            .ok_or_else(|| ModelError::MissingTensor {
                path: self.path.to_owned(),
                name: name.to_owned(),
            })?;
        if place.encoding != Ok(Encoding::F32) {
            return Err(ModelError::TensorType {
                path: self.path.to_owned(),
                name: name.to_owned(),
                dtype: match &place.encoding {
                    Ok(encoding) => encoding.name().to_owned(),
                    Err(dtype) => dtype.clone(),
                },
            });
        }
        let floats = self.bytes[place.bytes.clone()].as_chunks::<4>().0;
        let factors = floats
            .iter()
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
        Ok(factors.collect())
    }

    /// What the factors of `rope_freqs.weight` mean: Llama 3's rule where they follow it, else a factor for each pair.
    fn of_factors(&self, rope: &RopeConfig) -> Result<RopeScaling, ModelError> {
        let factors = self.factors(ROPE_FACTORS)?;
        let released = [8.0, 32.0].map(|factor| RopeScaling::Llama3 {
            factor,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_seq_len: 8192,
        });
        // Nothing is computed for heads of another width: it is only what a key says.
        let one_for_each_pair = factors.len() == rope.d_head / 2;
        let follows = |scaling: &RopeScaling| {
            let theirs = frequency_factors(rope, scaling);
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * b.abs();
            theirs.iter().zip(&factors).all(close)
        };
        Ok(released
            .into_iter()
            .find(|scaling| one_for_each_pair && follows(scaling))
            .unwrap_or(RopeScaling::LongRope {
                short_factor: factors.clone(),
                long_factor: factors,
                original_max_seq_len: rope.max_seq_len,
                factor: None,
                attention_factor: Some(1.0),
            }))
    }
}
