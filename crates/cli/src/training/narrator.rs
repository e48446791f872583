//! Tells the user, and the run's `log.txt`, what happens in a run.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use llm_data::Prepared;
use llm_files::WriteError;
use llm_models::Architecture;
use llm_tokenizer::Tokenizer;
use llm_train::{Event, read_metrics};

use super::samples::{Sample, SampleFile};
use crate::config::Config;
use crate::live::{LiveView, Update};
use crate::printer::Printer;
use crate::progress::{Pace, Progress, Reading};

/// Where a run is shown.
#[derive(Debug)]
pub(crate) enum Show {
    /// As lines on stderr, the last of which is a bar from the first step on.
    Lines(Option<Progress>),
    /// On the whole screen.
    Live(LiveView),
}

/// Talks on stderr and in the log.
pub(crate) struct Narrator {
    printer: Printer,
    log: RefCell<File>,
    show: RefCell<Show>,
    folder: PathBuf,
    /// Opened when it is known where a resumed run goes on.
    samples: RefCell<Option<SampleFile>>,
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
        show: Show,
        folder: &Path,
        config: &Config,
        prepared: &Prepared,
    ) -> anyhow::Result<Self> {
        let path = folder.join("log.txt");
        let log = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self {
            printer,
            log: RefCell::new(log.map_err(WriteError::of(&path))?),
            show: RefCell::new(show),
            folder: folder.to_owned(),
            samples: RefCell::new(None),
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
        match &*self.show.borrow() {
            Show::Lines(Some(progress)) => progress.note(line),
            Show::Lines(None) => self.printer.note(line),
            Show::Live(view) => {
                // A terminal that has gone takes no pictures; the lines are said then.
                if !view.tell(Update::Note(line.to_owned())) {
                    self.printer.note(line);
                }
            }
        }
    }

    /// Tells what happened.
    pub(crate) fn tell(&self, event: Event<'_>) {
        match event {
            Event::Begin {
                step,
                peak_flops,
                validation_loss,
            } => {
                self.last_loss.set(validation_loss);
                let speed = peak_flops / 1e9;
                self.note(&format!(
                    "device     {speed:.0} GFLOP/s in a product of matrices, on all threads"
                ));
                self.begin(step);
            }
            Event::Step(record) => match &mut *self.show.borrow_mut() {
                Show::Lines(Some(progress)) => progress.update(&Reading {
                    step: record.step,
                    loss: record.loss,
                    tokens_per_s: record.tokens_per_s.unwrap_or_default(),
                    memory: record.rss_bytes,
                }),
                Show::Lines(None) => {}
                Show::Live(view) => {
                    view.tell(Update::Record(record.clone()));
                }
            },
            Event::Evaluation { record, is_best } => {
                self.last_loss.set(Some(record.loss));
                if let Show::Live(view) = &*self.show.borrow() {
                    view.tell(Update::Record(record.clone()));
                }
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
                match &mut *self.show.borrow_mut() {
                    Show::Lines(Some(progress)) => progress.set_total(steps),
                    Show::Lines(None) => {}
                    Show::Live(view) => {
                        view.tell(Update::Total(steps));
                    }
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
                if let Show::Live(view) = &*self.show.borrow() {
                    let text = text.clone();
                    view.tell(Update::Sample { step, text });
                }
                if let Some(samples) = &mut *self.samples.borrow_mut() {
                    samples.push(&Sample { step, text });
                }
            }
        }
    }

    /// The first step comes, after `step` steps done before.
    fn begin(&self, step: u64) {
        let pace = Pace::new(step, self.total, self.time_limit);
        match &mut *self.show.borrow_mut() {
            Show::Lines(progress) => *progress = Some(Progress::new(self.printer, step, pace)),
            Show::Live(view) => {
                let mut records = read_metrics(&self.folder).unwrap_or_default();
                records.retain(|record| record.step <= step);
                view.tell(Update::Begin {
                    step,
                    pace,
                    records,
                });
            }
        }
        match SampleFile::open(&self.folder, step) {
            Ok(file) => *self.samples.borrow_mut() = Some(file),
            Err(error) => self.note(&format!("warning: no samples are kept: {error:#}")),
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

    /// Leaves the progress bar as it stands, and the live view for the lines that were there before.
    pub(crate) fn finish_bar(&self) {
        if let Show::Lines(Some(progress)) = self.show.replace(Show::Lines(None)) {
            progress.finish();
        }
    }
}
