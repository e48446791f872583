//! Our fastest training to the loss that nanoGPT's recipe for a CPU reaches on tiny Shakespeare.
//!
//! The seconds are those of the optimizer steps, as the peer counts its own. The loss is measured afterwards, by another process, over
//! the characters that the peer validates on.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::process;
use super::programs::Values;
use super::quantities::Quantity;
use crate::workspace::Workspace;

const CONFIG: &str = "configs/shakespeare-speedrun.toml";
/// The most nats a character.
const LOSS: f64 = 1.898;
/// Characters at the end of the text that are the validation part.
const VALIDATION: usize = 111_540;
/// Characters in a window of the evaluation.
const WINDOW: &str = "64";

/// Trains on `text` and checks the loss.
///
/// # Errors
/// The configuration is missing, training fails, or the loss is too high.
pub(super) fn measure(workspace: &Workspace, llm: &Path, text: &Path) -> Result<Values> {
    if !workspace.root.join(CONFIG).is_file() {
        bail!("{CONFIG} is missing");
    }
    let place = workspace.target.join("xtask").join("speedrun");
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let (run, validation) = (place.join("run"), place.join("validation.txt"));
    let mut train = workspace.command(llm);
    train.args(["--quiet", "train", "--force", "--config", CONFIG, "--data"]);
    train.arg(text).arg("--output-dir").arg(&run);
    let trained = process::run(train.env("LLM_CACHE_DIR", place.join("cache")))?;
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl"))?;

    std::fs::write(&validation, tail(&std::fs::read_to_string(text)?))?;
    let mut eval = workspace.command(llm);
    eval.args([
        "eval",
        "perplexity",
        "--json",
        "--window",
        WINDOW,
        "--model",
    ]);
    let printed = process::run(eval.arg(&run).arg("--data").arg(&validation))?.stdout;
    let evaluation: Evaluation =
        serde_json::from_str(&printed).with_context(|| format!("llm eval printed `{printed}`"))?;
    check_loss(evaluation.loss)?;
    Ok(Values::from([
        (Quantity::Time, seconds(&metrics)?),
        (Quantity::Memory, trained.peak_bytes as f64 / 1e6),
    ]))
}

/// What `llm eval perplexity --json` prints.
#[derive(Deserialize)]
struct Evaluation {
    /// Nats a character.
    loss: f64,
}

/// A line of `metrics.jsonl`.
#[derive(Deserialize)]
struct Record {
    /// Training tokens seen so far.
    tokens: u64,
    /// Pace of the optimizer steps since the record before; only of training steps.
    tokens_per_s: Option<f64>,
}

/// Seconds of all optimizer steps of a run. Steps after the last record are taken to be as fast as those before it.
fn seconds(metrics: &str) -> Result<f64> {
    let (mut seconds, mut tokens, mut pace) = (0.0, 0, None);
    for line in metrics.lines() {
        let record: Record =
            serde_json::from_str(line).with_context(|| format!("cannot read `{line}`"))?;
        pace = record.tokens_per_s.or(pace);
        if let Some(pace) = pace {
            seconds += (record.tokens - tokens) as f64 / pace;
            tokens = record.tokens;
        }
    }
    if pace.is_none() {
        bail!("metrics.jsonl holds no training step");
    }
    Ok(seconds)
}

fn check_loss(loss: f64) -> Result<()> {
    if loss.is_nan() || loss > LOSS {
        bail!("the loss over the validation part is {loss:.4}, above {LOSS}");
    }
    Ok(())
}

/// The validation part of `text`.
fn tail(text: &str) -> &str {
    let start = text.char_indices().nth_back(VALIDATION - 1);
    &text[start.map_or(0, |(at, _)| at)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_optimizer_steps_are_counted() {
        let metrics = r#"{"step":1,"split":"train","tokens":100,"tokens_per_s":50.0,"seconds":9.0}
{"step":10,"split":"train","tokens":1000,"tokens_per_s":100.0,"seconds":19.0}
{"step":10,"split":"validation","tokens":1000,"seconds":40.0}
{"step":20,"split":"train","tokens":2000,"tokens_per_s":200.0,"seconds":60.0}
{"step":22,"split":"validation","tokens":2200,"seconds":99.0}"#;
        // 2 s, 9 s, 5 s, and 200 tokens at the last pace.
        assert_eq!(seconds(metrics).unwrap(), 17.0);
        assert!(seconds("").is_err());
    }

    #[test]
    fn a_higher_loss_fails() {
        assert!(check_loss(1.898).is_ok());
        assert!(check_loss(1.8981).is_err());
        assert!(check_loss(f64::NAN).is_err());
    }

    #[test]
    fn the_validation_part_is_the_end_of_the_text() {
        let text = format!("abc{}", "é".repeat(VALIDATION));
        assert_eq!(tail(&text).chars().count(), VALIDATION);
        assert!(tail(&text).starts_with('é'));
        assert_eq!(tail("short"), "short");
    }
}
