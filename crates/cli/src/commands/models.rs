//! `llm models`: the presets that a configuration can start from.

use llm_models::Architecture;
use llm_models::presets::{self, Preset};
use serde::Serialize;

use crate::printer::Printer;
use crate::quantity;

/// Arguments of `llm models`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// A preset, with the vocabulary of the released model.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    family: &'static str,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    d_model: usize,
    d_ff: usize,
    max_seq_len: usize,
    vocab_size: usize,
    /// Tied ones once.
    parameters: usize,
}

/// Runs the command.
///
/// # Errors
/// Stdout can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let rows: Vec<Row> = presets::ALL.iter().map(Row::new).collect();
    if args.json {
        return printer.json(&rows);
    }
    printer.line(line([
        "name",
        "family",
        "layers",
        "heads",
        "kv heads",
        "d_model",
        "d_ff",
        "context",
        "tokens",
        "parameters",
    ]))?;
    for row in &rows {
        printer.line(row.line())?;
    }
    Ok(())
}

impl Row {
    fn new(preset: &Preset) -> Self {
        let architecture = preset.architecture();
        let (n_kv_heads, d_ff) = match &architecture {
            Architecture::Gpt(c) => (c.n_heads, c.d_ff),
            Architecture::Gpt2(c) => (c.n_heads, c.d_ff),
            Architecture::Llama(c) => (c.n_kv_heads, c.d_ff),
            Architecture::Mistral(c) => (c.n_kv_heads, c.d_ff),
        };
        Self {
            name: preset.name,
            family: architecture.family().name(),
            n_layers: architecture.n_layers(),
            n_heads: architecture.n_heads(),
            n_kv_heads,
            d_model: architecture.d_model(),
            d_ff,
            max_seq_len: architecture.max_seq_len(),
            vocab_size: architecture.vocab_size(),
            parameters: architecture.parameter_count(),
        }
    }

    fn line(&self) -> String {
        let numbers = [
            self.n_layers,
            self.n_heads,
            self.n_kv_heads,
            self.d_model,
            self.d_ff,
            self.max_seq_len,
            self.vocab_size,
        ];
        let [layers, heads, kv_heads, d_model, d_ff, context, tokens] =
            numbers.map(|n| n.to_string());
        let parameters = quantity::count(self.parameters as f64);
        line([
            self.name,
            self.family,
            &layers,
            &heads,
            &kv_heads,
            &d_model,
            &d_ff,
            &context,
            &tokens,
            &parameters,
        ])
    }
}

fn line([name, family, numbers @ ..]: [&str; 10]) -> String {
    let numbers: String = numbers
        .iter()
        .map(|number| format!("{number:>11}"))
        .collect();
    format!("{name:<14}{family:<8}{numbers}")
}
