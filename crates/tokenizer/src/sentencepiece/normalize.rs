//! What SentencePiece does to a text before it is cut into pieces: characters are rewritten, spaces become ▁, and perhaps one is put in
//! front and those too many are dropped.
//!
//! Source: `Normalizer::Normalize` of <https://github.com/google/sentencepiece/blob/master/src/normalizer.cc>.

use super::SPACE;
use super::charsmap::Charsmap;
use super::symbols::Symbols;

/// The rules of one file.
#[derive(Debug)]
pub(super) struct Normalizer {
    pub(super) charsmap: Option<Charsmap>,
    /// Whether a ▁ is put before each text.
    pub(super) add_dummy_prefix: bool,
    /// Whether spaces at both ends are dropped, and all but one of those that follow each other.
    pub(super) remove_extra_whitespaces: bool,
}

impl Normalizer {
    /// The text in which to look for pieces. What `symbols` has is left as it is, but for its spaces.
    pub(super) fn normalize(&self, text: &str, symbols: &Symbols) -> String {
        let mut rest = text;
        if self.remove_extra_whitespaces {
            while let (length, " ") = self.first(rest, symbols) {
                rest = &rest[length..];
            }
        }
        if rest.is_empty() {
            return String::new();
        }

        let mut normalized = String::with_capacity(rest.len() + rest.len() / 2);
        if self.add_dummy_prefix {
            normalized.push_str(SPACE);
        }
        let mut after_space = self.remove_extra_whitespaces;
        while !rest.is_empty() {
            let (length, mut part) = self.first(rest, symbols);
            if after_space {
                part = part.trim_start_matches(' ');
            }
            for character in part.chars() {
                match character {
                    ' ' => normalized.push_str(SPACE),
                    other => normalized.push(other),
                }
            }
            if !part.is_empty() {
                after_space = self.remove_extra_whitespaces && part.ends_with(' ');
            }
            rest = &rest[length..];
        }
        if self.remove_extra_whitespaces {
            let kept = normalized.trim_end_matches(SPACE).len();
            normalized.truncate(kept);
        }
        normalized
    }

    /// Length in bytes of the first part of `text`, and what becomes of it; the length is 0 at the end alone.
    fn first<'a>(&'a self, text: &'a str, symbols: &Symbols) -> (usize, &'a str) {
        if let Some(length) = symbols.longest(text) {
            return (length, &text[..length]);
        }
        if let Some(found) = self.charsmap.as_ref().and_then(|map| map.replacement(text)) {
            return found;
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (length, &text[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(add_dummy_prefix: bool, remove_extra_whitespaces: bool, cases: &[(&str, &str)]) {
        let normalizer = Normalizer {
            charsmap: None,
            add_dummy_prefix,
            remove_extra_whitespaces,
        };
        let symbols = Symbols::new(["<x >", "<x", " y"]);
        for (text, expected) in cases {
            assert_eq!(normalizer.normalize(text, &symbols), *expected, "{text:?}");
        }
    }

    #[test]
    fn spaces_are_marked_put_in_front_and_dropped_as_the_file_says() {
        let texts = ["", " ", "  a  b ", "\t a\n", "▁a▁"];
        let all = ["", "▁▁", "▁▁▁a▁▁b▁", "▁\t▁a\n", "▁▁a▁"];
        let pairs =
            |expected: [&'static str; 5]| -> Vec<_> { texts.into_iter().zip(expected).collect() };
        check(true, false, &pairs(all));
        check(false, false, &pairs(["", "▁", "▁▁a▁▁b▁", "\t▁a\n", "▁a▁"]));
        // Marks in the text count as spaces at its end alone.
        check(true, true, &pairs(["", "", "▁a▁b", "▁\t▁a\n", "▁▁a"]));
        check(false, true, &pairs(["", "", "a▁b", "\t▁a\n", "▁a"]));
    }

    #[test]
    fn symbols_keep_their_spaces_but_for_those_after_a_space() {
        check(
            false,
            true,
            &[("<x > y  y", "<x▁>▁y▁y"), ("  y", "y"), ("<x  >", "<x▁>")],
        );
    }
}
