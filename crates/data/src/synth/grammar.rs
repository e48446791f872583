//! The story grammar as data: tables, variables, rules and plots.
//!
//! Knows nothing of how text is made of it ([`super::generate`]) or read by it ([`super::parse`]).

use std::sync::LazyLock;

/// Stands in a text for the article `a` or `an`, whichever fits the next word.
pub(super) const ARTICLE: char = '\u{1}';
/// Stands in a text before a letter that becomes a capital.
pub(super) const CAPITAL: char = '\u{2}';

/// A whole grammar.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    pub(super) tables: Vec<Table>,
    pub(super) variables: Vec<Variable>,
    /// Rules, choices inside a line, and the wordings of the sentences of the plots.
    pub(super) choices: Vec<Choice>,
    pub(super) plots: Vec<Plot>,
}

/// Words of one kind, with their forms.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) n_rows: usize,
}

/// One form of all rows of a table.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) default: Option<String>,
    /// The form of each row.
    pub(super) rows: Vec<String>,
    /// The distinct forms, each with the set of rows (a bit per row) that have it.
    pub(super) forms: Vec<(String, u128)>,
}

/// Something a story mentions again and again.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) table: usize,
}

/// A choice between alternatives.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) options: Vec<Alternative>,
    pub(super) total: u32,
}

/// One alternative of a [`Choice`].
#[derive(Debug)]
pub(super) struct Alternative {
    pub(super) weight: u32,
    /// Minus the logarithm of its probability.
    pub(super) nats: f64,
    pub(super) nodes: Vec<Node>,
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Mention { variable: usize, field: usize },
    Choice(usize),
}

/// A kind of story.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) name: String,
    pub(super) beats: Vec<Beat>,
}

/// A sentence of a [`Plot`].
#[derive(Debug)]
pub(super) struct Beat {
    /// Between the sentence before and this one: a space or a paragraph break.
    pub(super) new_paragraph: bool,
    /// There in half of the stories only.
    pub(super) optional: bool,
    pub(super) choice: usize,
}

impl Choice {
    /// Adds an alternative; [`Choice::finish`] sets the probabilities.
    pub(super) fn push(&mut self, weight: u32, nodes: Vec<Node>) {
        self.total += weight;
        self.options.push(Alternative {
            weight,
            nats: 0.0,
            nodes,
        });
    }

    /// Sets the probability of each alternative from the weights.
    pub(super) fn finish(&mut self) {
        for option in &mut self.options {
            option.nats = (f64::from(self.total) / f64::from(option.weight)).ln();
        }
    }
}

/// The grammar of `stories.grammar`.
pub(super) fn built_in() -> &'static Grammar {
    static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
        Grammar::load(include_str!("stories.grammar")).unwrap_or_else(|error| panic!("{error}"))
    });
    &GRAMMAR
}

/// The article that fits `word`, judged by its letters.
pub(super) fn article(word: &[u8]) -> &'static [u8] {
    // Written with a vowel but spoken with a consonant, and the other way round.
    const CONSONANT: [&[u8]; 5] = [b"uni", b"use", b"uku", b"eu", b"one"];
    const VOWEL: [&[u8]; 3] = [b"hour", b"honest", b"heir"];
    let starts = |list: &[&[u8]]| list.iter().any(|start| word.starts_with(start));
    let vowel = word
        .first()
        .is_some_and(|letter| b"aeiouAEIOU".contains(letter));
    if (vowel && !starts(&CONSONANT)) || starts(&VOWEL) {
        b"an"
    } else {
        b"a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound() {
        for (word, expected) in [
            ("kite", "a"),
            ("old kite", "an"),
            ("useful map", "a"),
            ("umbrella", "an"),
            ("hour", "an"),
            ("house", "a"),
            ("", "a"),
        ] {
            assert_eq!(article(word.as_bytes()), expected.as_bytes(), "{word}");
        }
    }
}
