//! Tokens by the scripts of Unicode.
//!
//! Source: Unicode Standard Annex 24, <https://www.unicode.org/reports/tr24/>.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use unicode_script::{Script, UnicodeScript};

use super::{ScriptMeasures, ratio};

/// Bytes and tokens of each script, by its name.
#[derive(Default)]
pub(super) struct ScriptCounts {
    counts: BTreeMap<&'static str, (u64, u64)>,
}

impl ScriptCounts {
    /// Counts a text whose tokens stand for these ranges of bytes.
    pub(super) fn add(&mut self, text: &str, spans: &[Range<usize>]) {
        let scripts = of_bytes(text);
        let mut last = scripts.first().copied().unwrap_or(Script::Common);
        let mut done = 0;
        for span in spans {
            // Tokens that stand for the same bytes share them: the first has them all.
            let own = span.start.max(done)..span.end.max(done);
            let bytes = &scripts[own.clone()];
            last = prevailing(bytes).unwrap_or(last);
            let count = self.counts.entry(last.full_name()).or_default();
            count.0 += bytes.len() as u64;
            count.1 += 1;
            done = own.end;
        }
    }

    /// The rows of a report, the script with the most bytes first.
    pub(super) fn measures(&self) -> Vec<ScriptMeasures> {
        let rows = self.counts.iter();
        let rows = rows.map(|(script, (bytes, tokens))| ScriptMeasures {
            script: (*script).to_owned(),
            bytes: *bytes,
            tokens: *tokens,
            bytes_per_token: ratio(*bytes, *tokens),
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| Reverse(row.bytes));
        rows
    }
}

/// The script of each byte. Characters without one of their own have that of the letters before them, or after them at the start of the text.
fn of_bytes(text: &str) -> Vec<Script> {
    let own = |character: char| {
        let script = character.script();
        let shared = matches!(script, Script::Common | Script::Inherited | Script::Unknown);
        (!shared).then_some(script)
    };
    let mut last = text.chars().find_map(own).unwrap_or(Script::Common);
    let mut scripts = Vec::with_capacity(text.len());
    for character in text.chars() {
        last = own(character).unwrap_or(last);
        scripts.resize(scripts.len() + character.len_utf8(), last);
    }
    scripts
}

/// The script that most of the bytes are in, the first of several.
fn prevailing(bytes: &[Script]) -> Option<Script> {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        match counts.iter_mut().find(|(script, _)| *script == run[0]) {
            Some((_, count)) => *count += run.len(),
            None => counts.push((run[0], run.len())),
        }
    }
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    most.map(|(script, _)| *script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_with_the_letters_before_them() {
        let scripts = of_bytes("1 aé, б.");
        assert_eq!(scripts[..7], [Script::Latin; 7]);
        assert_eq!(scripts[7..], [Script::Cyrillic; 3]);
        assert_eq!(of_bytes("1 2"), [Script::Common; 3]);
    }

    #[test]
    fn a_token_belongs_to_the_script_of_most_of_its_bytes() {
        let mut counts = ScriptCounts::default();
        // " б" after Latin, twice the same bytes, and one token without any.
        counts.add("a б", &[0..1, 1..4, 1..4, 4..4]);
        let rows = counts.measures();
        let row = |row: &ScriptMeasures| (row.script.clone(), row.bytes, row.tokens);
        assert_eq!(row(&rows[0]), ("Cyrillic".to_owned(), 3, 3));
        assert_eq!(row(&rows[1]), ("Latin".to_owned(), 1, 1));
        assert_eq!(rows[0].bytes_per_token, 1.0);
        assert_eq!(prevailing(&[Script::Han, Script::Latin]), Some(Script::Han));
    }
}
