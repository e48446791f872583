//! Changes to lines: what markers cut off, white space, and lines that are removed.

use std::borrow::Cow;

use super::config::{CleanConfig, LineFilters};
use super::report::{LineReason, RemovedBy};

/// What is done to lines, and what came of it in one document.
pub(super) struct Lines<'a> {
    config: &'a CleanConfig,
    /// Where the document comes from, for the examples.
    origin: &'a str,
    /// Characters of white space removed or replaced.
    pub(super) white_space: u64,
    /// The lines removed.
    pub(super) removed: RemovedBy<LineReason>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(config: &'a CleanConfig, origin: &'a str) -> Self {
        Self {
            config,
            origin,
            white_space: 0,
            removed: RemovedBy::default(),
        }
    }

    /// The text between the markers, with its white space tidied and without the lines that the filters of single lines remove.
    pub(super) fn clean<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let text = self.between_markers(text);
        let config = self.config;
        let tidies = config.collapse_spaces || config.trim || config.max_blank_lines.is_some();
        if !tidies && !config.lines.looks_at_single_lines() {
            return Cow::Borrowed(text);
        }
        self.rewrite(text, |lines, line| lines.judge(line))
    }

    /// `text` without the lines for which `is_known` holds, asked of each line without blanks at its ends.
    pub(super) fn without_known<'t>(
        &mut self,
        text: &'t str,
        mut is_known: impl FnMut(&str) -> bool,
    ) -> Cow<'t, str> {
        let mut any = false;
        let known: Vec<bool> = text
            .split('\n')
            .map(|line| {
                let line = line.trim();
                let known = !line.is_empty() && is_known(line);
                any |= known;
                known
            })
            .collect();
        if !any {
            return Cow::Borrowed(text);
        }
        let mut known = known.into_iter();
        self.rewrite(text, |_, _| {
            known
                .next()
                .filter(|known| *known)
                .map(|_| LineReason::Repeated)
        })
    }

    /// The text behind the first start marker, and before the first end marker behind that.
    fn between_markers<'t>(&mut self, text: &'t str) -> &'t str {
        let begins = |markers: &[String], line: &str| {
            let line = line.trim_start_matches(['\u{feff}', ' ', '\t']);
            markers
                .iter()
                .any(|marker| line.starts_with(marker.as_str()))
        };
        let mut kept = text;
        if let Some((at, line)) = find_line(kept, |line| begins(&self.config.start_markers, line)) {
            self.cut(&kept[..at + line.len()]);
            kept = &kept[at + line.len()..];
        }
        if let Some((at, _)) = find_line(kept, |line| begins(&self.config.end_markers, line)) {
            self.cut(&kept[at..]);
            kept = &kept[..at];
        }
        kept
    }

    fn cut(&mut self, piece: &str) {
        for line in piece.lines().filter(|line| !line.trim().is_empty()) {
            self.removed
                .add(LineReason::OutsideMarkers, self.origin, line);
        }
    }

    /// Why a single line is removed, if it is.
    fn judge(&self, line: &str) -> Option<LineReason> {
        let filters = &self.config.lines;
        if !filters.looks_at_single_lines() {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            return None;
        }
        let chars = line.chars().count();
        if chars < filters.min_chars {
            return Some(LineReason::TooShort);
        }
        if filters.max_chars.is_some_and(|most| chars > most) {
            return Some(LineReason::TooLong);
        }
        if filters.max_non_letters < 1.0 {
            let visible = line.chars().filter(|c| !c.is_whitespace());
            let (mut all, mut others) = (0_u64, 0_u64);
            for c in visible {
                all += 1;
                others += u64::from(!is_part_of_word(c));
            }
            if others as f64 > filters.max_non_letters * all as f64 {
                return Some(LineReason::NonLetters);
            }
        }
        None
    }

    /// Writes the lines for which `judge` finds no reason, and tidies white space on the way.
    fn rewrite<'t>(
        &mut self,
        text: &'t str,
        mut judge: impl FnMut(&Self, &str) -> Option<LineReason>,
    ) -> Cow<'t, str> {
        let config = self.config;
        let mut out = String::with_capacity(text.len());
        let mut blank_lines = 0;
        let mut is_first = true;
        let mut chars_removed = 0;
        for line in text.split('\n') {
            if let Some(reason) = judge(self, line) {
                self.removed.add(reason, self.origin, line);
                continue;
            }
            let bare = if config.trim { line.trim_end() } else { line };
            chars_removed += line[bare.len()..].chars().count() as u64;
            if bare.trim_start().is_empty() {
                blank_lines += 1;
                if config
                    .max_blank_lines
                    .is_some_and(|most| blank_lines > most)
                    || (config.trim && is_first)
                {
                    chars_removed += bare.chars().count() as u64 + 1;
                    continue;
                }
            } else {
                blank_lines = 0;
            }
            if !is_first {
                out.push('\n');
            }
            is_first = false;
            if config.collapse_spaces {
                chars_removed += collapse(bare, &mut out);
            } else {
                out.push_str(bare);
            }
        }
        if config.trim {
            let end = out.trim_end().len();
            chars_removed += (out.len() - end) as u64;
            out.truncate(end);
        }
        self.white_space += chars_removed;
        if out == text {
            return Cow::Borrowed(text);
        }
        Cow::Owned(out)
    }
}

impl LineFilters {
    fn looks_at_single_lines(&self) -> bool {
        self.min_chars > 0 || self.max_chars.is_some() || self.max_non_letters < 1.0
    }
}

/// A letter, or a mark that belongs to one.
fn is_part_of_word(c: char) -> bool {
    c.is_alphabetic()
        || unicode_normalization::char::is_combining_mark(c)
        || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Where the first line begins for which `is_it` holds, and the line with its line end.
fn find_line(text: &str, is_it: impl Fn(&str) -> bool) -> Option<(usize, &str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_it(line) {
            return Some((at, line));
        }
        at += line.len();
    }
    None
}

/// Writes a line with a single space for each run of blanks behind its indentation; how many characters were removed or replaced.
fn collapse(line: &str, out: &mut String) -> u64 {
    let text = line.trim_start();
    out.push_str(&line[..line.len() - text.len()]);
    let mut changed = 0;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_whitespace()) {
        let after = rest[at..].trim_start();
        let blanks = &rest[at..rest.len() - after.len()];
        out.push_str(&rest[..at]);
        out.push(' ');
        if blanks != " " {
            let n = blanks.chars().count() as u64;
            changed += n - u64::from(blanks.starts_with(' '));
        }
        rest = after;
    }
    out.push_str(rest);
    changed
}
