//! Flags of what reshapes the probabilities and cuts the candidates.

use crate::config::Layers;

/// The flags.
#[derive(Debug, clap::Args)]
pub(super) struct CutArgs {
    /// Divide the logits by this, above 0 [default: 1]
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// Keep so many tokens [default: 50 with top-k, else off]
    #[arg(long, value_name = "K")]
    top_k: Option<u64>,
    /// Keep the smallest set of tokens that reaches this probability [default: 0.9 with top-p, else off]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Keep tokens above this share of the largest probability [default: 0.05 with min-p, else off]
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Keep the tokens of this probability whose surprise is nearest to the expected one; with sample [default: off]
    #[arg(long, value_name = "P")]
    typical_p: Option<f32>,
    /// How often XTC removes the most probable tokens; with sample [default: 0, off]
    #[arg(long, value_name = "P")]
    xtc_probability: Option<f32>,
    /// Probability from which on XTC removes all tokens but the least probable [default: 0.1]
    #[arg(long, value_name = "P")]
    xtc_threshold: Option<f32>,
    /// Surprise in bits that mirostat holds [default: 5]
    #[arg(long, value_name = "BITS")]
    mirostat_tau: Option<f32>,
    /// How fast mirostat's bound moves, above 0, at most 1 [default: 0.1]
    #[arg(long, value_name = "RATE")]
    mirostat_eta: Option<f32>,
    /// Move the temperature so far up where the model is unsure, and down where it is sure [default: 0, off]
    #[arg(long, value_name = "T")]
    dynatemp_range: Option<f32>,
    /// Exponent of the share of the entropy in that [default: 1]
    #[arg(long, value_name = "E")]
    dynatemp_exponent: Option<f32>,
}

impl CutArgs {
    /// The flags that were given, on top of `layers`.
    pub(super) fn over(&self, layers: Layers) -> Layers {
        layers
            .flag("--temperature", "generate.temperature", self.temperature)
            .flag("--top-k", "generate.top_k", self.top_k)
            .flag("--top-p", "generate.top_p", self.top_p)
            .flag("--min-p", "generate.min_p", self.min_p)
            .flag("--typical-p", "generate.typical_p", self.typical_p)
            .flag(
                "--xtc-probability",
                "generate.xtc_probability",
                self.xtc_probability,
            )
            .flag(
                "--xtc-threshold",
                "generate.xtc_threshold",
                self.xtc_threshold,
            )
            .flag("--mirostat-tau", "generate.mirostat_tau", self.mirostat_tau)
            .flag("--mirostat-eta", "generate.mirostat_eta", self.mirostat_eta)
            .flag(
                "--dynatemp-range",
                "generate.dynatemp_range",
                self.dynatemp_range,
            )
            .flag(
                "--dynatemp-exponent",
                "generate.dynatemp_exponent",
                self.dynatemp_exponent,
            )
    }
}
