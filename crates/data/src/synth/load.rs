//! Reads a grammar file; its format is described at the top of `stories.grammar`.
//!
//! Every mistake is reported with its line, so that a newcomer can add a plot without reading this code.

use std::collections::HashMap;

use super::grammar::{ARTICLE, Beat, CAPITAL, Choice, Field, Grammar, Node, Plot, Table, Variable};

/// Most rows of a table: a set of rows is kept in 128 bits.
const MAX_ROWS: usize = 128;

/// A mistake in a grammar file.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("grammar line {line}: {problem}")]
pub(super) struct GrammarError {
    pub(super) line: usize,
    #[source]
    pub(super) problem: Problem,
}

/// What is wrong with a line of a grammar file.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(super) enum Problem {
    #[error("`{0}` is not defined above this line")]
    Undefined(String),
    #[error("`{0}` is defined twice")]
    Twice(String),
    #[error("table `{table}` has no field `{field}`")]
    NoField { table: String, field: String },
    #[error("row `{row}` gives no `{field}`, which has no default")]
    NoDefault { row: String, field: String },
    #[error("row `{0}` has more values than the table has fields")]
    TooManyValues(String),
    #[error("table `{0}` has more than {MAX_ROWS} rows")]
    TooManyRows(String),
    #[error("`{0}` has no content")]
    Empty(String),
    #[error("expected `{0}`")]
    Expected(&'static str),
    #[error("`{0}` is not closed")]
    Unclosed(char),
    #[error("a weight must be a positive whole number")]
    Weight,
    #[error("this line belongs to no table, rule or plot")]
    Homeless,
    #[error("`/` must follow a sentence of the same plot")]
    NoSentence,
    #[error("only ASCII can be used")]
    NotAscii,
}

enum Block {
    None,
    Table,
    Rule(usize),
    Plot { new_paragraph: bool },
}

struct Loader {
    grammar: Grammar,
    rules: HashMap<String, usize>,
    block: Block,
    /// The block's heading, for errors found only at its end.
    heading: (usize, String),
}

impl Grammar {
    /// Reads a grammar.
    pub(super) fn load(text: &str) -> Result<Self, GrammarError> {
        let mut loader = Loader {
            grammar: Self::default(),
            rules: HashMap::new(),
            block: Block::None,
            heading: (0, String::new()),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !(line.is_empty() || line.starts_with('#')) {
                loader.line(index + 1, line).map_err(|problem| {
                    let line = if matches!(problem, Problem::Empty(_)) {
                        loader.heading.0
                    } else {
                        index + 1
                    };
                    GrammarError { line, problem }
                })?;
            }
        }
        loader.end_block().map_err(|problem| GrammarError {
            line: loader.heading.0,
            problem,
        })?;
        for choice in &mut loader.grammar.choices {
            choice.finish();
        }
        Ok(loader.grammar)
    }
}

impl Loader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Problem> {
        if !line.is_ascii() {
            return Err(Problem::NotAscii);
        }
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let starts_block = matches!(keyword, "table" | "rule" | "plot" | "var");
        // A sentence or an option may begin with such a word; headings never end in punctuation.
        let starts_block = starts_block && !rest.ends_with(['.', '!', '?', '"']);
        if starts_block {
            self.end_block()?;
            if rest.is_empty() {
                return Err(Problem::Expected("a name"));
            }
            self.heading = (number, rest.to_owned());
            match keyword {
                "table" => self.table(rest),
                "var" => self.variable(rest),
                "rule" => self.rule(rest),
                _ => self.plot(rest),
            }
        } else {
            match self.block {
                Block::None => Err(Problem::Homeless),
                Block::Table => self.rows(line),
                Block::Rule(choice) => self.options(choice, line),
                Block::Plot { .. } => self.sentence(line),
            }
        }
    }

    fn end_block(&mut self) -> Result<(), Problem> {
        let empty = match self.block {
            Block::None => false,
            Block::Rule(choice) => self.grammar.choices[choice].options.is_empty(),
            Block::Plot { .. } => self.grammar.plots.last().is_none_or(|p| p.beats.is_empty()),
            Block::Table => {
                let table = self.grammar.tables.last_mut();
                table.is_none_or(|table| {
                    table.fields.iter_mut().for_each(Field::index);
                    table.n_rows == 0
                })
            }
        };
        self.block = Block::None;
        if empty {
            return Err(Problem::Empty(self.heading.1.clone()));
        }
        Ok(())
    }

    fn table(&mut self, rest: &str) -> Result<(), Problem> {
        let (name, fields) = rest
            .split_once('=')
            .ok_or(Problem::Expected("table NAME = FIELD, ..."))?;
        let name = name.trim().to_owned();
        if self.grammar.tables.iter().any(|t| t.name == name) {
            return Err(Problem::Twice(name));
        }
        let fields = fields
            .split(',')
            .map(|field| {
                let (name, default) = match field.split_once('=') {
                    Some((name, default)) => (name, Some(plain(default))),
                    None => (field, None),
                };
                Field {
                    name: name.trim().to_owned(),
                    default,
                    rows: Vec::new(),
                    forms: Vec::new(),
                }
            })
            .collect();
        self.heading.1.clone_from(&name);
        self.grammar.tables.push(Table {
            name,
            fields,
            n_rows: 0,
        });
        self.block = Block::Table;
        Ok(())
    }

    fn rows(&mut self, line: &str) -> Result<(), Problem> {
        let Some(table) = self.grammar.tables.last_mut() else {
            return Err(Problem::Homeless);
        };
        for row in line.split(';').map(str::trim).filter(|row| !row.is_empty()) {
            let mut values = row.split(',').map(plain);
            for field in &mut table.fields {
                let value = values
                    .next()
                    .or_else(|| field.default.clone())
                    .ok_or_else(|| Problem::NoDefault {
                        row: row.to_owned(),
                        field: field.name.clone(),
                    })?;
                field.rows.push(value);
            }
            if values.next().is_some() {
                return Err(Problem::TooManyValues(row.to_owned()));
            }
            let main = &table.fields[0].rows;
            if main[..table.n_rows].contains(&main[table.n_rows]) {
                return Err(Problem::Twice(main[table.n_rows].clone()));
            }
            table.n_rows += 1;
            if table.n_rows > MAX_ROWS {
                return Err(Problem::TooManyRows(table.name.clone()));
            }
        }
        Ok(())
    }

    fn variable(&mut self, rest: &str) -> Result<(), Problem> {
        let (name, table) = rest
            .split_once(':')
            .ok_or(Problem::Expected("var NAME : TABLE"))?;
        let (name, table) = (name.trim().to_owned(), table.trim());
        if self.grammar.variables.iter().any(|v| v.name == name) {
            return Err(Problem::Twice(name));
        }
        let table = self
            .grammar
            .tables
            .iter()
            .position(|t| t.name == table)
            .ok_or_else(|| Problem::Undefined(table.to_owned()))?;
        self.grammar.variables.push(Variable { name, table });
        Ok(())
    }

    fn rule(&mut self, name: &str) -> Result<(), Problem> {
        if self.rules.contains_key(name) {
            return Err(Problem::Twice(name.to_owned()));
        }
        // Known from here on; `template` sees to it that the rule does not use itself.
        let choice = self.new_choice();
        self.rules.insert(name.to_owned(), choice);
        self.block = Block::Rule(choice);
        Ok(())
    }

    fn plot(&mut self, name: &str) -> Result<(), Problem> {
        if self.grammar.plots.iter().any(|p| p.name == name) {
            return Err(Problem::Twice(name.to_owned()));
        }
        self.grammar.plots.push(Plot {
            name: name.to_owned(),
            beats: Vec::new(),
        });
        self.block = Block::Plot {
            new_paragraph: false,
        };
        Ok(())
    }

    fn sentence(&mut self, line: &str) -> Result<(), Problem> {
        if line == "--" {
            self.block = Block::Plot {
                new_paragraph: true,
            };
            return Ok(());
        }
        let (mark, rest) = line.split_at(1);
        let choice = match mark {
            "-" | "?" => self.new_choice(),
            "/" => {
                let beat = self.grammar.plots.last().and_then(|p| p.beats.last());
                beat.ok_or(Problem::NoSentence)?.choice
            }
            _ => return Err(Problem::Expected("a line that begins with -, ?, / or --")),
        };
        self.options(choice, rest)?;
        if let (true, Block::Plot { new_paragraph }, Some(plot)) =
            (mark != "/", &mut self.block, self.grammar.plots.last_mut())
        {
            plot.beats.push(Beat {
                new_paragraph: std::mem::take(new_paragraph),
                optional: mark == "?",
                choice,
            });
        }
        Ok(())
    }

    fn new_choice(&mut self) -> usize {
        self.grammar.choices.push(Choice::default());
        self.grammar.choices.len() - 1
    }

    /// Adds the alternatives of `text`, which are parted by `|`, to a choice.
    fn options(&mut self, choice: usize, text: &str) -> Result<(), Problem> {
        let text = text.trim();
        let parts = split_options(text)?;
        let inside = text.is_empty();
        for part in parts {
            let part = part.trim();
            if part.is_empty() || inside {
                return Err(Problem::Expected("an option between the bars"));
            }
            self.option(choice, part)?;
        }
        Ok(())
    }

    fn option(&mut self, choice: usize, part: &str) -> Result<(), Problem> {
        let (weight, template) = match part.split_once(':') {
            Some((digits, template)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let weight = digits.parse().ok().filter(|&weight: &u32| weight > 0);
                (weight.ok_or(Problem::Weight)?, template.trim_start())
            }
            _ => (1, part),
        };
        let nodes = self.template(template, choice)?;
        self.grammar.choices[choice].push(weight, nodes);
        Ok(())
    }

    fn template(&mut self, template: &str, own: usize) -> Result<Vec<Node>, Problem> {
        let mut nodes = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '<', '(']) {
            if at > 0 {
                nodes.push(Node::Text(plain_inner(&rest[..at])));
            }
            let open = rest.as_bytes()[at];
            let inner = &rest[at + 1..];
            let end = match open {
                b'{' => inner.find('}').ok_or(Problem::Unclosed('{'))?,
                b'<' => inner.find('>').ok_or(Problem::Unclosed('<'))?,
                _ => closing(inner).ok_or(Problem::Unclosed('('))?,
            };
            let (content, after) = (&inner[..end], &inner[end + 1..]);
            nodes.push(match open {
                b'{' => self.mention(content)?,
                b'<' => match self.rules.get(content) {
                    // A rule that is still being read would use itself.
                    Some(&choice) if choice != own && !self.is_open(choice) => Node::Choice(choice),
                    _ => return Err(Problem::Undefined(content.to_owned())),
                },
                _ => {
                    let choice = self.new_choice();
                    for part in split_options(content)? {
                        self.option(choice, part)?;
                    }
                    Node::Choice(choice)
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            nodes.push(Node::Text(plain_inner(rest)));
        }
        Ok(nodes)
    }

    fn is_open(&self, choice: usize) -> bool {
        matches!(self.block, Block::Rule(open) if open == choice)
    }

    fn mention(&self, content: &str) -> Result<Node, Problem> {
        let (name, field) = match content.split_once('.') {
            Some((name, field)) => (name, Some(field)),
            None => (content, None),
        };
        let variables = &self.grammar.variables;
        let variable = variables
            .iter()
            .position(|v| v.name == name)
            .ok_or_else(|| Problem::Undefined(name.to_owned()))?;
        let table = &self.grammar.tables[variables[variable].table];
        let field = match field {
            None => 0,
            Some(field) => table
                .fields
                .iter()
                .position(|f| f.name == field)
                .ok_or_else(|| Problem::NoField {
                    table: table.name.clone(),
                    field: field.to_owned(),
                })?,
        };
        Ok(Node::Mention { variable, field })
    }
}

impl Field {
    fn index(&mut self) {
        for (row, form) in self.rows.iter().enumerate() {
            match self.forms.iter_mut().find(|(known, _)| known == form) {
                Some((_, set)) => *set |= 1 << row,
                None => self.forms.push((form.clone(), 1 << row)),
            }
        }
    }
}

fn plain(text: &str) -> String {
    plain_inner(text.trim())
}

fn plain_inner(text: &str) -> String {
    text.replace("a/an", ARTICLE.encode_utf8(&mut [0; 4]))
        .replace('^', CAPITAL.encode_utf8(&mut [0; 4]))
}

/// Where the bracket opened before `text` closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The parts of `text` between the bars that stand in no bracket.
fn split_options(text: &str) -> Result<Vec<&str>, Problem> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).ok_or(Problem::Unclosed(')'))?,
            b'|' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(Problem::Unclosed('('));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "table pet = name, it=it\nRex; Kit\nvar pet : pet\nrule color\nred | blue\n";

    #[track_caller]
    fn check(text: &str, line: usize, problem: Problem) {
        let error = Grammar::load(&format!("{BASE}{text}")).expect_err("a mistake is reported");
        assert_eq!(error, GrammarError { line, problem });
    }

    #[test]
    fn mistakes_name_their_line() {
        let name = |name: &str| name.to_owned();
        check("plot a\n- {dog} ran.", 7, Problem::Undefined(name("dog")));
        check(
            "plot a\n- <size> {pet}.",
            7,
            Problem::Undefined(name("size")),
        );
        check("rule x\na | <x> b", 7, Problem::Undefined(name("x")));
        check("rule x\na | (b|<x>)", 7, Problem::Undefined(name("x")));
        check(
            "plot a\n- {pet.was} red.",
            7,
            Problem::NoField {
                table: name("pet"),
                field: name("was"),
            },
        );
        check("rule color\ngreen", 6, Problem::Twice(name("color")));
        check("var pet : pet", 6, Problem::Twice(name("pet")));
        check("table pet = name\nRex", 6, Problem::Twice(name("pet")));
        check("table a = name\nRex; Rex", 7, Problem::Twice(name("Rex")));
        check("var cat : cats", 6, Problem::Undefined(name("cats")));
        check("plot a\n- (x|y.", 7, Problem::Unclosed('('));
        check("plot a\n- x)y.", 7, Problem::Unclosed(')'));
        check("plot a\n- {pet ran.", 7, Problem::Unclosed('{'));
        check("plot a\n- <color ran.", 7, Problem::Unclosed('<'));
        check("plot a\n/ Hello.", 7, Problem::NoSentence);
        check("plot a\n- (0:x|y).", 7, Problem::Weight);
        check(
            "plot a\nHello.",
            7,
            Problem::Expected("a line that begins with -, ?, / or --"),
        );
        check("rule a\n\nrule b\nx", 6, Problem::Empty(name("a")));
        check("plot a", 6, Problem::Empty(name("a")));
        check(
            "rule a\nx || y",
            7,
            Problem::Expected("an option between the bars"),
        );
        check("rule", 6, Problem::Expected("a name"));
        check("table a", 6, Problem::Expected("table NAME = FIELD, ..."));
        check("var a", 6, Problem::Expected("var NAME : TABLE"));
        check(
            "table a = x, y\nRex",
            7,
            Problem::NoDefault {
                row: name("Rex"),
                field: name("y"),
            },
        );
        check(
            "table a = x\nRex, it",
            7,
            Problem::TooManyValues(name("Rex, it")),
        );
        check("rule a\nna\u{ef}ve", 7, Problem::NotAscii);
        let rows: Vec<_> = (0..129).map(|i| format!("n{i}")).collect();
        let table = format!("table a = x\n{}", rows.join(";"));
        check(&table, 7, Problem::TooManyRows(name("a")));
        assert_eq!(
            Grammar::load("red | blue").expect_err("no heading"),
            GrammarError {
                line: 1,
                problem: Problem::Homeless
            }
        );
    }

    #[test]
    fn weights_become_probabilities() {
        let grammar = Grammar::load("rule a\n3: x | y").expect("a good grammar");
        let options = &grammar.choices[0].options;
        assert!((options[0].nats - (4.0_f64 / 3.0).ln()).abs() < 1e-12);
        assert!((options[1].nats - 4.0_f64.ln()).abs() < 1e-12);
    }
}
