//! Cutting a text into words, within which merges are learned and applied.
//!
//! The rules of GPT-2 and of GPT-4 are followed by hand, a byte at a time where the text is ASCII. The look-ahead of the
//! expressions gives up on a long run of spaces. Property tests compare with the expressions.
//!
//! Sources: `encoder.py` of GPT-2, <https://github.com/openai/gpt-2/blob/master/src/encoder.py>; `openai_public.py` of tiktoken,
//! <https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py>, for `cl100k_base`.

mod classes;

use serde_json::{Value, json};

use crate::definition;
use crate::error::TokenizerError;
use classes::{ASCII, Class};

/// The expression of GPT-2.
pub(crate) const GPT2: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// The expression of GPT-4 as `tokenizer.json` files have it, for Llama 3 too. Both were published with other repetition signs that cut the
/// same words.
pub(crate) const GPT4: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A rule made ready.
pub(crate) enum Splitter {
    Gpt2,
    Gpt4,
    /// The text is one word.
    Whole,
    /// What the expression finds, and what lies between.
    Expression(Box<fancy_regex::Regex>),
}

impl Splitter {
    /// Makes the splitter of a regular expression.
    ///
    /// # Errors
    /// [`TokenizerError::Pattern`] where it is none.
    pub(crate) fn of_expression(expression: &str) -> Result<Self, TokenizerError> {
        match expression {
            GPT2 => return Ok(Self::Gpt2),
            GPT4 => return Ok(Self::Gpt4),
            _ => {}
        }
        let compiled = fancy_regex::Regex::new(expression);
        let compiled = compiled.map_err(|source| TokenizerError::Pattern {
            pattern: expression.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::Expression(Box::new(compiled)))
    }

    /// Recognises the rule of a byte-level pre-tokenizer.
    pub(crate) fn recognise(pre_tokenizer: &Value) -> Option<Self> {
        let plain = |step: &Value| step["type"] == "ByteLevel" && step["add_prefix_space"] == false;
        if plain(pre_tokenizer) {
            let cuts = pre_tokenizer["use_regex"] != false;
            return Some(if cuts { Self::Gpt2 } else { Self::Whole });
        }
        let [split, bytes] = pre_tokenizer["pretokenizers"].as_array()?.as_slice() else {
            return None;
        };
        let known = pre_tokenizer["type"] == "Sequence"
            && split["type"] == "Split"
            && split["behavior"] == "Isolated"
            && split["invert"] == false
            && plain(bytes)
            && bytes["use_regex"] == false;
        match split["pattern"]["Regex"].as_str()? {
            GPT2 if known => Some(Self::Gpt2),
            GPT4 if known => Some(Self::Gpt4),
            _ => None,
        }
    }

    /// The pre-tokenizer of a definition that follows this rule and writes bytes as symbols.
    pub(crate) fn pre_tokenizer(&self) -> Value {
        let expression = match self {
            Self::Gpt2 => return definition::byte_level(true),
            Self::Whole => return definition::byte_level(false),
            Self::Gpt4 => GPT4,
            Self::Expression(expression) => expression.as_str(),
        };
        let split = json!({
            "type": "Split",
            "pattern": {"Regex": expression},
            "behavior": "Isolated",
            "invert": false,
        });
        json!({"type": "Sequence", "pretokenizers": [split, definition::byte_level(false)]})
    }

    /// Whether a word always ends before a space that follows another character than white space.
    pub(crate) fn ends_at_spaces(&self) -> bool {
        matches!(self, Self::Gpt2 | Self::Gpt4)
    }

    /// Calls `word` with each word of `text`; put together they give it back.
    ///
    /// # Errors
    /// [`TokenizerError::PatternGaveUp`], for an expression that goes back too often.
    pub(crate) fn each<'t>(
        &self,
        text: &'t str,
        mut word: impl FnMut(&'t str),
    ) -> Result<(), TokenizerError> {
        match self {
            Self::Gpt2 => words(text, gpt2_word).for_each(word),
            Self::Gpt4 => words(text, gpt4_word).for_each(word),
            Self::Whole if text.is_empty() => {}
            Self::Whole => word(text),
            Self::Expression(expression) => {
                let mut done = 0;
                for found in expression.find_iter(text) {
                    let found = found.map_err(|source| TokenizerError::PatternGaveUp {
                        position: done,
                        source: Box::new(source),
                    })?;
                    for part in [done..found.start(), found.start()..found.end()] {
                        if !part.is_empty() {
                            word(&text[part]);
                        }
                    }
                    done = found.end();
                }
                if done < text.len() {
                    word(&text[done..]);
                }
            }
        }
        Ok(())
    }
}

/// Cuts `text` into the words whose lengths `first` tells; put together they give it back.
fn words(text: &str, first: impl Fn(&str) -> usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (word, after) = rest.split_at(first(rest));
        rest = after;
        Some(word)
    })
}

/// Length in bytes of the first word of a text, by the rule of GPT-2.
fn gpt2_word(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes[0] == b'\'' {
        match bytes.get(1..) {
            Some([b's' | b't' | b'm' | b'd', ..]) => return 2,
            Some([b'r' | b'v', b'e', ..] | [b'l', b'l', ..]) => return 3,
            _ => {}
        }
    }
    // A space goes with what follows, unless that is white space.
    let start = usize::from(bytes[0] == b' ' && bytes.len() > 1);
    let (class, _) = class_at(text, start);
    if class != Class::Space {
        return run(text, start, class);
    }
    white_space(text, run(text, 0, Class::Space))
}

/// Length in bytes of the first word of a text, by the rule of GPT-4 and Llama 3.
fn gpt4_word(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes[0] == b'\''
        && let Some(length) = gpt4_contraction(&bytes[1..])
    {
        return 1 + length;
    }
    let (class, length) = class_at(text, 0);
    match class {
        Class::Letter => return run(text, 0, Class::Letter),
        Class::Number => return numbers(text),
        Class::Space | Class::Other => {}
    }
    // One character before letters belongs to them, whatever it is but the end of a line.
    let newline = matches!(bytes[0], b'\r' | b'\n');
    let next = (length < text.len()).then(|| class_at(text, length).0);
    if !newline && next == Some(Class::Letter) {
        return run(text, length, Class::Letter);
    }
    let spaced = bytes[0] == b' ' && next == Some(Class::Other);
    if class == Class::Other || spaced {
        let end = run(text, if spaced { 1 } else { 0 }, Class::Other);
        let newlines = bytes[end..].iter();
        return end + newlines.take_while(|b| matches!(b, b'\r' | b'\n')).count();
    }
    let end = run(text, 0, Class::Space);
    match bytes[..end]
        .iter()
        .rposition(|b| matches!(b, b'\r' | b'\n'))
    {
        Some(newline) => newline + 1,
        None => white_space(text, end),
    }
}

/// Length of what follows the apostrophe of a contraction, in capitals too. `ſ` is an s to the expression.
fn gpt4_contraction(after: &[u8]) -> Option<usize> {
    let lower = |place: usize| after.get(place).map(u8::to_ascii_lowercase);
    match (lower(0), lower(1)) {
        (Some(b's' | b't' | b'm' | b'd'), _) => Some(1),
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) => Some(2),
        _ => after.starts_with("ſ".as_bytes()).then_some("ſ".len()),
    }
}

/// Length of the up to three numbers that a text begins with.
fn numbers(text: &str) -> usize {
    let mut end = 0;
    for _ in 0..3 {
        if end == text.len() {
            break;
        }
        let (class, length) = class_at(text, end);
        if class != Class::Number {
            break;
        }
        end += length;
    }
    end
}

/// Length of the word in the run of white space that a text begins with and that ends at `end`: a run before something else leaves its
/// last character to that, unless it is the only one.
fn white_space(text: &str, end: usize) -> usize {
    if end == text.len() {
        return end;
    }
    let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
    if end == last { end } else { end - last }
}

/// Class of the character at `place`, which must be one, and its length.
fn class_at(text: &str, place: usize) -> (Class, usize) {
    let byte = text.as_bytes()[place];
    if byte < 128 {
        return (ASCII[usize::from(byte)], 1);
    }
    let character = text[place..].chars().next();
    character.map_or((Class::Other, 1), |c| (classes::of(c), c.len_utf8()))
}

/// End of the run of characters of `class` that begins at `start`.
fn run(text: &str, start: usize, class: Class) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    while end < bytes.len() {
        let byte = bytes[end];
        if byte < 128 {
            if ASCII[usize::from(byte)] != class {
                break;
            }
            end += 1;
        } else {
            let (found, length) = class_at(text, end);
            if found != class {
                break;
            }
            end += length;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::PreTokenizerWrapper;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    fn cut<'t>(splitter: &Splitter, text: &'t str) -> Vec<&'t str> {
        let mut words = Vec::new();
        splitter.each(text, |word| words.push(word)).unwrap();
        words
    }

    /// The words of the library by a definition, in the text as it was.
    fn reference(pre_tokenizer: &Value, text: &str) -> Vec<String> {
        let rule: PreTokenizerWrapper = serde_json::from_value(pre_tokenizer.clone()).unwrap();
        let mut words = PreTokenizedString::from(text);
        rule.pre_tokenize(&mut words).unwrap();
        words
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter()
            .map(|(_, (start, end), _)| text[start..end].to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    }

    #[track_caller]
    fn check(splitter: &Splitter, text: &str, expected: &[&str]) {
        assert_eq!(cut(splitter, text), expected);
        assert_eq!(reference(&splitter.pre_tokenizer(), text), expected);
    }

    #[test]
    fn gpt2_leaves_the_last_white_space_to_the_next_word() {
        let check = |text, expected: &[&str]| check(&Splitter::Gpt2, text, expected);
        check("", &[]);
        check("a  b", &["a", " ", " b"]);
        check("a \n\n b", &["a", " \n\n", " b"]);
        check("a \n\nb", &["a", " \n", "\n", "b"]);
        check("a   ", &["a", "   "]);
        check("\u{a0}a", &["\u{a0}", "a"]);
        check("it's 12 :)", &["it", "'s", " 12", " :)"]);
        check("'S 're'x", &["'", "S", " '", "re", "'", "x"]);
    }

    #[test]
    fn gpt4_cuts_numbers_by_three_and_keeps_one_character_before_letters() {
        let check = |text, expected: &[&str]| check(&Splitter::Gpt4, text, expected);
        check("12345 6", &["123", "45", " ", "6"]);
        check("(a\tb c", &["(a", "\tb", " c"]);
        check("IT'S 'll'ſ", &["IT", "'S", " '", "ll", "'ſ"]);
        check("a!\n\n b", &["a", "!\n\n", " b"]);
        check(" \n \n  b", &[" \n \n", " ", " b"]);
        check("a  \t", &["a", "  \t"]);
    }

    #[test]
    fn a_long_run_of_spaces_is_one_word() {
        let text = format!("{}x", " ".repeat(3_000_000));
        for splitter in [Splitter::Gpt2, Splitter::Gpt4] {
            assert_eq!(cut(&splitter, &text).len(), 2);
        }
    }

    #[test]
    fn an_expression_gives_what_it_finds_and_what_lies_between() {
        let splitter = Splitter::of_expression("b+").unwrap();
        check(&splitter, "abbcb", &["a", "bb", "c", "b"]);
        check(&Splitter::Whole, "a b\nc", &["a b\nc"]);
        assert!(matches!(Splitter::of_expression(GPT4), Ok(Splitter::Gpt4)));
    }

    #[test]
    fn an_expression_that_cannot_be_used_is_an_error() {
        let error = Splitter::of_expression("(a").err().unwrap();
        assert!(error.to_string().contains("\"(a\""), "{error}");
        let splitter = Splitter::of_expression(r"(?:x+x+)+(?!x)y").unwrap();
        let error = splitter.each(&"x".repeat(60), |_| {}).unwrap_err();
        assert!(matches!(
            error,
            TokenizerError::PatternGaveUp { position: 0, .. }
        ));
    }

    #[test]
    fn rules_are_recognised_by_their_definitions() {
        for splitter in [Splitter::Gpt2, Splitter::Gpt4, Splitter::Whole] {
            let definition = splitter.pre_tokenizer();
            let found = Splitter::recognise(&definition).unwrap();
            assert_eq!(found.pre_tokenizer(), definition);
        }
        let other = Splitter::of_expression("b+").unwrap().pre_tokenizer();
        assert!(Splitter::recognise(&other).is_none());
        for (pointer, value) in [
            ("/pretokenizers/0/behavior", json!("Removed")),
            ("/pretokenizers/0/invert", json!(true)),
            ("/pretokenizers/1/use_regex", json!(true)),
            ("/pretokenizers/1/add_prefix_space", json!(true)),
        ] {
            let mut changed = Splitter::Gpt4.pre_tokenizer();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert!(Splitter::recognise(&changed).is_none(), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_library(
            text in "[a-z '\\s\\d\\p{L}\\p{N}\\p{M}\\p{P}\\p{So}]{0,40}|[ \n\r\t'stxSLlſ1.\u{a0}\u{3000}\u{85}\u{1c}]{0,40}|(?s:.){0,30}"
        ) {
            for splitter in [Splitter::Gpt2, Splitter::Gpt4] {
                let words = cut(&splitter, &text);
                prop_assert_eq!(words.concat(), text.as_str());
                prop_assert_eq!(words, reference(&splitter.pre_tokenizer(), &text));
            }
        }

        #[test]
        fn a_text_may_be_cut_before_a_space(
            parts in prop::collection::vec("[ \n\r\t'stxSLl1.,é]{0,12}", 1..5)
        ) {
            let text = parts.concat();
            for splitter in [Splitter::Gpt2, Splitter::Gpt4] {
                let whole = cut(&splitter, &text);
                for (place, _) in text.match_indices(' ') {
                    if text[..place].ends_with(|c: char| !c.is_whitespace()) {
                        let (left, right) = text.split_at(place);
                        let both = [cut(&splitter, left), cut(&splitter, right)].concat();
                        prop_assert_eq!(&both, &whole);
                    }
                }
            }
        }
    }
}
