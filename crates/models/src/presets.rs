//! Named sizes: the released models, and small ones that train on a laptop.

use crate::gpt::GptConfig;
use crate::gpt2::Gpt2Config;
use crate::llama::LlamaConfig;
use crate::mistral::MistralConfig;
use crate::{Architecture, ModelError};

/// A name and the sizes behind it.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `model.preset` takes.
    pub name: &'static str,
    make: fn() -> Architecture,
}

impl Preset {
    /// The sizes, with the vocabulary of the released model, or 50,257 tokens for the small ones.
    pub fn architecture(&self) -> Architecture {
        (self.make)()
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// [`ModelError::UnknownPreset`] lists all names.
    pub fn find(name: &str) -> Result<&'static Self, ModelError> {
        ALL.iter()
            .find(|preset| preset.name == name)
            .ok_or_else(|| ModelError::UnknownPreset {
                name: name.to_owned(),
                known: ALL
                    .iter()
                    .map(|preset| preset.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

/// Every preset, small ones first.
pub const ALL: &[Preset] = &[
    Preset {
        name: "gpt-tiny",
        make: || Architecture::Gpt(gpt(4, 4, 128, 64)),
    },
    Preset {
        name: "gpt2-tiny",
        make: || Architecture::Gpt2(gpt2(4, 4, 128, 64)),
    },
    Preset {
        name: "llama-tiny",
        make: || Architecture::Llama(llama(4, 4, 128, 344, 64)),
    },
    Preset {
        name: "mistral-tiny",
        make: || Architecture::Mistral(mistral(4, 4, 128, 344, 64, 32)),
    },
    Preset {
        name: "gpt2-10m",
        make: || Architecture::Gpt2(gpt2(6, 6, 384, 256)),
    },
    Preset {
        name: "llama-10m",
        make: || Architecture::Llama(llama(6, 6, 384, 1024, 256)),
    },
    Preset {
        name: "mistral-10m",
        make: || Architecture::Mistral(mistral(6, 6, 384, 1024, 256, 128)),
    },
    Preset {
        name: "gpt-117m",
        make: || Architecture::Gpt(GptConfig::gpt_117m()),
    },
    Preset {
        name: "gpt2-124m",
        make: || Architecture::Gpt2(Gpt2Config::gpt2_124m()),
    },
    Preset {
        name: "gpt2-355m",
        make: || Architecture::Gpt2(Gpt2Config::gpt2_355m()),
    },
    Preset {
        name: "gpt2-774m",
        make: || Architecture::Gpt2(Gpt2Config::gpt2_774m()),
    },
    Preset {
        name: "gpt2-1558m",
        make: || Architecture::Gpt2(Gpt2Config::gpt2_1558m()),
    },
    Preset {
        name: "llama-3.2-1b",
        make: || Architecture::Llama(LlamaConfig::llama3_2_1b()),
    },
    Preset {
        name: "llama-3.2-3b",
        make: || Architecture::Llama(LlamaConfig::llama3_2_3b()),
    },
    Preset {
        name: "llama-2-7b",
        make: || Architecture::Llama(LlamaConfig::llama2_7b()),
    },
    Preset {
        name: "mistral-7b",
        make: || Architecture::Mistral(MistralConfig::mistral_7b()),
    },
    Preset {
        name: "llama-3-8b",
        make: || Architecture::Llama(LlamaConfig::llama3_8b()),
    },
    Preset {
        name: "llama-2-13b",
        make: || Architecture::Llama(LlamaConfig::llama2_13b()),
    },
    Preset {
        name: "llama-2-70b",
        make: || Architecture::Llama(LlamaConfig::llama2_70b()),
    },
    Preset {
        name: "llama-3-70b",
        make: || Architecture::Llama(LlamaConfig::llama3_70b()),
    },
];

/// What the small presets take until a tokenizer is known: GPT-2's.
const VOCAB_SIZE: usize = 50_257;

fn gpt(n_layers: usize, n_heads: usize, d_model: usize, max_seq_len: usize) -> GptConfig {
    GptConfig {
        vocab_size: VOCAB_SIZE,
        max_seq_len,
        d_model,
        d_ff: 4 * d_model,
        n_layers,
        n_heads,
        dropout: 0.0,
        tie_embeddings: true,
        norm_eps: 1e-5,
    }
}

fn gpt2(n_layers: usize, n_heads: usize, d_model: usize, max_seq_len: usize) -> Gpt2Config {
    Gpt2Config {
        vocab_size: VOCAB_SIZE,
        max_seq_len,
        d_model,
        d_ff: 4 * d_model,
        n_layers,
        n_heads,
        dropout: 0.0,
        bias: true,
        tie_embeddings: true,
        norm_eps: 1e-5,
    }
}

fn llama(
    n_layers: usize,
    n_heads: usize,
    d_model: usize,
    d_ff: usize,
    max_seq_len: usize,
) -> LlamaConfig {
    LlamaConfig {
        vocab_size: VOCAB_SIZE,
        max_seq_len,
        d_model,
        d_ff,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        tie_embeddings: true,
        ..LlamaConfig::llama2_7b()
    }
}

fn mistral(
    n_layers: usize,
    n_heads: usize,
    d_model: usize,
    d_ff: usize,
    max_seq_len: usize,
    window: usize,
) -> MistralConfig {
    MistralConfig {
        vocab_size: VOCAB_SIZE,
        max_seq_len,
        d_model,
        d_ff,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        window: Some(window),
        tie_embeddings: true,
        ..MistralConfig::mistral_7b()
    }
}
