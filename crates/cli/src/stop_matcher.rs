//! Stop strings in a text that arrives in pieces.
//!
//! Works on text, not on tokens: a stop string may begin in the middle of one token and end in another. The text ends before the stop
//! string that is complete first; of two that complete at the same character, before the longer one. That rule depends on the text alone,
//! not on how it is cut into pieces.

/// Watches one text; made by [`StopMatcher::new`].
#[derive(Clone, Debug)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    /// The end of the text so far that may be the beginning of a stop string.
    held: String,
}

/// What a piece of text led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The text goes on; this much of it can no longer become part of a stop string.
    Text(String),
    /// A stop string is complete; this is the last of the text before it.
    End(String),
}

impl StopMatcher {
    /// A matcher for `stops`; empty ones are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .cloned()
            .collect();
        Self {
            stops,
            held: String::new(),
        }
    }

    /// Takes the next piece of the text.
    pub(crate) fn push(&mut self, piece: &str) -> Passed {
        self.held.push_str(piece);
        if let Some(start) = first_match(&self.held, &self.stops) {
            let mut text = std::mem::take(&mut self.held);
            text.truncate(start);
            return Passed::End(text);
        }
        let kept = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        Passed::Text(std::mem::replace(&mut self.held, rest))
    }

    /// The text is over: what was held back belongs to it.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Where the stop string begins that is complete first.
fn first_match(text: &str, stops: &[String]) -> Option<usize> {
    let found = stops
        .iter()
        .filter_map(|stop| text.find(stop).map(|start| (start + stop.len(), start)));
    found.min().map(|(_, start)| start)
}

/// Bytes of the longest end of `text` with which `stop` begins, less than all of it.
fn overlap(text: &str, stop: &str) -> usize {
    let begins = stop.char_indices().map(|(i, _)| i).filter(|&i| i > 0);
    begins
        .filter(|&i| text.ends_with(&stop[..i]))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(pieces: &[&str], stops: &[&str]) -> (String, bool) {
        let stops: Vec<_> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut matcher = StopMatcher::new(&stops);
        let mut text = String::new();
        for piece in pieces {
            match matcher.push(piece) {
                Passed::Text(part) => text.push_str(&part),
                Passed::End(part) => return (text + &part, true),
            }
        }
        (text + &matcher.finish(), false)
    }

    #[test]
    fn text_ends_before_the_stop_string() {
        #[track_caller]
        fn check(pieces: &[&str], stops: &[&str], text: &str, stopped: bool) {
            assert_eq!(run(pieces, stops), (text.to_owned(), stopped));
        }
        check(&["one two"], &[], "one two", false);
        check(&["one two"], &[""], "one two", false);
        check(&["one. two"], &["."], "one", true);
        check(&["on", "e\n", "\ntwo"], &["\n\n"], "one", true);
        check(&["one\n", "two\n"], &["\n\n"], "one\ntwo\n", false);
        check(&["aab"], &["ab"], "a", true);
        check(&["a", "a", "b"], &["ab"], "a", true);
        check(&["caf", "é", " é!"], &["é!"], "café ", true);
        check(&["", "end", ""], &["end"], "", true);
        // "b" is complete before "abc" is.
        check(&["xabc"], &["abc", "b"], "xa", true);
        check(&["xabc"], &["abc", "bc"], "x", true);
    }

    #[test]
    fn text_that_may_become_a_stop_string_is_held_back() {
        let mut matcher = StopMatcher::new(&["END".to_owned()]);
        assert_eq!(matcher.push("the E"), Passed::Text("the ".into()));
        assert_eq!(matcher.push("N"), Passed::Text(String::new()));
        assert_eq!(matcher.push("E"), Passed::Text("EN".into()));
        assert_eq!(matcher.finish(), "E");
    }

    proptest! {
        #[test]
        fn the_cut_of_the_pieces_does_not_matter(
            pieces in prop::collection::vec("[abé]{0,4}", 0..12),
            stops in prop::collection::vec("[abé]{0,4}", 0..4),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            // The rule itself, character by character.
            let whole: String = pieces.concat();
            let mut expected = (whole.clone(), false);
            for end in whole.char_indices().map(|(i, c)| i + c.len_utf8()) {
                let done = stops.iter().filter(|s| !s.is_empty() && whole[..end].ends_with(**s)).map(|s| s.len()).max();
                if let Some(length) = done {
                    expected = (whole[..end - length].to_owned(), true);
                    break;
                }
            }
            prop_assert_eq!(run(&pieces, &stops), expected);
        }
    }
}
