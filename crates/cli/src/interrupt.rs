//! Ctrl-C and SIGTERM.
//!
//! A command that can stop tidily calls [`defer`]: the first signal then only raises a flag, which the command finds with [`pending`] at
//! its next step, and a second signal ends the process at once. Every other command is ended by the first signal.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

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

/// What the signal handlers share with the program. They only touch atomics.
struct Flags {
    /// Whether the next signal ends the process.
    at_once: Arc<AtomicBool>,
    /// Exit code of the first signal seen; 0 before.
    code: Arc<AtomicUsize>,
    /// What lets Ctrl-C end the process.
    ends_of_interrupt: Mutex<Vec<SigId>>,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// Installs the handlers; the first signal ends the process until [`defer`] is called.
///
/// # Errors
/// The operating system refuses a handler.
pub(crate) fn install() -> anyhow::Result<()> {
    let at_once = Arc::new(AtomicBool::new(true));
    let code = Arc::new(AtomicUsize::new(0));
    let mut ends_of_interrupt = Vec::new();
    for (number, signal) in [(SIGINT, Signal::Interrupt), (SIGTERM, Signal::Terminate)] {
        let status = signal.exit_code();
        // Handlers run in this order: a first signal passes the shutdown, and arms it for the second.
        let shutdown =
            flag::register_conditional_shutdown(number, i32::from(status), at_once.clone());
        let seen = flag::register_usize(number, code.clone(), usize::from(status));
        let arm = flag::register(number, at_once.clone());
        seen.context("cannot catch signals")?;
        for id in [shutdown, arm] {
            let id = id.context("cannot catch signals")?;
            if signal == Signal::Interrupt {
                ends_of_interrupt.push(id);
            }
        }
    }
    let _ = FLAGS.set(Flags {
        at_once,
        code,
        ends_of_interrupt: Mutex::new(ends_of_interrupt),
    });
    Ok(())
}

/// From now on the first signal only raises the flag behind [`pending`].
pub(crate) fn defer() {
    if let Some(flags) = FLAGS.get() {
        flags.at_once.store(false, Ordering::SeqCst);
    }
}

/// From now on the first signal ends the process, as before [`defer`].
pub(crate) fn at_once() {
    if let Some(flags) = FLAGS.get() {
        flags.at_once.store(true, Ordering::SeqCst);
    }
}

/// From now on Ctrl-C only raises the flag behind [`pending`], however often it is pressed; SIGTERM stays as it was.
pub(crate) fn survive() {
    let ends = FLAGS.get().map(|flags| flags.ends_of_interrupt.lock());
    for end in ends
        .into_iter()
        .flatten()
        .flat_map(|mut ends| std::mem::take(&mut *ends))
    {
        low_level::unregister(end);
    }
}

/// Takes the signal that has come in since [`defer`], if any: it is dealt with, and the next one is a first one again.
pub(crate) fn take() -> Option<Signal> {
    let signal = pending()?;
    let flags = FLAGS.get()?;
    flags.code.store(0, Ordering::SeqCst);
    flags.at_once.store(false, Ordering::SeqCst);
    Some(signal)
}

/// The signal that has come in since [`defer`], if any.
pub(crate) fn pending() -> Option<Signal> {
    match FLAGS.get()?.code.load(Ordering::SeqCst) {
        130 => Some(Signal::Interrupt),
        143 => Some(Signal::Terminate),
        _ => None,
    }
}

/// Fails when a signal has come in.
///
/// # Errors
/// [`Interrupted`], which ends with the exit code of the signal.
pub(crate) fn check() -> Result<(), Interrupted> {
    pending().map_or(Ok(()), |signal| Err(Interrupted(signal)))
}
