//! Small English stories from a probabilistic grammar: the corpus of the first training run, with a known floor.
//!
//! The grammar (`stories.grammar`, whose first lines explain the format) is one description with two interpreters: one makes stories
//! and adds up `-ln p` of its choices, the other reads a text back into choices. A text has one derivation only, so the sum is exactly the
//! entropy that no model can beat: the mean of [`Story::nats`] over many stories, divided by their characters, is the lowest loss per
//! character that any model can reach.
//!
//! The idea of learning from simple stories is that of Eldan and Li 2023, "TinyStories", <https://arxiv.org/abs/2305.07759>.

mod check;
mod generate;
mod grammar;
mod load;
mod parse;

use std::io::{self, Write};

pub use check::{Check, check};

use crate::random::Random;
use grammar::built_in;

/// The line that ends a story in a corpus.
pub const SEPARATOR: &str = "<|endoftext|>";

/// A story of the grammar.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its text, ASCII, without a line end at its end.
    pub text: String,
    /// `-ln` of the probability that the grammar makes just this text and then stops.
    pub nats: f64,
    /// The name of its plot.
    pub plot: &'static str,
}

/// An endless row of stories; the same for the same seed on every platform.
#[derive(Clone, Debug)]
pub struct StoryGenerator {
    seed: u64,
    next: u64,
}

impl StoryGenerator {
    /// The stories of `seed`, from the first.
    pub fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// Story number `index` of `seed`, made without those before it.
    pub fn story(seed: u64, index: u64) -> Story {
        let grammar = built_in();
        let walk = generate::walk(grammar, Random::keyed(seed, index));
        Story {
            text: walk.text,
            nats: walk.nats,
            plot: &grammar.plots[walk.plot].name,
        }
    }
}

impl Iterator for StoryGenerator {
    type Item = Story;

    fn next(&mut self) -> Option<Story> {
        let story = Self::story(self.seed, self.next);
        self.next += 1;
        Some(story)
    }
}

/// What [`write_corpus`] wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CorpusSummary {
    /// Stories written.
    pub stories: u64,
    /// Bytes written, separators included.
    pub bytes: u64,
    /// Characters of the stories, without the separators.
    pub chars: u64,
    /// The sum of [`Story::nats`].
    pub nats: f64,
}

/// Writes the stories of `seed`, each followed by a line with [`SEPARATOR`], and stops with the story that reaches `size_bytes`.
///
/// # Errors
/// When `out` fails.
pub fn write_corpus(seed: u64, size_bytes: u64, out: &mut impl Write) -> io::Result<CorpusSummary> {
    let mut summary = CorpusSummary::default();
    for story in StoryGenerator::new(seed) {
        if summary.bytes >= size_bytes {
            break;
        }
        out.write_all(story.text.as_bytes())?;
        writeln!(out, "\n{SEPARATOR}")?;
        summary.stories += 1;
        summary.bytes += written_bytes(&story);
        summary.chars += story.text.len() as u64;
        summary.nats += story.nats;
    }
    Ok(summary)
}

/// The bytes that `story` takes in a corpus.
pub(crate) fn written_bytes(story: &Story) -> u64 {
    (story.text.len() + SEPARATOR.len() + 2) as u64
}

/// The text of the grammar; part of the key under which tokens of stories are cached.
pub(crate) fn grammar_text() -> &'static str {
    include_str!("stories.grammar")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    #[test]
    fn every_story_has_one_derivation_of_the_probability_it_claims() {
        for (index, story) in StoryGenerator::new(11).take(4000).enumerate() {
            let found = parse::story(built_in(), &story.text);
            assert_eq!(
                found.count, 1,
                "story {index}, {}:\n{}",
                story.plot, story.text
            );
            let difference = (found.probability.nats - story.nats).abs();
            assert!(difference < 1e-9, "story {index}: {difference}");
        }
    }

    #[test]
    fn the_parser_sees_an_ambiguity() {
        let cases = [
            ("plot a\n- (red|red) hat.", "Red hat.", 2, 0.0),
            ("plot a\n- (big |)(big |)hat.", "Big hat.", 2, 2.0_f64.ln()),
            ("plot a\n- a/an hat.\nplot b\n- a hat.", "A hat.", 2, 0.0),
            // The name is never said: either of two may be meant.
            (
                "table t = n, it=it\nA; B\nvar v : t\nplot a\n- {v.it} ran.",
                "It ran.",
                2,
                0.0,
            ),
            (
                "plot a\n- (3:red|blue) hat.",
                "Red hat.",
                1,
                (4.0_f64 / 3.0).ln(),
            ),
        ];
        for (text, story, count, nats) in cases {
            let grammar = grammar::Grammar::load(text).expect("a good grammar");
            let found = parse::story(&grammar, story);
            assert_eq!(found.count, count, "{text}");
            assert!(
                (found.probability.nats - nats).abs() < 1e-12,
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn probabilities_of_a_small_grammar_sum_to_one() {
        let text = "table t = n\nA; B; C\nvar v : t\nvar w : t\nplot a\n- {v} (2:met|saw) {w}.\n? {w} ran.\nplot b\n- {v} slept.";
        let grammar = grammar::Grammar::load(text).expect("a good grammar");
        let mut seen = HashMap::new();
        for index in 0..2000 {
            let walk = generate::walk(&grammar, Random::keyed(1, index));
            seen.insert(walk.text, walk.nats);
        }
        // 3 * 2 pairs, 2 verbs, with and without the end; 3 sleepers.
        assert_eq!(seen.len(), 27);
        let sum: f64 = seen.values().map(|nats| (-nats).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }

    #[test]
    fn the_corpus_is_rich() {
        let mut corpus = Vec::new();
        let summary = write_corpus(1, 1_000_000, &mut corpus).expect("writing to memory");
        assert_eq!(summary.bytes, corpus.len() as u64);
        assert!(
            (1_000_000..1_002_000).contains(&summary.bytes),
            "{summary:?}"
        );
        let text = String::from_utf8(corpus).expect("UTF-8");

        let words: HashSet<String> = text
            .split(|c: char| !c.is_ascii_alphabetic())
            .map(str::to_ascii_lowercase)
            .collect();
        assert!(words.len() >= 600, "{} words", words.len());

        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text.as_bytes()).expect("writing to memory");
        let ratio = text.len() as f64 / zlib.finish().expect("writing to memory").len() as f64;
        assert!(ratio <= 4.5, "zlib shrinks it {ratio:.2} times");

        let floor = summary.nats / summary.chars as f64;
        assert!(
            (0.15..0.9).contains(&floor),
            "{floor:.3} nats per character"
        );
        let mean = summary.chars / summary.stories;
        assert!((300..=1000).contains(&mean), "{mean} characters per story");

        let plots: HashSet<_> = StoryGenerator::new(1).take(2000).map(|s| s.plot).collect();
        assert!(plots.len() >= 12, "{} plots", plots.len());
        eprintln_statistics(words.len(), plots.len(), ratio, floor, mean);
    }

    #[expect(
        clippy::print_stderr,
        reason = "numbers for whoever changes the grammar"
    )]
    fn eprintln_statistics(words: usize, plots: usize, ratio: f64, floor: f64, mean: u64) {
        eprintln!(
            "{words} words, {plots} plots, zlib {ratio:.2}, {floor:.3} nats/char, {mean} chars/story"
        );
    }

    #[test]
    fn stories_are_well_formed() {
        for story in StoryGenerator::new(2).take(3000) {
            let text = &story.text;
            assert!(text.is_ascii() && !text.contains("  "), "{text}");
            assert!(text.ends_with(['.', '"', '!', '?']), "{text}");
            assert!(
                !text.contains(['{', '<', '|', '^', '\u{1}', '\u{2}']),
                "{text}"
            );
            assert_eq!(text.matches('"').count() % 2, 0, "{text}");
            let n_sentences = check::sentences(text).count();
            assert!((5..=18).contains(&n_sentences), "{n_sentences}: {text}");
            assert!(text.split("\n\n").count() <= 2, "{text}");
            for pair in text.split([' ', '\n']).collect::<Vec<_>>().windows(2) {
                let article = pair[0].trim_start_matches('"');
                if article.eq_ignore_ascii_case("a") || article.eq_ignore_ascii_case("an") {
                    let expected = grammar::article(pair[1].as_bytes());
                    assert_eq!(
                        article.to_ascii_lowercase().as_bytes(),
                        expected,
                        "{pair:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_first_paragraph_names_comes_back() {
        let names = &built_in().tables[0].fields[0].rows;
        let n_back = StoryGenerator::new(3)
            .take(1000)
            .filter(|story| {
                let (first, second) = story.text.split_once("\n\n").expect("two paragraphs");
                names
                    .iter()
                    .any(|name| first.contains(name) && second.contains(name))
            })
            .count();
        assert!(n_back > 950, "{n_back} of 1000");
    }

    #[test]
    fn a_story_depends_on_seed_and_index_only() {
        let row: Vec<_> = StoryGenerator::new(7).take(20).collect();
        assert_eq!(row[13], StoryGenerator::story(7, 13));
        assert_ne!(row[13], StoryGenerator::story(8, 13));
        assert_ne!(row[13].text, row[14].text);
    }
}
