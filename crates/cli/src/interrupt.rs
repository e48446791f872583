//! Ctrl-C and SIGTERM.
//!
//! A command that can stop tidily calls [`defer`]: the first signal then only raises a flag, which the command finds with [`pending`] at
//! its next step, and a second signal ends the process at once. Every other command is ended by the first signal. What a command has begun and not
//! finished goes with it in any case. Who has a whole screen that must be left first takes [`Watch`] and ends the process itself.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level;

use crate::failure::Interrupted;

/// A signal that asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT, from Ctrl-C.
    Interrupt,
    /// SIGTERM, from a supervisor.
    Terminate,
}

impl Signal {
    /// 128 + the number of the signal, as shells report it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// What the user did.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// What the thread that hears signals shares with the program.
struct State {
    /// The last signal that was not dealt with.
    pending: Option<Signal>,
    /// Whether the next signal ends the process.
    at_once: bool,
    /// Whether Ctrl-C never does.
    survives: bool,
    watch: Watching,
}

/// Whether somebody watches, who ends the process in the place of a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watching {
    Nobody,
    /// And no signal has come since the last look.
    Nothing,
    /// And one has.
    Came,
}

static STATE: Mutex<State> = Mutex::new(State {
    pending: None,
    at_once: true,
    survives: false,
    watch: Watching::Nobody,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to hear signals; the first ends the process until [`defer`] is called.
///
/// # Errors
/// The operating system refuses it.
pub(crate) fn install() -> anyhow::Result<()> {
    let hear = listening().context("cannot catch signals")?;
    // In a thread, because a handler may do next to nothing: neither remove a file nor wait for who makes one.
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(hear).context("cannot start a thread")?;
    Ok(())
}

/// What hears signals, each when it comes, and never ends.
#[cfg(unix)]
fn listening() -> io::Result<impl FnOnce() + Send> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    Ok(move || {
        for signal in signals.forever() {
            receive(match signal {
                SIGINT => Signal::Interrupt,
                _ => Signal::Terminate,
            });
        }
    })
}

/// The same where a handler can do no more than raise a flag, which is looked at now and then.
#[cfg(not(unix))]
fn listening() -> io::Result<impl FnOnce() + Send> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let kinds = [(SIGINT, Signal::Interrupt), (SIGTERM, Signal::Terminate)];
    let flags = kinds.map(|(number, signal)| {
        let came = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(number, came.clone()).map(|_| (came, signal))
    });
    let flags = flags.into_iter().collect::<io::Result<Vec<_>>>()?;
    Ok(move || {
        loop {
            thread::sleep(std::time::Duration::from_millis(20));
            for (came, signal) in &flags {
                if came.swap(false, Ordering::SeqCst) {
                    receive(*signal);
                }
            }
        }
    })
}

/// Does what a signal does.
fn receive(signal: Signal) {
    let mut state = state();
    state.pending = Some(signal);
    if state.watch != Watching::Nobody {
        state.watch = Watching::Came;
    } else if state.survives && signal == Signal::Interrupt {
        // However often it comes.
    } else if state.at_once {
        let _nothing_new = llm_files::remove_partial();
        low_level::exit(signal.exit_code().into());
    } else {
        state.at_once = true;
    }
}

/// Waits for the end where a signal is about to end the process: what the command says meanwhile is not true any more.
pub(crate) fn settle() {
    drop(state());
}

/// From now on the first signal only raises the flag behind [`pending`].
pub(crate) fn defer() {
    state().at_once = false;
}

/// From now on the first signal ends the process, as before [`defer`].
pub(crate) fn at_once() {
    state().at_once = true;
}

/// From now on Ctrl-C only raises the flag behind [`pending`], however often it is pressed; SIGTERM stays as it was.
pub(crate) fn survive() {
    state().survives = true;
}

/// Takes the signal that has come in since [`defer`], if any: it is dealt with, and the next one is a first one again.
pub(crate) fn take() -> Option<Signal> {
    let mut state = state();
    let signal = state.pending.take()?;
    state.at_once = false;
    Some(signal)
}

/// From now on the end of standard input is as a SIGTERM.
pub(crate) fn on_eof() {
    thread::spawn(|| {
        // What can't be read has ended.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        receive(Signal::Terminate);
    });
}

/// The signal that has come in since [`defer`], if any.
pub(crate) fn pending() -> Option<Signal> {
    state().pending
}

/// Fails when a signal has come in.
///
/// # Errors
/// [`Interrupted`], which ends with the exit code of the signal.
pub(crate) fn check() -> Result<(), Interrupted> {
    pending().map_or(Ok(()), |signal| Err(Interrupted(signal)))
}

/// Sees every signal, none of which ends the process until this is dropped. There is one at a time.
#[derive(Debug)]
pub(crate) struct Watch(());

impl Watch {
    /// Begins to watch.
    pub(crate) fn begin() -> Self {
        state().watch = Watching::Nothing;
        Self(())
    }

    /// Whether a signal has come since the last call.
    pub(crate) fn take(&self) -> bool {
        let mut state = state();
        let came = state.watch == Watching::Came;
        state.watch = Watching::Nothing;
        came
    }

    /// Does what Ctrl-C does, which is only a key where the terminal hands every key on.
    pub(crate) fn interrupt() {
        receive(Signal::Interrupt);
    }

    /// Ends the process with the exit code of the last signal.
    pub(crate) fn end_process() -> ! {
        let code = pending().map_or(130, |signal| signal.exit_code());
        let _nothing_new = llm_files::remove_partial();
        low_level::exit(code.into())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = state();
        state.watch = Watching::Nobody;
        state.at_once = state.pending.is_some();
    }
}
