//! Makes a story: a random walk through the grammar that adds up `-ln p` of its choices.

use super::grammar::{ARTICLE, CAPITAL, Grammar, Node, article};
use crate::random::Random;

/// What a walk through the grammar yields.
pub(super) struct Walk {
    pub(super) text: String,
    pub(super) nats: f64,
    pub(super) plot: usize,
    /// Where each sentence ends in `text`.
    #[cfg(test)]
    pub(super) sentence_ends: Vec<usize>,
}

struct Walker<'a> {
    grammar: &'a Grammar,
    random: Random,
    /// The row of each variable that was mentioned.
    bindings: Vec<Option<usize>>,
    raw: String,
    nats: f64,
}

/// Walks once through `grammar`.
pub(super) fn walk(grammar: &Grammar, mut random: Random) -> Walk {
    let n_plots = grammar.plots.len();
    let plot = random.below(n_plots as u64) as usize;
    let mut walker = Walker {
        grammar,
        random,
        bindings: vec![None; grammar.variables.len()],
        raw: String::new(),
        nats: (n_plots as f64).ln(),
    };
    let mut text = String::with_capacity(1024);
    #[cfg(test)]
    let mut sentence_ends = Vec::new();
    let mut new_paragraph = false;
    for beat in &grammar.plots[plot].beats {
        new_paragraph |= beat.new_paragraph;
        if beat.optional {
            walker.nats += std::f64::consts::LN_2;
            if walker.random.below(2) == 0 {
                continue;
            }
        }
        if !text.is_empty() {
            text.push_str(separator(std::mem::take(&mut new_paragraph)));
        }
        walker.raw.clear();
        walker.choose(beat.choice);
        spell(&walker.raw, &mut text);
        #[cfg(test)]
        sentence_ends.push(text.len());
    }
    Walk {
        text,
        nats: walker.nats,
        plot,
        #[cfg(test)]
        sentence_ends,
    }
}

/// What stands between two sentences.
pub(super) fn separator(new_paragraph: bool) -> &'static str {
    if new_paragraph { "\n\n" } else { " " }
}

/// Appends `raw` with articles and capitals in place; its first letter becomes a capital.
fn spell(raw: &str, out: &mut String) {
    let mut capital = true;
    for (at, letter) in raw.char_indices() {
        match letter {
            CAPITAL => capital = true,
            ARTICLE => {
                let word = raw[at + 1..].trim_start_matches([' ', CAPITAL]);
                let article = if article(word.as_bytes()) == b"an" {
                    "an"
                } else {
                    "a"
                };
                out.push(if std::mem::take(&mut capital) {
                    'A'
                } else {
                    'a'
                });
                out.push_str(&article[1..]);
            }
            letter if capital && letter.is_ascii_alphabetic() => {
                out.push(letter.to_ascii_uppercase());
                capital = false;
            }
            letter => out.push(letter),
        }
    }
}

impl<'a> Walker<'a> {
    fn choose(&mut self, choice: usize) {
        let choice = &self.grammar.choices[choice];
        let mut ticket = self.random.below(u64::from(choice.total));
        for option in &choice.options {
            if ticket < u64::from(option.weight) {
                self.nats += option.nats;
                self.nodes(&option.nodes);
                return;
            }
            ticket -= u64::from(option.weight);
        }
    }

    fn nodes(&mut self, nodes: &'a [Node]) {
        for node in nodes {
            match *node {
                Node::Text(ref text) => self.raw.push_str(text),
                Node::Choice(choice) => self.choose(choice),
                Node::Mention { variable, field } => {
                    let row = self.row_of(variable);
                    let table = &self.grammar.tables[self.grammar.variables[variable].table];
                    self.raw.push_str(&table.fields[field].rows[row]);
                }
            }
        }
    }

    /// The row of `variable`; drawn now if it has none, but never one that another variable of its table holds.
    fn row_of(&mut self, variable: usize) -> usize {
        if let Some(row) = self.bindings[variable] {
            return row;
        }
        let table = self.grammar.variables[variable].table;
        let mut taken: Vec<usize> = self
            .bindings
            .iter()
            .zip(&self.grammar.variables)
            .filter_map(|(row, other)| row.filter(|_| other.table == table))
            .collect();
        taken.sort_unstable();
        let n_free = self.grammar.tables[table].n_rows - taken.len();
        let mut row = self.random.below(n_free as u64) as usize;
        for other in taken {
            row += usize::from(row >= other);
        }
        self.nats += (n_free as f64).ln();
        self.bindings[variable] = Some(row);
        row
    }
}
