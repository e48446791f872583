//! A run in a few numbers.

use llm_models::Architecture;
use llm_train::{Record, Split};
use serde::Serialize;

use super::{State, StoredRun};
use crate::quantity::{bytes, duration, short, with_commas};

/// The numbers; what was not measured is not there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) folder: String,
    pub(crate) state: State,
    pub(crate) family: &'static str,
    /// Tied ones once.
    pub(crate) parameters: Option<usize>,
    /// Optimizer steps done.
    pub(crate) step: u64,
    /// Optimizer steps of the whole run, unless a limit comes before.
    pub(crate) max_steps: u64,
    /// Training tokens seen.
    pub(crate) tokens: u64,
    /// Passes over the training tokens.
    pub(crate) epoch: f64,
    /// Of the newest record, in nats per token.
    pub(crate) training_loss: Option<f64>,
    /// Of the newest evaluation, in nats per token.
    pub(crate) validation_loss: Option<f64>,
    /// The lowest of all evaluations, and the step it was measured after.
    pub(crate) best_validation_loss: Option<f64>,
    pub(crate) best_step: Option<u64>,
    /// The median of the records.
    pub(crate) tokens_per_s: Option<f64>,
    /// The median of the records.
    pub(crate) flops_per_s: Option<f64>,
    /// The median of the records.
    pub(crate) utilisation: Option<f64>,
    /// The most that a record says.
    pub(crate) rss_bytes: Option<u64>,
    /// Seconds of training, over all processes that went on with the run.
    pub(crate) seconds: f64,
    /// When the first and the last record were written, in seconds since 1970.
    pub(crate) began: Option<f64>,
    pub(crate) ended: Option<f64>,
}

impl Summary {
    pub(crate) fn of(run: &StoredRun) -> Self {
        let records = &run.records;
        let last = records.last();
        let validation = || run.of(Split::Validation);
        let best = validation().min_by(|a, b| a.loss.total_cmp(&b.loss));
        let median_of = |value: fn(&Record) -> Option<f64>| {
            median(run.of(Split::Train).filter_map(value).collect())
        };
        let time =
            |record: Option<&Record>| record.map(|record| record.time).filter(|&time| time > 0.0);
        let architecture = Architecture::resolve(&run.config.model, 1);
        Self {
            name: run.name(),
            folder: run.folder.display().to_string(),
            state: run.state,
            family: run.config.model.family.name(),
            parameters: architecture.ok().map(|model| model.parameter_count()),
            step: last.map_or(0, |record| record.step),
            max_steps: run.config.train.max_steps,
            tokens: last.map_or(0, |record| record.tokens),
            epoch: last.map_or(0.0, |record| record.epoch),
            training_loss: run.of(Split::Train).next_back().map(|record| record.loss),
            validation_loss: validation().next_back().map(|record| record.loss),
            best_validation_loss: best.map(|record| record.loss),
            best_step: best.map(|record| record.step),
            tokens_per_s: median_of(|record| record.tokens_per_s),
            flops_per_s: median_of(|record| record.flops_per_s),
            utilisation: median_of(|record| record.utilisation),
            rss_bytes: records.iter().filter_map(|record| record.rss_bytes).max(),
            seconds: seconds(records),
            began: time(records.first()),
            ended: time(last),
        }
    }

    /// Names and values in words, for tables of one run and of several.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let or_nothing = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let loss = |loss: Option<f64>| or_nothing(loss.map(|loss| format!("{loss:.4}")));
        let best = match (self.best_validation_loss, self.best_step) {
            (Some(loss), Some(step)) => format!("{loss:.4} at step {step}"),
            _ => "-".to_owned(),
        };
        let speed = self
            .tokens_per_s
            .map(|speed| format!("{} tokens/s", with_commas(speed.round() as u64)));
        let arithmetic = self.flops_per_s.map(|flops| {
            let share = self
                .utilisation
                .map(|share| format!(", {:.0} % of the peak", 100.0 * share));
            format!(
                "{} GFLOP/s{}",
                short(rounded(flops / 1e9)),
                share.unwrap_or_default()
            )
        });
        let parameters = self.parameters.map(|n| with_commas(n as u64));
        vec![
            ("state", self.state.name().to_owned()),
            ("family", self.family.to_owned()),
            ("parameters", or_nothing(parameters)),
            ("steps", format!("{} of {}", self.step, self.max_steps)),
            ("tokens", with_commas(self.tokens)),
            ("epochs", format!("{:.2}", self.epoch)),
            ("training loss", loss(self.training_loss)),
            ("validation loss", loss(self.validation_loss)),
            ("best", best),
            ("speed", or_nothing(speed)),
            ("arithmetic", or_nothing(arithmetic)),
            ("memory", or_nothing(self.rss_bytes.map(bytes))),
            ("time", duration(self.seconds)),
        ]
    }
}

/// Seconds of all processes: the clock of each begins at 0.
fn seconds(records: &[Record]) -> f64 {
    let ends = records
        .chunk_by(|a, b| a.seconds <= b.seconds)
        .filter_map(<[Record]>::last);
    ends.map(|record| record.seconds).sum()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Three digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_every_process_counts() {
        let record = |seconds| Record {
            step: 1,
            split: Split::Train,
            loss: 1.0,
            learning_rate: None,
            grad_norm: None,
            skipped_steps: None,
            tokens: 1,
            epoch: 0.0,
            tokens_per_s: None,
            flops_per_s: None,
            utilisation: None,
            evaluated_tokens: None,
            rss_bytes: None,
            seconds,
            time: 0.0,
        };
        assert_eq!(seconds(&[1.0, 5.0, 9.0, 0.5, 2.0].map(record)), 11.0);
        assert_eq!(seconds(&[]), 0.0);
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![]), None);
    }
}
