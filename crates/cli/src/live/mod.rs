//! The live view of a run: the whole screen, instead of the progress bar.
//!
//! A thread of its own draws and reads keys, because a training step may take longer than a person waits for an answer. It is told what
//! happens and knows nothing else of the run; a key that ends the run does what Ctrl-C does to the plain one.

mod draw;
mod state;
mod terminal;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use llm_train::Record;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::curves::Ink;
use crate::failure::usage;
use crate::interrupt::Watch;
use crate::palette::Palette;
use crate::printer::{Printer, Verbosity};
use crate::progress::Pace;
use state::State;
use terminal::Screen;

/// Time between two looks at the keys and at what has happened.
const TICK: Duration = Duration::from_millis(50);
/// Most time between two pictures: the time left goes on between steps too.
const REDRAW: Duration = Duration::from_secs(1);

/// What the view is told.
#[derive(Debug)]
pub(crate) enum Update {
    /// The run goes on after `step` steps at this pace, with these records of before.
    Begin {
        step: u64,
        pace: Pace,
        records: Vec<Record>,
    },
    /// A training step or an evaluation.
    Record(Record),
    /// The end has moved.
    Total(u64),
    /// The model wrote something.
    Sample { step: u64, text: String },
    /// A line for the log.
    Note(String),
}

/// The view; dropped, it leaves the screen as it was.
#[derive(Debug)]
pub(crate) struct LiveView {
    updates: Option<Sender<Update>>,
    thread: Option<JoinHandle<()>>,
}

/// Checks that there is a screen to draw on.
///
/// # Errors
/// Stdout or stderr is no terminal, or nothing shall be said; ends with exit code 2.
pub(crate) fn check(printer: Printer) -> anyhow::Result<()> {
    if printer.verbosity() == Verbosity::Quiet {
        return Err(usage("--tui: cannot be used with --quiet"));
    }
    if !io::stdout().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage(
            "--tui: stdout and stderr must be a terminal; leave it out to get lines of text",
        ));
    }
    Ok(())
}

impl LiveView {
    /// Takes the screen.
    ///
    /// # Errors
    /// The terminal can't be set up.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let screen = Screen::enter().context("cannot set up the terminal")?;
        let watch = Watch::begin();
        let (updates, received) = channel();
        let state = State::new(folder.display().to_string());
        let thread = std::thread::Builder::new()
            .name("live view".to_owned())
            .spawn(move || show(screen, &watch, state, &received));
        Ok(Self {
            updates: Some(updates),
            thread: Some(thread.context("cannot start a thread")?),
        })
    }

    /// Tells the view; false when it has gone.
    pub(crate) fn tell(&self, update: Update) -> bool {
        let updates = self.updates.as_ref();
        updates.is_some_and(|updates| updates.send(update).is_ok())
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        // The thread ends when nobody can tell it anything any more.
        self.updates = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Draws until the run has ended.
fn show(mut screen: Screen, watch: &Watch, mut state: State, received: &Receiver<Update>) {
    let ink = Ink::of(Palette::stderr());
    let mut drawn: Option<Instant> = None;
    let mut is_new = true;
    loop {
        loop {
            match received.try_recv() {
                Ok(update) => state.take(update),
                Err(TryRecvError::Empty) => break,
                // The guards restore screen and signals.
                Err(TryRecvError::Disconnected) => return,
            }
            is_new = true;
        }
        if watch.take() {
            if state.is_stopping {
                screen.leave();
                Watch::end_process();
            }
            state.is_stopping = true;
            is_new = true;
        }
        if is_new || drawn.is_none_or(|at| at.elapsed() >= REDRAW) {
            if screen.draw(|frame| draw::draw(frame, &state, ink)).is_err() {
                return;
            }
            (drawn, is_new) = (Some(Instant::now()), false);
        }
        match event::poll(TICK) {
            Ok(true) => match event::read() {
                Ok(Event::Key(key)) if ends_run(key) => Watch::interrupt(),
                Ok(Event::Resize(..)) => is_new = true,
                Ok(_) => {}
                Err(_) => return,
            },
            Ok(false) => {}
            Err(_) => return,
        }
    }
}

fn ends_run(key: KeyEvent) -> bool {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && matches!(
            (key.code, is_control),
            (KeyCode::Char('c'), true) | (KeyCode::Char('q'), false)
        )
}
