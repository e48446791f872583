//! The `[model]` table resolved to the sizes of one family, and the table that means given sizes.

use crate::presets::Preset;
use crate::{Architecture, Family, ModelConfig, ModelError};

impl Architecture {
    /// The sizes that a `[model]` table means for a tokenizer of `n_tokens` tokens.
    ///
    /// # Errors
    /// Names the key that is out of range, does not fit the others, or belongs to another family.
    pub fn resolve(config: &ModelConfig, n_tokens: usize) -> Result<Self, ModelError> {
        let mut base = match &config.preset {
            Some(name) => Preset::find(name)?.architecture(),
            None => small(config.family),
        };
        // A preset brings its family; `gpt2` is also what stands there when nothing was said.
        if base.family() != config.family && config.family != Family::default() {
            return Err(ModelError::PresetOfOtherFamily {
                preset: config.preset.clone().unwrap_or_default(),
                has: base.family().name(),
                wanted: config.family.name(),
            });
        }
        let vocab_size = config.vocab_size.unwrap_or(n_tokens);
        if vocab_size < n_tokens {
            return Err(ModelError::VocabularyTooSmall {
                vocab_size,
                tokens: n_tokens,
            });
        }
        refuse_keys_of_other_families(config, base.family())?;
        let keeps_ratio = config.preset.is_none() || config.d_model.is_some();
        match &mut base {
            Self::Gpt(c) => {
                c.vocab_size = vocab_size;
                take(&mut c.max_seq_len, config.max_seq_len);
                take(&mut c.d_model, config.d_model);
                c.d_ff = config.d_ff.unwrap_or(if keeps_ratio {
                    c.d_model.saturating_mul(4)
                } else {
                    c.d_ff
                });
                take(&mut c.n_layers, config.n_layers);
                take(&mut c.n_heads, config.n_heads);
                take(&mut c.dropout, config.dropout);
                take(&mut c.tie_embeddings, config.tie_embeddings);
                take(&mut c.norm_eps, config.norm_eps);
            }
            Self::Gpt2(c) => {
                c.vocab_size = vocab_size;
                take(&mut c.max_seq_len, config.max_seq_len);
                take(&mut c.d_model, config.d_model);
                c.d_ff = config.d_ff.unwrap_or(if keeps_ratio {
                    c.d_model.saturating_mul(4)
                } else {
                    c.d_ff
                });
                take(&mut c.n_layers, config.n_layers);
                take(&mut c.n_heads, config.n_heads);
                take(&mut c.dropout, config.dropout);
                take(&mut c.bias, config.bias);
                take(&mut c.tie_embeddings, config.tie_embeddings);
                take(&mut c.norm_eps, config.norm_eps);
            }
            Self::Llama(c) => {
                c.vocab_size = vocab_size;
                take(&mut c.max_seq_len, config.max_seq_len);
                take(&mut c.d_model, config.d_model);
                c.d_ff = config.d_ff.unwrap_or(if keeps_ratio {
                    gated_width(c.d_model)
                } else {
                    c.d_ff
                });
                take(&mut c.n_layers, config.n_layers);
                let heads = Heads {
                    n_heads: c.n_heads,
                    n_kv_heads: c.n_kv_heads,
                    d_head: c.d_head,
                };
                let heads = heads.changed(config, c.d_model);
                (c.n_heads, c.n_kv_heads, c.d_head) =
                    (heads.n_heads, heads.n_kv_heads, heads.d_head);
                take(&mut c.dropout, config.dropout);
                take(&mut c.attention_bias, config.bias);
                take(&mut c.mlp_bias, config.mlp_bias);
                take(&mut c.rope_theta, config.rope_theta);
                c.rope_scaling = config.rope_scaling.clone().or(c.rope_scaling.take());
                take(&mut c.tie_embeddings, config.tie_embeddings);
                take(&mut c.norm_eps, config.norm_eps);
            }
            Self::Mistral(c) => {
                c.vocab_size = vocab_size;
                take(&mut c.max_seq_len, config.max_seq_len);
                take(&mut c.d_model, config.d_model);
                c.d_ff = config.d_ff.unwrap_or(if keeps_ratio {
                    gated_width(c.d_model)
                } else {
                    c.d_ff
                });
                take(&mut c.n_layers, config.n_layers);
                let heads = Heads {
                    n_heads: c.n_heads,
                    n_kv_heads: c.n_kv_heads,
                    d_head: c.d_head,
                };
                let heads = heads.changed(config, c.d_model);
                (c.n_heads, c.n_kv_heads, c.d_head) =
                    (heads.n_heads, heads.n_kv_heads, heads.d_head);
                c.window = config.window.or(c.window);
                take(&mut c.dropout, config.dropout);
                take(&mut c.rope_theta, config.rope_theta);
                c.rope_scaling = config.rope_scaling.clone().or(c.rope_scaling.take());
                take(&mut c.tie_embeddings, config.tie_embeddings);
                take(&mut c.norm_eps, config.norm_eps);
            }
        }
        base.validate()?;
        Ok(base)
    }
}

impl From<&Architecture> for ModelConfig {
    /// The table that [`Architecture::resolve`] turns into these sizes.
    fn from(architecture: &Architecture) -> Self {
        let shared = Self {
            family: architecture.family(),
            d_model: Some(architecture.d_model()),
            d_ff: Some(architecture.d_ff()),
            n_layers: Some(architecture.n_layers()),
            n_heads: Some(architecture.n_heads()),
            vocab_size: Some(architecture.vocab_size()),
            max_seq_len: Some(architecture.max_seq_len()),
            dropout: Some(architecture.dropout()),
            tie_embeddings: Some(architecture.tie_embeddings()),
            norm_eps: Some(architecture.norm_eps()),
            ..Self::default()
        };
        match architecture {
            Architecture::Gpt(_) => shared,
            Architecture::Gpt2(c) => Self {
                bias: Some(c.bias),
                ..shared
            },
            Architecture::Llama(c) => Self {
                d_head: Some(c.d_head),
                n_kv_heads: Some(c.n_kv_heads),
                bias: Some(c.attention_bias),
                mlp_bias: Some(c.mlp_bias),
                rope_theta: Some(c.rope_theta),
                rope_scaling: c.rope_scaling.clone(),
                ..shared
            },
            Architecture::Mistral(c) => Self {
                d_head: Some(c.d_head),
                n_kv_heads: Some(c.n_kv_heads),
                window: c.window,
                rope_theta: Some(c.rope_theta),
                rope_scaling: c.rope_scaling.clone(),
                ..shared
            },
        }
    }
}

fn take<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// The small default of a family: 4 layers, 4 heads, 128 wide, context 64.
fn small(family: Family) -> Architecture {
    let name = match family {
        Family::Gpt => "gpt-tiny",
        Family::Gpt2 => "gpt2-tiny",
        Family::Llama => "llama-tiny",
        Family::Mistral => "mistral-tiny",
    };
    let mut architecture = Preset::find(name)
        .expect("a preset of this crate")
        .architecture();
    if let Architecture::Mistral(config) = &mut architecture {
        config.window = None;
    }
    architecture
}

/// 8/3 of the width, so that three matrices hold as many weights as two of four times the width (LLaMA, section 2.2), rounded up to a
/// multiple of 8.
fn gated_width(d_model: usize) -> usize {
    d_model.saturating_mul(8).div_ceil(3).next_multiple_of(8)
}

struct Heads {
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
}

impl Heads {
    /// These with the keys of the table: what is not said follows from what is.
    fn changed(self, config: &ModelConfig, d_model: usize) -> Self {
        let n_heads = config.n_heads.unwrap_or(self.n_heads);
        let same_heads = n_heads == self.n_heads;
        let n_kv_heads =
            config
                .n_kv_heads
                .unwrap_or(if same_heads { self.n_kv_heads } else { n_heads });
        let same_width = same_heads && config.d_model.is_none();
        let d_head = config.d_head.unwrap_or(if same_width {
            self.d_head
        } else {
            d_model / n_heads.max(1)
        });
        Self {
            n_heads,
            n_kv_heads,
            d_head,
        }
    }
}

fn refuse_keys_of_other_families(config: &ModelConfig, family: Family) -> Result<(), ModelError> {
    let rotary = matches!(family, Family::Llama | Family::Mistral);
    let rules = [
        ("d_head", config.d_head.is_some(), rotary),
        ("n_kv_heads", config.n_kv_heads.is_some(), rotary),
        ("rope_theta", config.rope_theta.is_some(), rotary),
        ("rope_scaling", config.rope_scaling.is_some(), rotary),
        (
            "bias",
            config.bias.is_some(),
            matches!(family, Family::Gpt2 | Family::Llama),
        ),
        (
            "mlp_bias",
            config.mlp_bias.is_some(),
            family == Family::Llama,
        ),
        ("window", config.window.is_some(), family == Family::Mistral),
    ];
    match rules.iter().find(|(_, given, allowed)| *given && !allowed) {
        Some(&(key, ..)) => Err(ModelError::KeyOfOtherFamily {
            key,
            family: family.name(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Architecture, String> {
        let config: ModelConfig = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Architecture::resolve(&config, 65).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_not_said_follows_from_what_is() {
        let Architecture::Llama(llama) =
            resolve(r#"{"family": "llama", "d_model": 96, "n_heads": 6}"#).unwrap()
        else {
            panic!("another family")
        };
        assert_eq!(
            (llama.d_head, llama.n_kv_heads, llama.d_ff, llama.vocab_size),
            (16, 6, 256, 65)
        );
        let Architecture::Llama(llama) =
            resolve(r#"{"preset": "llama-3.2-1b", "n_layers": 2}"#).unwrap()
        else {
            panic!("another family")
        };
        assert_eq!((llama.n_layers, llama.n_kv_heads, llama.d_ff), (2, 8, 8192));
    }

    #[test]
    fn a_table_made_of_sizes_gives_them_back() {
        for preset in crate::presets::ALL {
            let architecture = preset.architecture();
            let table = ModelConfig::from(&architecture);
            assert_eq!(
                Architecture::resolve(&table, 65).expect("sizes"),
                architecture,
                "{}",
                preset.name
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, part) in [
            (
                r#"{"window": 3}"#,
                "model.window does nothing for family gpt2",
            ),
            (
                r#"{"family": "gpt", "bias": false}"#,
                "model.bias does nothing for family gpt",
            ),
            (r#"{"family": "mistral", "window": 0}"#, "window is 0"),
            (r#"{"family": "llama", "d_head": 7}"#, "d_head is 7"),
            (
                r#"{"d_model": 130}"#,
                "d_model is 130: it must be a multiple of n_heads = 4",
            ),
            (r#"{"n_heads": 0}"#, "n_heads is 0"),
            (r#"{"n_layers": 0}"#, "model.n_layers is 0"),
            (r#"{"dropout": 1}"#, "dropout is 1"),
            (r#"{"vocab_size": 64}"#, "the tokenizer has 65 tokens"),
            (r#"{"preset": "gpt-5"}"#, "the presets are gpt-tiny"),
            (
                r#"{"preset": "llama-tiny", "family": "mistral"}"#,
                "is of family llama",
            ),
            (r#"{"norm_eps": 0}"#, "model.norm_eps is 0"),
            (r#"{"d_model": 4294967296, "n_heads": 1}"#, "below 2^31"),
        ] {
            let error = resolve(text).expect_err(text);
            assert!(error.contains(part), "{text} → {error}");
        }
    }
}
