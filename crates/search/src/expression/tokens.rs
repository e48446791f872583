//! The tokens of an expression.

use std::fmt;

/// A number, a string in quotes, a name or word, or a sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Symbol(&'static str),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
        }
    }
}

/// Longer symbols before those that they begin with.
const SYMBOLS: [&str; 22] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",",
    "!", "=", "{", "}",
];

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            let length = number_length(rest);
            let number = rest[..length]
                .parse()
                .map_err(|_| format!("`{}` is not a number", &rest[..length]))?;
            found.push(Token::Number(number));
            length
        } else if first == '"' || first == '\'' {
            let inner = &rest[1..];
            let end = inner.find(first).ok_or("a string has no end")?;
            found.push(Token::Text(inner[..end].to_owned()));
            end + 2
        } else if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(rest.len());
            found.push(Token::Word(rest[..length].to_owned()));
            length
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            found.push(Token::Symbol(symbol));
            symbol.len()
        } else {
            return Err(format!("the character {first:?} means nothing here"));
        };
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// Digits, a point, an exponent with its sign.
fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    for (place, c) in text.char_indices() {
        let sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        if !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '_') || sign) {
            return place;
        }
        previous = c;
    }
    text.len()
}
