//! Reads a text back into the choices that made it.
//!
//! A backtracking walk over the same grammar as [`super::generate`]. It follows every derivation, so it can tell how many there are; and
//! a variable stands for the set of rows that fit what was read so far, so a mention costs no guess.

use super::generate::separator;
use super::grammar::{ARTICLE, Beat, CAPITAL, Grammar, Node, article};

/// The derivations of a story.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Derivations {
    /// How many there are.
    pub(super) count: u64,
    /// The sum of their probabilities.
    pub(super) probability: Sum,
}

/// A sum of probabilities as large as `exp(-nats)`, kept as `nats` because it is far below what an `f64` can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sum {
    pub(super) nats: f64,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            nats: f64::INFINITY,
        }
    }
}

impl Sum {
    fn add(&mut self, nats: f64) {
        let (small, large) = (self.nats.min(nats), self.nats.max(nats));
        self.nats = if large.is_infinite() {
            small
        } else {
            small - (small - large).exp().ln_1p()
        };
    }
}

/// All derivations of `text` as a whole story.
pub(super) fn story(grammar: &Grammar, text: &str) -> Derivations {
    let mut found = Derivations::default();
    for plot in &grammar.plots {
        let parser = Parser {
            grammar,
            text: text.as_bytes(),
        };
        let state = State::new(grammar, (grammar.plots.len() as f64).ln());
        parser.beats(&plot.beats, false, 0, &state, &mut |state| {
            let ways = state.ways();
            if ways > 0 {
                found.count += ways;
                // Each way has the probability of the path.
                found.probability.add(state.nats - (ways as f64).ln());
            }
            false
        });
    }
    found
}

/// Whether the grammar can make `text` as a sentence of some story.
pub(super) fn sentence(grammar: &Grammar, text: &str) -> bool {
    let parser = Parser {
        grammar,
        text: text.as_bytes(),
    };
    let state = State::new(grammar, 0.0);
    grammar
        .plots
        .iter()
        .flat_map(|plot| &plot.beats)
        .any(|beat| {
            parser.choice(beat.choice, None, 0, &state, &mut |at, state| {
                at == text.len() && state.ways() > 0
            })
        })
}

struct Parser<'a> {
    grammar: &'a Grammar,
    text: &'a [u8],
}

#[derive(Clone)]
struct State {
    nats: f64,
    /// The next letter is a capital.
    capital: bool,
    bindings: Vec<Binding>,
}

#[derive(Clone, Copy)]
struct Binding {
    table: usize,
    /// The rows it may stand for; `None` before the first mention.
    rows: Option<u128>,
}

/// What is still to be matched.
struct Rest<'a> {
    nodes: &'a [Node],
    next: Option<&'a Rest<'a>>,
}

/// Called at the end of each match; `true` ends the search.
type Then<'t> = &'t mut dyn FnMut(usize, &State) -> bool;

impl State {
    fn new(grammar: &Grammar, nats: f64) -> Self {
        Self {
            nats,
            capital: true,
            bindings: grammar
                .variables
                .iter()
                .map(|variable| Binding {
                    table: variable.table,
                    rows: None,
                })
                .collect(),
        }
    }

    /// In how many ways rows can be given to the variables, no row twice.
    fn ways(&self) -> u64 {
        let mut ways = 1_u64;
        for (index, binding) in self.bindings.iter().enumerate() {
            let Some(rows) = binding.rows else { continue };
            // Rows that an earlier variable of the table surely holds. Exact once every variable has been named; before that (a lone
            // sentence) an upper bound that is zero only when two variables were given the same name.
            let taken = self.bindings[..index]
                .iter()
                .filter(|other| other.table == binding.table)
                .filter_map(|other| other.rows.filter(|rows| rows.count_ones() == 1))
                .fold(0, |all, rows| all | rows);
            ways *= u64::from((rows & !taken).count_ones());
        }
        ways
    }
}

impl Parser<'_> {
    /// Matches the sentences of a plot and calls `done` at the end of the text.
    fn beats(
        &self,
        beats: &[Beat],
        new_paragraph: bool,
        at: usize,
        state: &State,
        done: &mut dyn FnMut(&State) -> bool,
    ) -> bool {
        let Some((beat, rest)) = beats.split_first() else {
            return at == self.text.len() && done(state);
        };
        let new_paragraph = new_paragraph || beat.new_paragraph;
        let mut state = state.clone();
        if beat.optional {
            state.nats += std::f64::consts::LN_2;
            if self.beats(rest, new_paragraph, at, &state, done) {
                return true;
            }
        }
        let mut start = at;
        if at > 0 {
            let separator = separator(new_paragraph).as_bytes();
            if !self.text[at..].starts_with(separator) {
                return false;
            }
            start += separator.len();
        }
        state.capital = true;
        self.choice(beat.choice, None, start, &state, &mut |end, state| {
            self.beats(rest, false, end, state, done)
        })
    }

    fn choice(
        &self,
        choice: usize,
        next: Option<&Rest>,
        at: usize,
        state: &State,
        then: Then,
    ) -> bool {
        self.grammar.choices[choice].options.iter().any(|option| {
            // Most alternatives fail at their first word: look before copying the state.
            if let Some(Node::Text(text)) = option.nodes.first()
                && self.text(text, at, state.capital).is_none()
            {
                return false;
            }
            let mut state = state.clone();
            state.nats += option.nats;
            self.nodes(
                &Rest {
                    nodes: &option.nodes,
                    next,
                },
                at,
                &state,
                then,
            )
        })
    }

    fn nodes(&self, rest: &Rest, at: usize, state: &State, then: Then) -> bool {
        let Some((node, nodes)) = rest.nodes.split_first() else {
            return match rest.next {
                Some(next) => self.nodes(next, at, state, then),
                None => then(at, state),
            };
        };
        let rest = Rest {
            nodes,
            next: rest.next,
        };
        match *node {
            Node::Choice(choice) => self.choice(choice, Some(&rest), at, state, then),
            Node::Text(ref text) => match self.text(text, at, state.capital) {
                None => false,
                Some((at, capital)) if capital == state.capital => {
                    self.nodes(&rest, at, state, then)
                }
                Some((at, capital)) => {
                    let state = State {
                        capital,
                        ..state.clone()
                    };
                    self.nodes(&rest, at, &state, then)
                }
            },
            Node::Mention { variable, field } => {
                let binding = state.bindings[variable];
                let table = &self.grammar.tables[binding.table];
                table.fields[field].forms.iter().any(|(form, rows)| {
                    let rows = rows & binding.rows.unwrap_or(u128::MAX);
                    let Some((at, capital)) =
                        self.text(form, at, state.capital).filter(|_| rows != 0)
                    else {
                        return false;
                    };
                    let mut state = State {
                        capital,
                        ..state.clone()
                    };
                    if binding.rows.is_none() {
                        let taken = state
                            .bindings
                            .iter()
                            .filter(|b| b.table == binding.table && b.rows.is_some());
                        state.nats += ((table.n_rows - taken.count()) as f64).ln();
                    }
                    state.bindings[variable].rows = Some(rows);
                    self.nodes(&rest, at, &state, then)
                })
            }
        }
    }

    /// Matches `pattern` at `at`: where it ends, and whether a capital is still due.
    fn text(&self, pattern: &str, mut at: usize, mut capital: bool) -> Option<(usize, bool)> {
        for letter in pattern.bytes() {
            if char::from(letter) == CAPITAL {
                capital = true;
            } else if char::from(letter) == ARTICLE {
                let rest = &self.text[at..];
                let length = rest.iter().position(|&b| b == b' ')?;
                let expected = article(&rest[length + 1..]);
                let first = if capital { b'A' } else { b'a' };
                if rest[0] != first || rest[1..length] != expected[1..] {
                    return None;
                }
                capital = false;
                at += length;
            } else {
                let expected = if capital && letter.is_ascii_alphabetic() {
                    capital = false;
                    letter.to_ascii_uppercase()
                } else {
                    letter
                };
                if self.text.get(at) != Some(&expected) {
                    return None;
                }
                at += 1;
            }
        }
        Some((at, capital))
    }
}
