//! What is known of the terminal that stdout is.

use console::Term;

/// Columns that a text is made for where stdout is no terminal.
pub(crate) const DEFAULT_WIDTH: usize = 100;

/// Columns of the terminal; `None` where stdout is a file or a pipe, whose lines may be of any length. `COLUMNS`, where it is set, says it
/// for both.
pub(crate) fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.parse().ok());
    let found = || {
        Term::stdout()
            .size_checked()
            .map(|(_, columns)| columns.into())
    };
    said.filter(|columns| *columns > 0).or_else(found)
}
