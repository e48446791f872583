//! Measuring how well a tokenizer fits texts: how many tokens they take, by script too, and whether they come back whole.

mod scripts;
mod table;

use serde::Serialize;

use crate::error::TokenizerError;
use crate::tokenizer::Tokenizer;
use scripts::ScriptCounts;

/// What a tokenizer makes of some texts. As text it is a table for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenizerReport {
    /// The tokenizer, as [`Tokenizer::describe`] puts it.
    pub tokenizer: String,
    /// A row for each text.
    pub texts: Vec<TextMeasures>,
    /// All texts together.
    pub total: TextMeasures,
    /// A row for each script, the one with the most bytes first.
    pub scripts: Vec<ScriptMeasures>,
}

/// What a tokenizer makes of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TextMeasures {
    /// Name of the text.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its length in Unicode characters.
    pub characters: u64,
    /// Runs of characters without white space; few and long in scripts that are written without spaces.
    pub words: u64,
    /// Tokens it is encoded to, unknown ones included.
    pub tokens: u64,
    /// Tokens that stand for what has no token, and characters that cannot be encoded at all, which count as a token each.
    pub unknown: u64,
    /// Bytes for each token: the higher, the more text fits into a context. 0 without tokens, like the next two.
    pub bytes_per_token: f64,
    /// Characters for each token.
    pub characters_per_token: f64,
    /// Tokens for each word; 0 without words.
    pub tokens_per_word: f64,
    /// Share of the tokens that are unknown, from 0 to 1.
    pub unknown_share: f64,
    /// Whether decoding gives back the text byte for byte.
    pub exact: bool,
}

/// What a tokenizer makes of the text in one script.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScriptMeasures {
    /// Name of the script in Unicode, such as `Latin`.
    pub script: String,
    /// Bytes of text in it. White space, digits and signs that belong to no script go with the letters before them.
    pub bytes: u64,
    /// Tokens of it. A token of several scripts, with all its bytes, belongs to the one that most of them are in.
    pub tokens: u64,
    /// Bytes for each token; 0 without tokens.
    pub bytes_per_token: f64,
}

impl TokenizerReport {
    /// Encodes and decodes texts, each given with its name, as plain text: special tokens in them are text.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`], but for characters without a token, which are counted.
    pub fn new<I, N, T>(tokenizer: &Tokenizer, texts: I) -> Result<Self, TokenizerError>
    where
        I: IntoIterator<Item = (N, T)>,
        N: Into<String>,
        T: AsRef<str>,
    {
        let mut scripts = ScriptCounts::default();
        let mut total = TextMeasures {
            name: "all texts".to_owned(),
            exact: true,
            ..TextMeasures::default()
        };
        let mut rows = Vec::new();
        for (name, text) in texts {
            let row = measure(tokenizer, name.into(), text.as_ref(), &mut scripts)?;
            total.bytes += row.bytes;
            total.characters += row.characters;
            total.words += row.words;
            total.tokens += row.tokens;
            total.unknown += row.unknown;
            total.exact &= row.exact;
            rows.push(row);
        }
        total.divide();
        Ok(Self {
            tokenizer: tokenizer.describe(),
            texts: rows,
            total,
            scripts: scripts.measures(),
        })
    }
}

impl TextMeasures {
    /// Works out the ratios.
    fn divide(&mut self) {
        self.bytes_per_token = ratio(self.bytes, self.tokens);
        self.characters_per_token = ratio(self.characters, self.tokens);
        self.tokens_per_word = ratio(self.tokens, self.words);
        self.unknown_share = ratio(self.unknown, self.tokens);
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn measure(
    tokenizer: &Tokenizer,
    name: String,
    text: &str,
    scripts: &mut ScriptCounts,
) -> Result<TextMeasures, TokenizerError> {
    let mut row = TextMeasures {
        name,
        bytes: text.len() as u64,
        characters: text.chars().count() as u64,
        words: text.split_whitespace().count() as u64,
        exact: true,
        ..TextMeasures::default()
    };
    let mut spans = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        let (part, failed) = match tokenizer.encode(rest) {
            Ok(_) => (rest, None),
            Err(TokenizerError::UnknownCharacter {
                character,
                position,
            }) => {
                let place = rest.char_indices().nth(position);
                let place = place.map_or(rest.len(), |(place, _)| place);
                (&rest[..place], Some(character))
            }
            Err(error) => return Err(error),
        };
        let ids = tokenizer.encode(part)?;
        row.tokens += ids.len() as u64;
        let unknown = tokenizer.inner().unknown;
        row.unknown += ids.iter().filter(|id| Some(**id) == unknown).count() as u64;
        row.exact &= failed.is_none() && tokenizer.decode(&ids)? == part;
        let found = tokenizer.spans(part, &ids)?.into_iter();
        spans.extend(found.map(|span| span.start + start..span.end + start));
        rest = &rest[part.len()..];
        if let Some(character) = failed {
            let end = start + part.len() + character.len_utf8();
            spans.push(start + part.len()..end);
            row.tokens += 1;
            row.unknown += 1;
            rest = &text[end..];
        }
    }
    scripts.add(text, &spans);
    row.divide();
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_tokenizer_has_a_token_for_each_character_and_counts_those_it_lacks() {
        let tokenizer = Tokenizer::train_characters(["ab é"]).unwrap();
        let texts = [("known", "ab ba"), ("unknown", "aбб é"), ("empty", "")];
        let report = TokenizerReport::new(&tokenizer, texts).unwrap();
        let [known, unknown, empty] = &report.texts[..] else {
            panic!("three texts have three rows");
        };
        assert_eq!((known.bytes, known.tokens, known.words), (5, 5, 2));
        assert_eq!((known.unknown, known.exact), (0, true));
        assert_eq!(known.tokens_per_word, 2.5);
        assert_eq!(
            (unknown.characters, unknown.tokens, unknown.unknown),
            (5, 5, 2)
        );
        assert_eq!((unknown.unknown_share, unknown.exact), (0.4, false));
        assert_eq!(unknown.bytes_per_token, 8.0 / 5.0);
        assert_eq!(
            (empty.tokens, empty.bytes_per_token, empty.exact),
            (0, 0.0, true)
        );
        assert_eq!((report.total.tokens, report.total.exact), (10, false));
    }

    #[test]
    fn scripts_add_up_to_the_texts() {
        let text = "the лиса, the лиса 12\n";
        let tokenizer = Tokenizer::train_bpe([text; 20], 300).unwrap();
        let texts = [("a", text), ("b", "狐 the")];
        let report = TokenizerReport::new(&tokenizer, texts).unwrap();
        let sum = |count: fn(&ScriptMeasures) -> u64| report.scripts.iter().map(count).sum::<u64>();
        assert_eq!(sum(|row| row.bytes), report.total.bytes);
        assert_eq!(sum(|row| row.tokens), report.total.tokens);
        let names: Vec<_> = report
            .scripts
            .iter()
            .map(|row| row.script.as_str())
            .collect();
        assert_eq!(names, ["Cyrillic", "Latin", "Han"]);
        assert!(report.total.exact);
    }
}
