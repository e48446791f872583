//! The terminal as a screen of our own, and as it was before.
//!
//! It is restored on every way out that a program sees: when the screen is dropped, and before the message of a panic on any thread.

use std::io::{self, Stderr, stderr};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, TryLockError};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

/// Whether the screen is ours. Locked while it is drawn, so that nobody draws on one that has been given back.
static IS_OURS: Mutex<bool> = Mutex::new(false);

/// The screen, on stderr: the result of the program stays on stdout.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    /// Takes the screen, the keys and the panics.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let hook = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                restore();
                hook(info);
            }));
        });
        let terminal = Terminal::new(CrosstermBackend::new(stderr()))?;
        if let Some(mut is_ours) = lock() {
            *is_ours = true;
        }
        // From here on dropping it restores what has been changed.
        let screen = Self { terminal };
        enable_raw_mode()?;
        execute!(stderr(), EnterAlternateScreen)?;
        Ok(screen)
    }

    /// Draws a picture.
    ///
    /// # Errors
    /// The screen has been given back, or can't be written.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        // Held until the picture stands.
        match lock() {
            Some(is_ours) if *is_ours => self.terminal.draw(picture).map(drop),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Gives the screen back.
    pub(super) fn leave(&mut self) {
        restore();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the screen back, once.
fn restore() {
    let is_ours = lock();
    let was_ours = match is_ours {
        Some(mut is_ours) => std::mem::take(&mut *is_ours),
        // A panic while drawing: it is this thread that holds the lock.
        None => true,
    };
    if was_ours {
        // There is nobody to tell of a terminal that has gone.
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    }
}

/// The lock, within the time of a few pictures.
fn lock() -> Option<MutexGuard<'static, bool>> {
    for _ in 0..50 {
        match IS_OURS.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    None
}
