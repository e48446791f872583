//! Ctrl-C and SIGTERM.
//!
//! A command that can stop tidily calls [`defer`]: the first signal then only raises a flag, which the command finds with [`pending`] at
//! its next step, and a second signal ends the process at once. Every other command is ended by the first signal. Who has a whole screen
//! that must be left first takes [`Watch`] and ends the process itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
    /// The handlers that arm the shutdown, unless somebody watches.
    arming: Mutex<Vec<SigId>>,
}

impl Flags {
    /// From now on a signal arms the shutdown for the next.
    fn arm(&self) -> std::io::Result<()> {
        let ids = [SIGINT, SIGTERM].map(|number| flag::register(number, self.at_once.clone()));
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>()?;
        *self.arming.lock().unwrap_or_else(PoisonError::into_inner) = ids;
        Ok(())
    }

    fn disarm(&self) {
        let ids = std::mem::take(&mut *self.arming.lock().unwrap_or_else(PoisonError::into_inner));
        for id in ids {
            low_level::unregister(id);
        }
    }
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// Installs the handlers; the first signal ends the process until [`defer`] is called.
///
/// # Errors
/// The operating system refuses a handler.
pub(crate) fn install() -> anyhow::Result<()> {
    let flags = Flags {
        at_once: Arc::new(AtomicBool::new(true)),
        code: Arc::new(AtomicUsize::new(0)),
        arming: Mutex::default(),
    };
    for (number, signal) in [(SIGINT, Signal::Interrupt), (SIGTERM, Signal::Terminate)] {
        let code = signal.exit_code();
        // Handlers run in this order: a first signal passes the shutdown, and arms it for the second.
        let shutdown =
            flag::register_conditional_shutdown(number, i32::from(code), flags.at_once.clone());
        shutdown.context("cannot catch signals")?;
        flag::register_usize(number, flags.code.clone(), usize::from(code))
            .context("cannot catch signals")?;
    }
    flags.arm().context("cannot catch signals")?;
    let _ = FLAGS.set(flags);
    Ok(())
}

/// From now on the first signal only raises the flag behind [`pending`].
pub(crate) fn defer() {
    if let Some(flags) = FLAGS.get() {
        flags.at_once.store(false, Ordering::SeqCst);
    }
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

/// Sees every signal, none of which ends the process until this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    came: Arc<AtomicBool>,
    ids: Vec<SigId>,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// The operating system refuses a handler.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let ids = [SIGINT, SIGTERM].map(|number| flag::register(number, came.clone()));
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>();
        if let Some(flags) = FLAGS.get() {
            flags.disarm();
            flags.at_once.store(false, Ordering::SeqCst);
        }
        Ok(Self {
            came,
            ids: ids.context("cannot catch signals")?,
        })
    }

    /// Whether a signal has come since the last call.
    pub(crate) fn take(&self) -> bool {
        self.came.swap(false, Ordering::SeqCst)
    }

    /// Does what Ctrl-C does, which is only a key where the terminal hands every key on.
    pub(crate) fn interrupt() {
        // The signal is one that is caught: there is nothing to fail.
        let _ = low_level::raise(SIGINT);
    }

    /// Ends the process with the exit code of the first signal.
    pub(crate) fn end_process() -> ! {
        low_level::exit(pending().map_or(130, |signal| signal.exit_code().into()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
        if let Some(flags) = FLAGS.get() {
            // A system that has let us register them does so again.
            let _ = flags.arm();
            flags.at_once.store(pending().is_some(), Ordering::SeqCst);
        }
    }
}
