//! Measures how much of a text the grammar could have said.

use super::grammar::{Grammar, built_in};
use super::{SEPARATOR, parse};

/// What [`check`] counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Sentences of the text.
    pub sentences: usize,
    /// Those that the grammar can make as a sentence of some story.
    pub sentences_parsed: usize,
    /// Stories of the text.
    pub stories: usize,
    /// Those that the grammar can make as a whole: plot, names and things agree throughout.
    pub stories_parsed: usize,
}

impl Check {
    /// The share of the sentences that parse; 0 when there are none.
    pub fn sentence_share(&self) -> f64 {
        share(self.sentences_parsed, self.sentences)
    }

    /// The share of the stories that parse; 0 when there are none.
    pub fn story_share(&self) -> f64 {
        share(self.stories_parsed, self.stories)
    }
}

/// Counts the sentences and the stories of `text` that the story grammar can make.
///
/// Stories are parted by [`SEPARATOR`]; blank space around one is dropped, and so is a story without a word. The last story, when no
/// separator follows it, may be cut short: it counts as a story only if it parses.
///
/// A sentence ends at `.`, `!` or `?` outside of a quotation, or before the mark that closes one, when the next word begins with a
/// capital or a quotation; and at a line end. A line end also closes a quotation. The last sentence of a story that has no end mark is cut
/// short and does not count; one in the middle counts and fails.
///
/// ```
/// use llm_data::{StoryGenerator, check};
///
/// let story = StoryGenerator::story(1, 0).text;
/// let whole = check(&story);
/// assert_eq!((whole.sentence_share(), whole.stories_parsed), (1.0, 1));
/// assert_eq!(check("Colorless ideas sleep. Furiously.").sentences_parsed, 0);
/// ```
pub fn check(text: &str) -> Check {
    check_with(built_in(), text)
}

fn check_with(grammar: &Grammar, text: &str) -> Check {
    let mut counts = Check::default();
    let mut stories = text.split(SEPARATOR).peekable();
    while let Some(story) = stories.next() {
        let story = story.trim();
        if story.is_empty() {
            continue;
        }
        let parses = parse::story(grammar, story).count > 0;
        let may_be_cut = stories.peek().is_none();
        counts.stories += usize::from(parses || !may_be_cut);
        counts.stories_parsed += usize::from(parses);

        let mut sentences = sentences(story).peekable();
        while let Some(sentence) = sentences.next() {
            let cut = sentences.peek().is_none() && !is_finished(sentence);
            if !cut {
                counts.sentences += 1;
                counts.sentences_parsed += usize::from(parse::sentence(grammar, sentence));
            }
        }
    }
    counts
}

/// The sentences of a story, by the rule of [`check`].
pub(super) fn sentences(story: &str) -> impl Iterator<Item = &str> {
    story.lines().flat_map(|line| {
        let bytes = line.as_bytes();
        let (mut start, mut quoted) = (0, false);
        let mut found = Vec::new();
        for at in 0..bytes.len() {
            if bytes[at] == b'"' {
                quoted = !quoted;
            }
            if quoted || !is_finished(&bytes[start..=at]) {
                continue;
            }
            let opens = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'"';
            if bytes.get(at + 1) == Some(&b' ') && bytes.get(at + 2).is_some_and(opens) {
                found.push(&line[start..=at]);
                start = at + 2;
            }
        }
        found.push(&line[start..]);
        found.into_iter().map(str::trim).filter(|s| !s.is_empty())
    })
}

/// Whether `sentence` ends with an end mark, its closing quotation mark aside.
fn is_finished(sentence: impl AsRef<[u8]>) -> bool {
    let sentence = sentence.as_ref();
    let sentence = sentence.strip_suffix(b"\"").unwrap_or(sentence);
    sentence.last().is_some_and(|mark| b".!?".contains(mark))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::synth::generate::walk;

    #[track_caller]
    fn split(text: &str, expected: &[&str]) {
        assert_eq!(sentences(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_quotation_is_part_of_its_sentence() {
        split("Tom ran. Mia sat.", &["Tom ran.", "Mia sat."]);
        split(
            "\"Why?\" asked Mia. \"No,\" Tom said.",
            &["\"Why?\" asked Mia.", "\"No,\" Tom said."],
        );
        split(
            "Tom said, \"Stop! Now.\" Mia sat.",
            &["Tom said, \"Stop! Now.\"", "Mia sat."],
        );
        split("Tom ran.\n\nMia", &["Tom ran.", "Mia"]);
        split(
            "He said, \"lost. Tom\nRan. Far.",
            &["He said, \"lost. Tom", "Ran.", "Far."],
        );
        split(
            "caf\u{e9}. \u{c9}t\u{e9}. Tom.",
            &["caf\u{e9}. \u{c9}t\u{e9}.", "Tom."],
        );
    }

    #[test]
    fn the_split_finds_the_sentences_that_were_made() {
        for index in 0..2000 {
            let walk = walk(built_in(), Random::keyed(5, index));
            let mut start = 0;
            let made: Vec<_> = walk
                .sentence_ends
                .iter()
                .map(|&end| walk.text[std::mem::replace(&mut start, end)..end].trim())
                .collect();
            split(&walk.text, &made);
        }
    }

    #[test]
    fn made_stories_parse_and_broken_ones_do_not() {
        let mut text = String::new();
        for index in 0..200 {
            text += &format!(
                "{}\n{SEPARATOR}\n",
                walk(built_in(), Random::keyed(6, index)).text
            );
        }
        let good = check(&text);
        assert_eq!((good.stories, good.stories_parsed), (200, 200));
        assert_eq!(good.sentences, good.sentences_parsed);

        let swapped = check(&text.replace(" she ", " he ").replace(" and ", " but "));
        assert!(
            swapped.sentence_share() < 0.8 && swapped.story_share() < 0.1,
            "{swapped:?}"
        );

        let half = check(&text[..text.len() / 2 + 7]);
        assert_eq!(
            (half.sentences, half.stories),
            (half.sentences_parsed, half.stories_parsed)
        );
    }

    #[test]
    fn a_name_that_changes_breaks_the_story_but_not_the_sentence() {
        let grammar = Grammar::load(
            "table who = name, he\nAnn, she; Bob, he\nvar hero : who\nplot a\n- {hero} ran.\n- {hero.he} fell and {hero} cried.",
        )
        .expect("a good grammar");
        let count = |text: &str| {
            let counts = check_with(&grammar, &format!("{text}\n{SEPARATOR}"));
            (counts.sentences_parsed, counts.stories_parsed)
        };
        assert_eq!(count("Ann ran. She fell and Ann cried."), (2, 1));
        assert_eq!(count("Ann ran. He fell and Bob cried."), (2, 0));
        assert_eq!(count("Ann ran. He fell and Ann cried."), (1, 0));
        assert_eq!(count("ann ran. She fell and Ann cried."), (1, 0));
    }
}
