//! Tells the user, and the run's `log.txt`, what happens in a run.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use llm_data::Prepared;
use llm_models::Architecture;
use llm_tokenizer::Tokenizer;
use llm_train::Event;

use crate::config::Config;
use crate::printer::Printer;
use crate::progress::{Progress, Reading};

/// Talks on stderr and in the log.
pub(crate) struct Narrator {
    printer: Printer,
    log: RefCell<File>,
    /// Made at the first step, when it is known where a resumed run goes on.
    progress: RefCell<Option<Progress>>,
    total: u64,
    time_limit: Option<Duration>,
    tokenizer: Tokenizer,
    tokens: usize,
    chars_per_token: f64,
    floor: Option<f64>,
    last_loss: Cell<Option<f64>>,
}

impl Narrator {
    /// Opens `log.txt` in the run folder.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn new(
        printer: Printer,
        folder: &Path,
        config: &Config,
        prepared: &Prepared,
    ) -> anyhow::Result<Self> {
        let path = folder.join("log.txt");
        let log = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self {
            printer,
            log: RefCell::new(log.with_context(|| format!("{}: cannot write", path.display()))?),
            progress: RefCell::new(None),
            total: config.train.max_steps,
            time_limit: config
                .train
                .max_minutes
                .map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
            tokenizer: prepared.tokenizer.clone(),
            tokens: prepared.train.len(),
            chars_per_token: prepared.validation.chars() as f64 / prepared.validation.len() as f64,
            floor: prepared.validation_floor,
            last_loss: Cell::new(None),
        })
    }

    /// How this program was called, for commands that the user may copy.
    pub(crate) fn program() -> String {
        std::env::args().next().unwrap_or_else(|| "llm".into())
    }

    /// The validation loss measured last, in nats per token.
    pub(crate) fn last_loss(&self) -> Option<f64> {
        self.last_loss.get()
    }

    /// Says what is about to be trained.
    pub(crate) fn introduce(&self, folder: &Path, model: &Architecture) {
        self.note(&format!("run        {}", folder.display()));
        self.note(&format!("tokenizer  {}", self.tokenizer.describe()));
        self.note(&format!("data       {} training tokens", self.tokens));
        self.note(&format!(
            "model      {}, {} parameters",
            model.family().name(),
            model.parameter_count()
        ));
    }

    /// Says a line.
    pub(crate) fn note(&self, line: &str) {
        // A log that can't be written any more is no reason to stop a run.
        let _ = writeln!(self.log.borrow_mut(), "{line}");
        match &*self.progress.borrow() {
            Some(progress) => progress.note(line),
            None => self.printer.note(line),
        }
    }

    /// Tells what happened.
    pub(crate) fn tell(&self, event: Event<'_>) {
        match event {
            Event::Step(record) => {
                let mut progress = self.progress.borrow_mut();
                let progress = progress.get_or_insert_with(|| {
                    Progress::new(self.printer, record.step - 1, self.total, self.time_limit)
                });
                progress.update(&Reading {
                    step: record.step,
                    loss: record.loss,
                    tokens_per_s: record.tokens_per_s.unwrap_or_default(),
                    memory: record.rss_bytes,
                });
            }
            Event::Evaluation { record, is_best } => {
                self.last_loss.set(Some(record.loss));
                let best = if is_best { "" } else { " (not the best)" };
                self.note(&format!(
                    "step {}: {}{best}",
                    record.step,
                    self.validation(record.loss)
                ));
            }
            Event::SpikeSkipped {
                step,
                loss,
                grad_norm,
            } => self.note(&format!(
                "step {step} is left out: loss {loss:.4}, gradient norm {grad_norm:.3} stand out"
            )),
            Event::Fitted { steps } => {
                if let Some(progress) = &mut *self.progress.borrow_mut() {
                    progress.set_total(steps);
                }
                self.note(&format!(
                    "pace       {steps} of {} steps fit into train.max_minutes: the schedule ends there",
                    self.total
                ));
            }
            Event::Checkpoint { folder } => self.note(&format!("checkpoint {}", folder.display())),
            Event::Sample { step, tokens } => {
                let text = self.tokenizer.decode(tokens).unwrap_or_default();
                self.note(&format!("step {step} writes: {}", text.trim()));
            }
        }
    }

    /// A validation loss in words, beside the floor of the story grammar where that is the text.
    pub(crate) fn validation(&self, loss: f64) -> String {
        let mut words = format!("validation loss {loss:.4}");
        if let Some(floor) = self.floor {
            let per_char = loss / self.chars_per_token;
            let above = 100.0 * (per_char / floor - 1.0);
            words += &format!(
                ", {per_char:.4} nats a character; {above:.0} % above the floor of the grammar, {floor:.4}"
            );
        }
        words
    }

    /// Leaves the progress bar as it stands.
    pub(crate) fn finish_bar(&self) {
        if let Some(progress) = self.progress.borrow_mut().take() {
            progress.finish();
        }
    }
}
