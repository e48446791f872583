//! The folder of real data, which is not part of the project.

use std::path::PathBuf;

/// A file or folder below `$LLM_DATA_DIR`, or `None`, said loudly, where the variable is not set. In CI it must be.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn path(relative: &str) -> Option<PathBuf> {
    match std::env::var_os("LLM_DATA_DIR") {
        Some(folder) => Some(PathBuf::from(folder).join(relative)),
        None if std::env::var_os("CI").is_some() => panic!("LLM_DATA_DIR must be set in CI"),
        None => {
            eprintln!("SKIPPED: LLM_DATA_DIR is not set, so {relative} can't be read");
            None
        }
    }
}
