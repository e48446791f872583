//! From tokens to a tree, by the strength with which operators bind (Pratt 1973, "Top down operator precedence").

use serde_json::Value;

use super::tokens::{Token, tokens};
use super::{Node, Operator};

/// Brackets within brackets that are read, so that no text can overflow the stack.
const MAX_DEPTH: usize = 64;
const COMPARISON_STRENGTH: u8 = 4;
const NOT_STRENGTH: u8 = 3;

/// Reads an expression.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let root = parser.expression(0)?;
    match parser.tokens.get(parser.at) {
        Some(token) => Err(format!("{token} is not expected here")),
        None => Ok(root),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    /// Takes the next token if it is the symbol or word.
    fn take(&mut self, wanted: &str) -> bool {
        let found = match self.tokens.get(self.at) {
            Some(Token::Symbol(symbol)) => *symbol == wanted,
            Some(Token::Word(word)) => word == wanted,
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.take(wanted) {
            return Ok(());
        }
        Err(match self.tokens.get(self.at) {
            Some(token) => format!("`{wanted}` is missing before {token}"),
            None => format!("`{wanted}` is missing at the end"),
        })
    }

    /// All that binds more strongly than `strength`.
    fn expression(&mut self, strength: u8) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} levels deep"));
        }
        let mut left = self.operand()?;
        loop {
            if strength < COMPARISON_STRENGTH {
                let start = self.at;
                let negated = self.take("not");
                if self.take("in") {
                    self.expect("[")?;
                    let list = self.list("]")?;
                    left = Node::In(Box::new(left), list);
                    if negated {
                        left = Node::Not(Box::new(left));
                    }
                    continue;
                }
                self.at = start;
            }
            let Some(operator) = self.peek_operator()? else {
                break;
            };
            if operator.strength() <= strength {
                break;
            }
            self.at += 1;
            let right = self.expression(operator.strength())?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, String> {
        let token = self.next().ok_or("ends too early")?;
        Ok(match token {
            Token::Number(number) => Node::Literal(Value::from(number)),
            Token::Text(text) => Node::Literal(Value::from(text)),
            Token::Symbol("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                inner
            }
            Token::Symbol("-") => Node::Negative(Box::new(self.expression(6)?)),
            Token::Symbol("!") => Node::Not(Box::new(self.expression(NOT_STRENGTH)?)),
            Token::Word(word) => match word.as_str() {
                "not" => Node::Not(Box::new(self.expression(NOT_STRENGTH)?)),
                "true" => Node::Literal(Value::Bool(true)),
                "false" => Node::Literal(Value::Bool(false)),
                "null" => Node::Literal(Value::Null),
                "min" | "max" if self.take("(") => Node::Extreme {
                    largest: word == "max",
                    of: self.list(")")?,
                },
                "and" | "or" | "in" => return Err(format!("`{word}` has nothing to its left")),
                _ => Node::Name(word),
            },
            other => return Err(format!("{other} is not expected here")),
        })
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, String> {
        let mut list = Vec::new();
        loop {
            list.push(self.expression(0)?);
            if !self.take(",") {
                self.expect(end)?;
                return Ok(list);
            }
        }
    }

    fn peek_operator(&self) -> Result<Option<Operator>, String> {
        let Some(token) = self.tokens.get(self.at) else {
            return Ok(None);
        };
        Ok(Some(match token {
            Token::Word(word) if word == "and" => Operator::And,
            Token::Word(word) if word == "or" => Operator::Or,
            Token::Symbol(symbol) => match *symbol {
                "&&" => Operator::And,
                "||" => Operator::Or,
                "==" => Operator::Equal,
                "!=" => Operator::Unequal,
                "<" => Operator::Less,
                "<=" => Operator::LessEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterEqual,
                "+" => Operator::Add,
                "-" => Operator::Subtract,
                "*" => Operator::Multiply,
                "/" => Operator::Divide,
                "%" => Operator::Remainder,
                "=" => return Err("`=` is written `==`".to_owned()),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}
