//! One token on one line, for tables and plots: what it adds to a text, with everything made visible that would not be seen.

use super::render::push_character;
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// What the token adds in the middle of a text. A space is `␣`, a tab `→`, a line feed `⏎`; other white space, control characters and
    /// characters without a width stand with their code point as `<U+00A0>`, a byte that is no whole character as `<E7>`. Special and unknown
    /// tokens stand with their names, and an id outside the vocabulary, which a model may have, as `<61?>`.
    ///
    /// A label is no markup: whoever writes it into HTML or SVG has to escape it.
    pub fn label(&self, id: u32) -> String {
        let bytes = match self.text_token(id) {
            Ok(Some(token)) => self.pieces().bytes_of(token).ok(),
            Ok(None) => self.token(id).map(String::into_bytes),
            Err(_) => return format!("<{id}?>"),
        };
        let mut label = String::new();
        for chunk in bytes.unwrap_or_default().utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => label.push('⏎'),
                    _ if has_no_width(character) => {
                        label.push_str(&format!("<U+{:04X}>", u32::from(character)));
                    }
                    _ => push_character(character, &mut label),
                }
            }
            for byte in chunk.invalid() {
                label.push_str(&format!("<{byte:02X}>"));
            }
        }
        label
    }
}

/// Whether a character leaves nothing to be seen, and is neither white space nor a control character.
fn has_no_width(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use crate::Tokenizer;

    #[test]
    fn what_would_not_be_seen_is_seen() {
        let text = "a b\tc\nd\u{a0}\u{1b}\u{200b}<&é";
        let tokenizer = Tokenizer::train_characters([text]).unwrap();
        let ids = tokenizer.encode(text).unwrap();
        let labels: Vec<String> = ids.iter().map(|id| tokenizer.label(*id)).collect();
        let expected = [
            "a", "␣", "b", "→", "c", "⏎", "d", "<U+00A0>", "<U+001B>", "<U+200B>", "<", "&", "é",
        ];
        assert_eq!(labels, expected);
        let eos = tokenizer.eos().unwrap();
        assert_eq!(tokenizer.label(eos), tokenizer.token(eos).unwrap());
        assert_eq!(tokenizer.label(9999), "<9999?>");
    }
}
