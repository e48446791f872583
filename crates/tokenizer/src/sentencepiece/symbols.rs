//! Pieces that a file tells to look for before anything else, the longest first.

use std::collections::{BTreeSet, HashMap, HashSet};

/// A set of texts.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    texts: HashSet<String>,
    /// How long those are that begin with a byte, so that each length is looked up once however many there are.
    lengths: HashMap<u8, BTreeSet<usize>>,
}

impl Symbols {
    /// A set of `texts`.
    pub(super) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut symbols = Self::default();
        for text in texts {
            if let Some(first) = text.bytes().next() {
                symbols.lengths.entry(first).or_default().insert(text.len());
                symbols.texts.insert(text.to_owned());
            }
        }
        symbols
    }

    /// Length in bytes of the longest of the texts with which `text` begins.
    pub(super) fn longest(&self, text: &str) -> Option<usize> {
        let lengths = self.lengths.get(text.as_bytes().first()?)?;
        let is_one = |length: &usize| {
            let start = text.get(..*length);
            start.is_some_and(|start| self.texts.contains(start))
        };
        lengths.iter().rev().copied().find(is_one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_that_fits_is_found() {
        let symbols = Symbols::new(["<a", "<a><b", "<a>", "é", ""]);
        assert_eq!(symbols.longest("<a><c>"), Some(3));
        assert_eq!(symbols.longest("<a><b>"), Some(5));
        assert_eq!(symbols.longest("<aé"), Some(2));
        assert_eq!(symbols.longest("é"), Some(2));
        assert_eq!(symbols.longest("ê"), None);
        assert_eq!(symbols.longest(""), None);
    }
}
