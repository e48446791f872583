//! A measured child process: what it printed, how long it lived, and the most memory that it held.
//!
//! Ours and the peers are measured by the same call, so that their numbers mean the same.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use crate::workspace::shown;

/// A process that ended with success.
#[derive(Debug)]
pub(super) struct Finished {
    /// What it printed on stdout.
    pub(super) stdout: String,
    /// From its start to its end.
    pub(super) wall: Duration,
    /// Its largest resident set in bytes, that of its own waited-for children if one had a larger.
    pub(super) peak_bytes: u64,
}

/// Runs `command` to its end, with stderr on the terminal.
///
/// # Errors
/// Names the command line if it cannot start or does not succeed.
pub(super) fn run(command: &mut Command) -> Result<Finished> {
    let line = shown(command);
    eprintln!("$ {line}");
    let began = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let mut printed = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut printed)?;
    }
    let ended = child
        .wait4()
        .with_context(|| format!("cannot wait for `{line}`"))?;
    if !ended.status.success() {
        bail!("`{line}` failed ({})", ended.status);
    }
    Ok(Finished {
        stdout: String::from_utf8_lossy(&printed).into_owned(),
        wall: began.elapsed(),
        peak_bytes: ended.rusage.maxrss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_memory_of_a_child_are_measured() {
        let finished = run(Command::new("cargo").arg("--version")).unwrap();
        assert!(finished.stdout.starts_with("cargo "));
        // More than a page, less than a compiler: bytes, not kilobytes.
        assert!((1 << 20..1 << 30).contains(&finished.peak_bytes));
        assert!(finished.wall > Duration::ZERO);
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("cargo")
            .arg("--no-such-flag")
            .stderr(Stdio::null()))
        .unwrap_err();
        assert!(
            error.to_string().contains("cargo --no-such-flag"),
            "{error}"
        );
    }
}
