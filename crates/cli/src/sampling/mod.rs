//! Flags of every command that generates text: how the next token is picked, and when a text ends.

mod cuts;
mod penalties;
mod texts;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::config::Layers;
use cuts::CutArgs;
use penalties::PenaltyArgs;
pub(crate) use texts::resolve_tokens;

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct SamplingArgs {
    /// Rule that picks the next token [default: sample]
    #[arg(long, value_enum)]
    strategy: Option<Strategy>,
    /// What reshapes the probabilities and cuts the candidates
    #[command(flatten)]
    cuts: CutArgs,
    /// What makes single tokens and repetitions less likely
    #[command(flatten)]
    penalties: PenaltyArgs,
    /// Forbid the end of the text before N new tokens [default: 0]
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<u64>,
    /// Most new tokens of a sequence [default: 200]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<u64>,
    /// Seed of the draws [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End a sequence before this text; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// End a sequence after this token id; may be repeated
    #[arg(long, value_name = "ID")]
    stop_token: Vec<u32>,
    /// What happens at the end of the context [default: slide]
    #[arg(long, value_enum)]
    context_overflow: Option<ContextOverflow>,
    /// Configuration file, of which the table "generate" is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as generate.top_k=20; an empty value is the default. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The rules, spelt as in configuration files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Strategy {
    /// The most probable token
    Greedy,
    /// A draw, after every filter that is set
    Sample,
    /// A draw from the --top-k most probable tokens
    TopK,
    /// A draw from the smallest set that reaches --top-p
    TopP,
    /// A draw from the tokens above --min-p times the largest probability
    MinP,
    /// A draw from the tokens below a bound of surprise, which follows the text
    Mirostat,
}

/// The ways out of a full context, spelt as in configuration files.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ContextOverflow {
    /// Forget the older half
    Slide,
    /// End the sequence
    Stop,
    /// Fail
    Error,
}

impl SamplingArgs {
    /// The table `generate` as the file, `--set` and the flags make it.
    ///
    /// # Errors
    /// The file can't be read, or an argument of `--set` is not `KEY=VALUE`.
    pub(crate) fn layers(&self) -> anyhow::Result<Layers> {
        let layers = match &self.config {
            Some(path) => Layers::new().file(path)?,
            None => Layers::new(),
        };
        let layers = layers.set(&self.set)?;
        let layers = self.penalties.over(self.cuts.over(layers));
        Ok(layers
            .flag("--strategy", "generate.strategy", self.strategy.map(name))
            .flag(
                "--min-new-tokens",
                "generate.min_new_tokens",
                self.min_new_tokens,
            )
            .flag(
                "--max-new-tokens",
                "generate.max_new_tokens",
                self.max_new_tokens,
            )
            .flag("--seed", "generate.seed", self.seed)
            .flag(
                "--context-overflow",
                "generate.context_overflow",
                self.context_overflow.map(name),
            )
            .flag("--stop", "generate.stop", list(&self.stop))
            .flag(
                "--stop-token",
                "generate.stop_tokens",
                list(&self.stop_token),
            ))
    }
}

/// The values of a flag that may be repeated, if it was given.
fn list<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    (!values.is_empty()).then(|| values.to_vec())
}

/// The name of a clap value, which is the one in configuration files.
fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_command_line_is_one_of_the_library() {
        let known = |key: &str, value: String| {
            Layers::new()
                .flag("--flag", key, Some(value))
                .resolve()
                .is_ok()
        };
        assert!(
            Strategy::value_variants()
                .iter()
                .all(|v| known("generate.strategy", name(*v)))
        );
        assert!(
            ContextOverflow::value_variants()
                .iter()
                .all(|v| known("generate.context_overflow", name(*v)))
        );
        assert!(!known("generate.strategy", "beam".into()));
    }
}
