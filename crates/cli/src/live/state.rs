//! What the live view knows of the run.

use std::collections::VecDeque;

use llm_train::{Record, Split};

use super::Update;
use crate::progress::Pace;

/// Lines of the log that are kept.
const NOTES: usize = 100;
/// Most points of a curve; more than a screen has dots.
const POINTS: usize = 4096;

/// Points of a curve, each the mean of equally many as they become too many.
#[derive(Clone, Debug)]
pub(super) struct History {
    means: Vec<(f64, f64)>,
    /// Of how many each is the mean.
    each: usize,
    /// What came after the last of them.
    rest: Vec<(f64, f64)>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            means: Vec::new(),
            each: 1,
            rest: Vec::new(),
        }
    }
}

impl History {
    /// The means, and the newest point.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let newest = self.rest.last();
        self.means.iter().chain(newest).copied().collect()
    }

    fn push(&mut self, x: f64, y: f64) {
        self.rest.push((x, y));
        if self.rest.len() == self.each {
            self.means.push(mean(&self.rest));
            self.rest.clear();
        }
        if self.means.len() == POINTS {
            self.means = self.means.chunks(2).map(mean).collect();
            self.each *= 2;
        }
    }
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let of =
        |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / points.len() as f64;
    (of(|point| point.0), of(|point| point.1))
}

/// The run so far.
#[derive(Debug)]
pub(super) struct State {
    /// The run folder.
    pub(super) title: String,
    pub(super) pace: Option<Pace>,
    /// Optimizer steps done.
    pub(super) step: u64,
    /// The newest record of a training step.
    pub(super) record: Option<Record>,
    /// The newest validation loss, and the best.
    pub(super) validation: Option<(f64, f64)>,
    pub(super) training_loss: History,
    pub(super) validation_loss: History,
    pub(super) learning_rate: History,
    pub(super) tokens_per_s: History,
    pub(super) memory: History,
    pub(super) sample: Option<(u64, String)>,
    pub(super) notes: VecDeque<String>,
    /// Whether the user has asked to stop.
    pub(super) is_stopping: bool,
}

impl State {
    pub(super) fn new(title: String) -> Self {
        Self {
            title,
            pace: None,
            step: 0,
            record: None,
            validation: None,
            training_loss: History::default(),
            validation_loss: History::default(),
            learning_rate: History::default(),
            tokens_per_s: History::default(),
            memory: History::default(),
            sample: None,
            notes: VecDeque::new(),
            is_stopping: false,
        }
    }

    pub(super) fn take(&mut self, update: Update) {
        match update {
            Update::Begin {
                step,
                pace,
                records,
            } => {
                self.step = step;
                self.pace = Some(pace);
                for record in records {
                    self.add(&record);
                }
            }
            Update::Record(record) => {
                self.add(&record);
                if record.split == Split::Train {
                    self.record = Some(record);
                }
            }
            Update::Total(total) => {
                if let Some(pace) = &mut self.pace {
                    pace.total = total;
                }
            }
            Update::Sample { step, text } => self.sample = Some((step, text)),
            Update::Note(line) => {
                if self.notes.len() == NOTES {
                    self.notes.pop_front();
                }
                self.notes.push_back(line);
            }
        }
    }

    fn add(&mut self, record: &Record) {
        let x = record.step as f64;
        self.step = record.step;
        if record.split == Split::Validation {
            let best = self
                .validation
                .map_or(record.loss, |(_, best)| best.min(record.loss));
            self.validation = Some((record.loss, best));
            self.validation_loss.push(x, record.loss);
            return;
        }
        self.training_loss.push(x, record.loss);
        let others = [
            (&mut self.learning_rate, record.learning_rate),
            (&mut self.tokens_per_s, record.tokens_per_s),
            (&mut self.memory, record.rss_bytes.map(|bytes| bytes as f64)),
        ];
        for (history, value) in others {
            if let Some(value) = value {
                history.push(x, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_is_thinned_and_keeps_its_ends() {
        let mut history = History::default();
        for i in 0..100_000 {
            history.push(f64::from(i), f64::from(2 * i));
        }
        let points = history.points();
        assert!(points.len() <= POINTS, "{}", points.len());
        // 32 steps each.
        assert_eq!(points[0], (15.5, 31.0));
        assert!(points.last().is_some_and(|last| last.0 > 99_960.0));
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
    }
}
