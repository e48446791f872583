//! The `[generate]` table: how the next token is chosen and when to stop.

use serde::{Deserialize, Serialize};

use super::token_bias::TokenBias;

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
    /// A draw from the tokens below a bound of surprise, which follows the text (Mirostat 2, Basu et al. 2021).
    Mirostat,
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
    /// Keep the tokens of this probability whose surprise is nearest to the expected one, in `(0, 1]` (Meister et al. 2022). Default: off.
    /// Only with `sample`.
    pub typical_p: Option<f32>,
    /// How often XTC acts, from 0 to 1. Default: 0, off. Only with `sample`.
    pub xtc_probability: f32,
    /// Probability from which on XTC removes all but the least probable, in `(0, 0.5]`. Default: 0.1. Only with XTC on.
    pub xtc_threshold: Option<f32>,
    /// Surprise in bits that Mirostat holds, above 0. Default: 5. Only with `mirostat`.
    pub mirostat_tau: Option<f32>,
    /// How fast Mirostat's bound moves, in `(0, 1]`. Default: 0.1. Only with `mirostat`.
    pub mirostat_eta: Option<f32>,
    /// The temperature moves so far up and down with the entropy of the candidates, from 0 to the temperature. Default: 0, off. Neither with
    /// `greedy` nor with `mirostat`.
    pub dynatemp_range: f32,
    /// Exponent of the share of the entropy, above 0. Default: 1. Only with a range.
    pub dynatemp_exponent: Option<f32>,
    /// Added to the logits of single tokens, from -100 to 100.
    #[serde(skip_serializing_if = "TokenBias::is_empty")]
    pub logit_bias: TokenBias,
    /// Taken from the logits of tokens that were generated, from -100 to 100. Default: 0.
    pub presence_penalty: f32,
    /// Taken from the logits of tokens for every time that they were generated, from -100 to 100. Default: 0.
    pub frequency_penalty: f32,
    /// Divides the positive and multiplies the negative logits of tokens seen before, above 0 (Keskar et al. 2019). Default: 1, off.
    pub repetition_penalty: f32,
    /// What DRY takes from the logit of a token that would repeat a run of `dry_allowed_length`, from 0 to 100. Default: 0, off.
    pub dry_multiplier: f32,
    /// Factor of that for every token more, from 1 to 100. Default: 1.75. Only with DRY on, as all that follow.
    pub dry_base: Option<f32>,
    /// Tokens that may repeat without a loss, at least 1. Default: 2.
    pub dry_allowed_length: Option<usize>,
    /// How many of the last tokens are searched, at least 1. Default: all.
    pub dry_last_n: Option<usize>,
    /// Texts that end a run: every token that holds one does. Default: line end, colon, quotation mark and asterisk. Whoever knows the
    /// tokenizer makes ids of them.
    pub dry_breakers: Option<Vec<String>>,
    /// Token ids that end a run, beside those.
    pub dry_breaker_tokens: Vec<u32>,
    /// No sequence of so many tokens appears twice; 0 = off. Default: 0.
    pub no_repeat_ngram: usize,
    /// Token ids that are never chosen.
    pub banned_tokens: Vec<u32>,
    /// Texts that are never chosen, each one token, with or without a space before it. Whoever knows the tokenizer makes ids of them.
    pub banned_texts: Vec<String>,
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
            typical_p: None,
            xtc_probability: 0.0,
            xtc_threshold: None,
            mirostat_tau: None,
            mirostat_eta: None,
            dynatemp_range: 0.0,
            dynatemp_exponent: None,
            logit_bias: TokenBias::default(),
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            repetition_penalty: 1.0,
            dry_multiplier: 0.0,
            dry_base: None,
            dry_allowed_length: None,
            dry_last_n: None,
            dry_breakers: None,
            dry_breaker_tokens: Vec::new(),
            no_repeat_ngram: 0,
            banned_tokens: Vec::new(),
            banned_texts: Vec::new(),
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
