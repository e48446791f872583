//! Text from files and from stdin, checked to be text.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};

use crate::failure::usage;

/// Reads a whole UTF-8 file; `-` is stdin.
///
/// # Errors
/// The file is missing, a folder, unreadable or not UTF-8.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return read_stdin("the name of a file");
    }
    let name = path.display();
    if path.is_dir() {
        bail!("{name}: is a folder, expected a file");
    }
    let bytes = fs::read(path).with_context(|| format!("{name}: cannot read this file"))?;
    decode(bytes, &name.to_string())
}

/// Reads all of stdin as UTF-8. On a terminal, where nobody has piped anything in, it asks for `flag` instead of waiting.
///
/// # Errors
/// Stdin is a terminal, unreadable or not UTF-8.
pub(crate) fn read_stdin(flag: &str) -> anyhow::Result<String> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        return Err(usage(format_args!(
            "nothing to read: give {flag}, or pipe the input into this command"
        )));
    }
    let mut bytes = Vec::new();
    stdin
        .read_to_end(&mut bytes)
        .context("stdin: cannot read")?;
    decode(bytes, "stdin")
}

fn decode(bytes: Vec<u8>, name: &str) -> anyhow::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good]
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        anyhow::anyhow!("{name}:{line}: not UTF-8, the first bad byte is at offset {good}")
    })
}

/// Whether something is at `path`.
///
/// # Errors
/// The system does not tell, because a folder on the way is closed to the user.
pub(crate) fn exists(path: &Path) -> anyhow::Result<bool> {
    match path.try_exists() {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        found => found.with_context(|| format!("{}: cannot look", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_are_located() {
        let error = decode(b"one\ntwo \xff".to_vec(), "a.txt").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.txt:2: not UTF-8, the first bad byte is at offset 8"
        );
        assert_eq!(decode("é".into(), "a.txt").unwrap(), "é");
    }

    #[test]
    fn folders_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            read_text(folder.path())
                .unwrap_err()
                .to_string()
                .ends_with("is a folder, expected a file")
        );
        let missing = folder.path().join("missing.txt");
        assert!(
            read_text(&missing)
                .unwrap_err()
                .to_string()
                .contains("missing.txt: cannot read")
        );
    }
}
