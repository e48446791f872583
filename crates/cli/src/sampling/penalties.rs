//! Flags of what makes single tokens, and tokens seen before, less likely or more.

use figment::value::{Dict, Value};

use super::list;
use crate::config::Layers;

/// The flags.
#[derive(Debug, clap::Args)]
pub(super) struct PenaltyArgs {
    /// Make tokens seen before less likely, above 1, or more likely, below 1 [default: 1]
    #[arg(long, value_name = "R")]
    repetition_penalty: Option<f32>,
    /// Take this from the logits of tokens that were generated, from -100 to 100 [default: 0]
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Take this from the logits of tokens for every time that they were generated, from -100 to 100 [default: 0]
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// DRY: take this from the logit of a token that would go on repeating a run of tokens, and more the longer the run [default: 0, off]
    #[arg(long, value_name = "L")]
    dry_multiplier: Option<f32>,
    /// Factor of that for every token that the run is longer [default: 1.75]
    #[arg(long, value_name = "B")]
    dry_base: Option<f32>,
    /// Tokens that may be repeated without a loss [default: 2]
    #[arg(long, value_name = "N")]
    dry_allowed_length: Option<u64>,
    /// How many of the last tokens DRY searches [default: all]
    #[arg(long, value_name = "N")]
    dry_last_n: Option<u64>,
    /// Text that ends a run; may be repeated [default: line end, colon, quotation mark, asterisk]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    dry_breaker: Vec<String>,
    /// Let no sequence of N tokens appear twice; 0 is off [default: 0]
    #[arg(long, value_name = "N")]
    no_repeat_ngram: Option<u64>,
    /// Add this to the logit of a token, from -100 to 100; may be repeated
    #[arg(long, value_name = "ID=BIAS", value_parser = bias)]
    logit_bias: Vec<(u32, f32)>,
    /// Never choose this text, which is one token, with or without a space before it; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    ban: Vec<String>,
    /// Never choose this token id; may be repeated
    #[arg(long, value_name = "ID")]
    ban_token: Vec<u32>,
}

impl PenaltyArgs {
    /// The flags that were given, on top of `layers`.
    pub(super) fn over(&self, layers: Layers) -> Layers {
        let biases: Dict = self
            .logit_bias
            .iter()
            .map(|(id, bias)| (id.to_string(), Value::from(*bias)))
            .collect();
        layers
            .flag(
                "--repetition-penalty",
                "generate.repetition_penalty",
                self.repetition_penalty,
            )
            .flag(
                "--presence-penalty",
                "generate.presence_penalty",
                self.presence_penalty,
            )
            .flag(
                "--frequency-penalty",
                "generate.frequency_penalty",
                self.frequency_penalty,
            )
            .flag(
                "--dry-multiplier",
                "generate.dry_multiplier",
                self.dry_multiplier,
            )
            .flag("--dry-base", "generate.dry_base", self.dry_base)
            .flag(
                "--dry-allowed-length",
                "generate.dry_allowed_length",
                self.dry_allowed_length,
            )
            .flag("--dry-last-n", "generate.dry_last_n", self.dry_last_n)
            .flag(
                "--dry-breaker",
                "generate.dry_breakers",
                list(&self.dry_breaker),
            )
            .flag(
                "--no-repeat-ngram",
                "generate.no_repeat_ngram",
                self.no_repeat_ngram,
            )
            .flag(
                "--logit-bias",
                "generate.logit_bias",
                (!biases.is_empty()).then_some(biases),
            )
            .flag("--ban", "generate.banned_texts", list(&self.ban))
            .flag(
                "--ban-token",
                "generate.banned_tokens",
                list(&self.ban_token),
            )
    }
}

/// Reads `ID=BIAS`.
fn bias(text: &str) -> Result<(u32, f32), String> {
    let parsed = text
        .split_once('=')
        .and_then(|(id, bias)| Some((id.trim().parse().ok()?, bias.trim().parse().ok()?)));
    parsed.ok_or_else(|| "give a token id and a number, such as 11=-2.5".into())
}
