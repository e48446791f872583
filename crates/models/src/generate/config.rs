//! The `[generate]` table: how the next token is chosen and when to stop.

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Which rule picks the next token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The most probable token.
    Greedy,
    /// A draw from the distribution, after every filter that is set.
    #[default]
    Sample,
    /// A draw from the `top_k` most probable tokens.
    TopK,
    /// A draw from the smallest set of tokens whose probabilities reach `top_p` (nucleus sampling, Holtzman et al. 2020).
    TopP,
    /// A draw from the tokens with at least `min_p` times the largest probability (Nguyen et al. 2024).
    MinP,
}

/// What happens when a sequence reaches the model's context length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextOverflow {
    /// Forget the older half of the context and go on with a fresh pass over the rest.
    #[default]
    Slide,
    /// End the sequence, with finish reason `length`.
    Stop,
    /// Fail.
    Error,
}

/// The `[generate]` table of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// The rule. Default: `sample`.
    pub strategy: Strategy,
    /// Logits are divided by this, above 0. Default: 1. Not with `greedy`.
    pub temperature: Option<f32>,
    /// Keep so many tokens, at least 1. Default: 50 with `top-k`, else off.
    pub top_k: Option<usize>,
    /// Keep the nucleus of this probability, in `(0, 1]`. Default: 0.9 with `top-p`, else off.
    pub top_p: Option<f32>,
    /// Keep tokens above this share of the largest probability, in `[0, 1]`. Default: 0.05 with `min-p`, else off.
    pub min_p: Option<f32>,
    /// Divides the positive and multiplies the negative logits of tokens seen before, above 0 (Keskar et al. 2019). Default: 1, off.
    pub repetition_penalty: f32,
    /// No sequence of so many tokens appears twice; 0 = off. Default: 0.
    pub no_repeat_ngram: usize,
    /// The end-of-text token is forbidden before so many new tokens. Default: 0.
    pub min_new_tokens: usize,
    /// Most new tokens of a sequence. Default: 200.
    pub max_new_tokens: usize,
    /// Sequences for each prompt, computed as one batch. Default: 1.
    pub num_return_sequences: usize,
    /// Seed of the draws. Default: 42.
    pub seed: u64,
    /// What happens at the end of the context. Default: `slide`.
    pub context_overflow: ContextOverflow,
    /// Texts that end a sequence; they are not part of it.
    pub stop: Vec<String>,
    /// Token ids that end a sequence, beside the end-of-text token.
    pub stop_tokens: Vec<u32>,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::Sample,
            temperature: None,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            no_repeat_ngram: 0,
            min_new_tokens: 0,
            max_new_tokens: 200,
            num_return_sequences: 1,
            seed: 42,
            context_overflow: ContextOverflow::Slide,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
        }
    }
}

impl GenerateConfig {
    /// Checks every number against its range, and that no setting is without effect under the chosen strategy.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), ModelError> {
        let check = |key: &'static str, value: String, allowed: &'static str, ok: bool| {
            if ok {
                Ok(())
            } else {
                Err(ModelError::Config {
                    key,
                    value,
                    allowed,
                })
            }
        };
        let fits = |allowed: &[Strategy]| {
            self.strategy == Strategy::Sample || allowed.contains(&self.strategy)
        };
        if let Some(v) = self.temperature {
            let ok = self.strategy != Strategy::Greedy;
            check(
                "generate.temperature",
                v.to_string(),
                "nothing when generate.strategy is greedy",
                ok,
            )?;
            check(
                "generate.temperature",
                v.to_string(),
                "a finite number above 0",
                v.is_finite() && v > 0.0,
            )?;
        }
        if let Some(v) = self.top_k {
            let ok = fits(&[Strategy::TopK]);
            check(
                "generate.top_k",
                v.to_string(),
                "nothing unless generate.strategy is top-k or sample",
                ok,
            )?;
            check("generate.top_k", v.to_string(), "at least 1", v >= 1)?;
        }
        if let Some(v) = self.top_p {
            let ok = fits(&[Strategy::TopP]);
            check(
                "generate.top_p",
                v.to_string(),
                "nothing unless generate.strategy is top-p or sample",
                ok,
            )?;
            check(
                "generate.top_p",
                v.to_string(),
                "above 0, at most 1",
                v > 0.0 && v <= 1.0,
            )?;
        }
        if let Some(v) = self.min_p {
            let ok = fits(&[Strategy::MinP]);
            check(
                "generate.min_p",
                v.to_string(),
                "nothing unless generate.strategy is min-p or sample",
                ok,
            )?;
            check(
                "generate.min_p",
                v.to_string(),
                "from 0 to 1",
                (0.0..=1.0).contains(&v),
            )?;
        }
        let r = self.repetition_penalty;
        check(
            "generate.repetition_penalty",
            r.to_string(),
            "a finite number above 0",
            r.is_finite() && r > 0.0,
        )?;
        let n = self.max_new_tokens;
        check(
            "generate.max_new_tokens",
            n.to_string(),
            "at least 1",
            n >= 1,
        )?;
        let least = self.min_new_tokens;
        check(
            "generate.min_new_tokens",
            least.to_string(),
            "at most generate.max_new_tokens",
            least <= n,
        )?;
        let sequences = self.num_return_sequences;
        check(
            "generate.num_return_sequences",
            sequences.to_string(),
            "at least 1",
            sequences >= 1,
        )?;
        let same = self.strategy == Strategy::Greedy && sequences > 1;
        check(
            "generate.num_return_sequences",
            sequences.to_string(),
            "1 when generate.strategy is greedy, as all would be the same",
            !same,
        )?;
        let empty = self.stop.iter().any(String::is_empty);
        check(
            "generate.stop",
            "\"\"".into(),
            "texts of at least one character",
            !empty,
        )
    }
}
