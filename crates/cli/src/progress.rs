//! How far a training run is: a bar on a terminal, a line now and then elsewhere, nothing when quiet. All of it goes to stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printer::{Printer, Verbosity};
use crate::quantity::{bytes, clock, with_commas};

/// Time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// What is shown of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Optimizer steps done, those of a resumed run included.
    pub(crate) step: u64,
    /// Training loss, nats per token.
    pub(crate) loss: f64,
    /// Training tokens a second.
    pub(crate) tokens_per_s: f64,
    /// Memory of the process in bytes, where the system tells.
    pub(crate) memory: Option<u64>,
}

/// How long a run goes on, at the pace of this process so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    first_step: u64,
    /// Steps of the whole run.
    pub(crate) total: u64,
    started: Instant,
    time_limit: Option<Duration>,
}

impl Pace {
    /// Begins now at `first_step` steps done of `total`; the run ends after `time_limit` at the latest.
    pub(crate) fn new(first_step: u64, total: u64, time_limit: Option<Duration>) -> Self {
        Self {
            first_step,
            total,
            started: Instant::now(),
            time_limit,
        }
    }

    /// Time left when `step` steps are done.
    pub(crate) fn left(&self, step: u64) -> Option<Duration> {
        let elapsed = self.started.elapsed();
        let left = time_left(
            step - self.first_step.min(step),
            self.total.saturating_sub(step),
            elapsed,
        );
        match (left, self.time_limit) {
            (Some(left), Some(limit)) => Some(left.min(limit.saturating_sub(elapsed))),
            (left, limit) => left.or(limit),
        }
    }
}

/// Shows the progress of one run.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    pace: Pace,
    last_line: Option<Instant>,
}

impl Progress {
    /// Begins at `first_step` steps done, at this pace.
    pub(crate) fn new(printer: Printer, first_step: u64, pace: Pace) -> Self {
        let total = pace.total;
        let bar =
            (printer.verbosity() == Verbosity::Normal && io::stderr().is_terminal()).then(|| {
                let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template("{bar:20.green} {pos}/{len}  {wide_msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_position(first_step);
                bar
            });
        Self {
            printer,
            bar,
            pace,
            last_line: None,
        }
    }

    /// Moves the end.
    pub(crate) fn set_total(&mut self, total: u64) {
        self.pace.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// Shows where the run is.
    pub(crate) fn update(&mut self, reading: &Reading) {
        let left = self.pace.left(reading.step);
        let message = describe(reading, left);
        if let Some(bar) = &self.bar {
            bar.set_position(reading.step);
            bar.set_message(message);
            return;
        }
        let due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
        if due || reading.step >= self.pace.total {
            self.last_line = Some(Instant::now());
            self.printer.note(format_args!(
                "step {}/{}  {message}",
                reading.step, self.pace.total
            ));
        }
    }

    /// Says something without breaking the bar.
    pub(crate) fn note(&self, line: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.note(line)),
            None => self.printer.note(line),
        }
    }

    /// Leaves the bar as it stands and goes to a new line.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.abandon();
        }
    }
}

/// Shows how far some other long work is: a count, and of how much where that is known.
#[derive(Debug)]
pub(crate) struct Counter {
    printer: Printer,
    bar: Option<ProgressBar>,
    last: Option<Instant>,
}

impl Counter {
    /// Begins.
    pub(crate) fn new(printer: Printer) -> Self {
        let on_terminal = printer.verbosity() == Verbosity::Normal && io::stderr().is_terminal();
        Self {
            printer,
            bar: on_terminal.then(|| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                let style = ProgressStyle::with_template("{spinner} {msg}  {wide_bar}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar
            }),
            last: None,
        }
    }

    /// So many of `what` are done.
    pub(crate) fn update(&mut self, what: &str, done: u64, total: Option<u64>) {
        let message = || match total {
            Some(total) => format!("{done} of {total} {what}"),
            None => format!("{done} {what}"),
        };
        if let Some(bar) = &self.bar {
            if let Some(total) = total {
                bar.set_length(total);
                bar.set_position(done);
            }
            bar.set_message(message());
            return;
        }
        let due = match self.last {
            Some(last) => last.elapsed() >= BETWEEN_LINES,
            None => {
                // Short work says nothing.
                self.last = Some(Instant::now());
                false
            }
        };
        if due {
            self.last = Some(Instant::now());
            self.printer.note(message());
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Time that `steps_left` take when `steps_done` took `elapsed`.
fn time_left(steps_done: u64, steps_left: u64, elapsed: Duration) -> Option<Duration> {
    let seconds = elapsed.as_secs_f64() * steps_left as f64 / steps_done as f64;
    (steps_done > 0)
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
}

fn describe(reading: &Reading, left: Option<Duration>) -> String {
    let mut parts = vec![
        format!("loss {:.4}", reading.loss),
        format!(
            "{} tokens/s",
            with_commas(reading.tokens_per_s.round() as u64)
        ),
    ];
    // What may be cut off at the edge of a narrow terminal stands last.
    parts.extend(left.map(|left| format!("{} left", clock(left))));
    parts.extend(reading.memory.map(bytes));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_described_in_one_line() {
        let reading = Reading {
            step: 10,
            loss: 1.23456,
            tokens_per_s: 12_345.6,
            memory: Some(150_000_000),
        };
        let line = describe(&reading, Some(Duration::from_secs(3723)));
        assert_eq!(line, "loss 1.2346  12,346 tokens/s  1:02:03 left  150 MB");
        let reading = Reading {
            memory: None,
            tokens_per_s: 999.0,
            ..reading
        };
        assert_eq!(describe(&reading, None), "loss 1.2346  999 tokens/s");
    }

    #[test]
    fn time_left_follows_the_pace_so_far() {
        assert_eq!(
            time_left(10, 30, Duration::from_secs(20)),
            Some(Duration::from_secs(60))
        );
        assert_eq!(time_left(0, 30, Duration::from_secs(20)), None);
    }
}
