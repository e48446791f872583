//! How far a search is: a bar with the trials that run, on a terminal, and a line for each trial that ends. All of it goes to stderr.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printer::{Printer, Verbosity};
use crate::quantity::{clock, short};

/// The progress of one search.
#[derive(Debug)]
pub(super) struct SearchProgress {
    printer: Printer,
    bar: Option<ProgressBar>,
    /// The last evaluation of every trial that runs: its step and its loss; none before the first.
    running: Mutex<BTreeMap<usize, Option<(u64, f64)>>>,
}

impl SearchProgress {
    /// Begins, where so many trials are wanted, if that is known.
    pub(super) fn new(printer: Printer, n_trials: Option<usize>) -> Self {
        let on_terminal = printer.verbosity() == Verbosity::Normal && io::stderr().is_terminal();
        let bar = on_terminal.then(|| {
            let total = n_trials.map(|n_trials| n_trials as u64);
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            let template = match total {
                Some(_) => "{bar:20.green} {pos}/{len} trials  {wide_msg}",
                None => "{spinner} {pos} trials  {wide_msg}",
            };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self {
            printer,
            bar,
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<usize, Option<(u64, f64)>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A trial has begun.
    pub(super) fn begin(&self, number: usize) {
        self.running().insert(number, None);
    }

    /// A trial was evaluated.
    pub(super) fn evaluated(&self, number: usize, step: u64, loss: f64) {
        self.running().insert(number, Some((step, loss)));
    }

    /// A trial no longer runs.
    pub(super) fn end(&self, number: usize) {
        self.running().remove(&number);
    }

    /// Shows how many trials have ended, what the others do, and how long the rest takes.
    pub(super) fn show(&self, ended: usize, left: Option<Duration>) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(ended as u64);
        let of_trial = |(number, evaluation): (&usize, &Option<(u64, f64)>)| match evaluation {
            Some((step, loss)) => format!("trial {number}: step {step}, loss {}", short(*loss)),
            None => format!("trial {number}: begins"),
        };
        let mut parts: Vec<String> = left
            .map(|left| format!("{} left", clock(left)))
            .into_iter()
            .collect();
        parts.extend(self.running().iter().map(of_trial));
        bar.set_message(parts.join("  "));
    }

    /// Says something without breaking the bar.
    pub(super) fn note(&self, line: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.note(line)),
            None => self.printer.note(line),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
