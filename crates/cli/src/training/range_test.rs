//! `llm train --find-lr`: the learning-rate range test, which trains for a moment and keeps nothing but the tokens of the text.

use llm_data::Prepared;
use llm_models::LanguageModel;
use llm_train::{OptimizerKind, RangePoint, RangeTest, RateRange, find_learning_rate};

use super::settings;
use crate::config::Config;
use crate::failure::{Interrupted, usage};
use crate::interrupt;
use crate::printer::Printer;

/// Rows of the table.
const ROWS: usize = 20;
/// Columns of its bars.
const BAR: f64 = 40.0;

/// Arguments of the test.
#[derive(Debug, clap::Args)]
pub(crate) struct RangeArgs {
    /// Train nothing, but try ever higher learning rates for some steps and suggest one
    #[arg(long, conflicts_with_all = ["resume", "output_dir", "force"])]
    find_lr: bool,
    /// The lowest rate that --find-lr tries [default: 1e-6]
    #[arg(long, value_name = "RATE", requires = "find_lr")]
    find_lr_from: Option<f64>,
    /// The highest rate that --find-lr tries [default: 1]
    #[arg(long, value_name = "RATE", requires = "find_lr")]
    find_lr_to: Option<f64>,
    /// Optimizer steps of --find-lr [default: 100]
    #[arg(long, value_name = "N", requires = "find_lr")]
    find_lr_steps: Option<u64>,
    /// Print what --find-lr found as one JSON object
    #[arg(long)]
    json: bool,
}

impl RangeArgs {
    /// The range, when the test is asked for.
    ///
    /// # Errors
    /// The rates or the steps make no range.
    pub(crate) fn range(&self) -> anyhow::Result<Option<RateRange>> {
        if !self.find_lr {
            return match self.json {
                true => Err(usage("--json: is for --find-lr")),
                false => Ok(None),
            };
        }
        let range = RateRange {
            from: self.find_lr_from.unwrap_or(1e-6),
            to: self.find_lr_to.unwrap_or(1.0),
            steps: self.find_lr_steps.unwrap_or(100),
        };
        let RateRange { from, to, steps } = range;
        if !(from.is_finite() && from > 0.0) {
            return Err(usage(format_args!(
                "--find-lr-from {from}: must be above 0"
            )));
        }
        if !(to.is_finite() && to > from) {
            return Err(usage(format_args!(
                "--find-lr-to {to}: must be above --find-lr-from {from}"
            )));
        }
        if !(2..=10_000).contains(&steps) {
            return Err(usage(format_args!(
                "--find-lr-steps {steps}: must be from 2 to 10000"
            )));
        }
        Ok(Some(range))
    }

    /// Makes the test and prints what it found.
    ///
    /// # Errors
    /// The settings or the text make no training, or it was interrupted.
    pub(crate) fn run(
        &self,
        range: RateRange,
        model: LanguageModel,
        config: &Config,
        prepared: &Prepared,
        printer: Printer,
    ) -> anyhow::Result<()> {
        interrupt::defer();
        let settings = settings(config, &prepared.tokenizer);
        let mut done = 0;
        let mut on_point = |point: &RangePoint| {
            done += 1;
            if done % 10 == 0 {
                printer.note(format_args!(
                    "step {done}/{}  learning rate {:.2e}  loss {:.4}",
                    range.steps, point.learning_rate, point.loss
                ));
            }
            interrupt::pending().is_none()
        };
        let found = find_learning_rate(model, &settings, &prepared.train, range, &mut on_point)?;
        if let Some(signal) = interrupt::pending() {
            return Err(Interrupted(signal).into());
        }
        if self.json {
            return printer.json(&found);
        }
        // Both rates went up together.
        let has_muon = config.optimizer.kind == OptimizerKind::Muon;
        let muon = has_muon
            .then(|| config.optimizer.muon_learning_rate() / config.optimizer.learning_rate);
        print(&found, muon, printer)
    }
}

/// Prints the table and the suggestion; `muon` is how many times the learning rate Muon's is.
fn print(found: &RangeTest, muon: Option<f64>, printer: Printer) -> anyhow::Result<()> {
    let points = &found.points;
    let smoothed = points.iter().map(|point| point.smoothed);
    let most = smoothed.clone().fold(f64::NEG_INFINITY, f64::max);
    let least = smoothed.fold(f64::INFINITY, f64::min);
    printer.line("learning rate    loss, smoothed")?;
    for point in points.iter().step_by(points.len().div_ceil(ROWS).max(1)) {
        let share = (point.smoothed - least) / (most - least).max(f64::MIN_POSITIVE);
        let bar = "█".repeat(1 + (share * (BAR - 1.0)) as usize);
        printer.line(format_args!(
            "{:13.2e}  {:8.4}  {bar}",
            point.learning_rate, point.smoothed
        ))?;
    }
    if let Some(rate) = found.diverged_at {
        printer.line(format_args!("diverges from    {rate:.2e} on"))?;
    }
    if let Some(rate) = found.tenth_of_best {
        printer.line(format_args!(
            "a tenth of the rate with the lowest loss: {rate:.2e}"
        ))?;
    }
    match found.suggestion {
        Some(rate) => {
            let mut keys = format!("--set optimizer.learning_rate={rate:.1e}");
            if let Some(muon) = muon {
                keys += &format!(" --set optimizer.muon_learning_rate={:.1e}", muon * rate);
            }
            printer.line(format_args!("suggestion       {keys}"))?;
        }
        None => {
            printer.line("no suggestion: the loss never fell; try lower rates or more steps")?
        }
    }
    Ok(())
}
