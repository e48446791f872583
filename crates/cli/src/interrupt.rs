//! Ctrl-C and SIGTERM.
//!
//! A command that can stop tidily calls [`defer`]: the first signal then only raises a flag, which the command finds with [`pending`] at
//! its next step, and a second signal ends the process at once. Every other command is ended by the first signal. Who has a whole screen
//! that must be left first takes [`Watch`] and ends the process itself.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

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
    const ALL: [Self; 2] = [Self::Interrupt, Self::Terminate];

    /// The number that the operating system gives it.
    fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
        }
    }

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
    /// The handlers that end the process.
    ends: Handlers,
    /// The handlers that make the next signal end it, unless somebody watches.
    arming: Handlers,
}

/// Handlers that can be taken away again.
#[derive(Default)]
struct Handlers(Mutex<Vec<(Signal, SigId)>>);

impl Handlers {
    fn add(&self, signal: Signal, id: SigId) {
        self.list().push((signal, id));
    }

    /// Takes away those of the signals that are meant.
    fn remove(&self, is_meant: impl Fn(Signal) -> bool) {
        self.list().retain(|(signal, id)| {
            let goes = is_meant(*signal);
            if goes {
                low_level::unregister(*id);
            }
            !goes
        });
    }

    fn list(&self) -> MutexGuard<'_, Vec<(Signal, SigId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flags {
    /// From now on a signal makes the next one end the process.
    fn arm(&self) -> io::Result<()> {
        for signal in Signal::ALL {
            let id = flag::register(signal.number(), self.at_once.clone())?;
            self.arming.add(signal, id);
        }
        Ok(())
    }
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// Installs the handlers; the first signal ends the process until [`defer`] is called.
///
/// # Errors
/// The operating system refuses a handler.
pub(crate) fn install() -> anyhow::Result<()> {
    let _ = FLAGS.set(handlers().context("cannot catch signals")?);
    Ok(())
}

fn handlers() -> io::Result<Flags> {
    let flags = Flags {
        at_once: Arc::new(AtomicBool::new(true)),
        code: Arc::new(AtomicUsize::new(0)),
        ends: Handlers::default(),
        arming: Handlers::default(),
    };
    for signal in Signal::ALL {
        let (number, status) = (signal.number(), signal.exit_code());
        // Handlers run in this order: a first signal passes the shutdown, and arms it for the second.
        let at_once = flags.at_once.clone();
        let end = flag::register_conditional_shutdown(number, status.into(), at_once)?;
        flags.ends.add(signal, end);
        flag::register_usize(number, flags.code.clone(), status.into())?;
    }
    flags.arm()?;
    Ok(flags)
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
    if let Some(flags) = FLAGS.get() {
        for handlers in [&flags.ends, &flags.arming] {
            handlers.remove(|signal| signal == Signal::Interrupt);
        }
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

/// From now on the end of standard input is as a SIGTERM.
pub(crate) fn on_eof() {
    thread::spawn(|| {
        // What can't be read has ended.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The signal is one that is caught: there is nothing to fail.
        let _ = low_level::raise(SIGTERM);
    });
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
        let ids = Signal::ALL.map(|signal| flag::register(signal.number(), came.clone()));
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>();
        if let Some(flags) = FLAGS.get() {
            flags.arming.remove(|_| true);
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
