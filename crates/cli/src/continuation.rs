//! The text of one generated sequence, token by token: decoded without half characters, cut before a stop string.

use llm_tokenizer::{StreamDecoder, Tokenizer, TokenizerError};

use crate::stop_matcher::{Passed, StopMatcher};

/// The text that follows a prompt.
#[derive(Debug)]
pub(crate) struct Continuation<'a> {
    /// `None` once the text is over.
    decoder: Option<StreamDecoder<'a>>,
    matcher: StopMatcher,
    text: String,
}

impl<'a> Continuation<'a> {
    /// Begins after `prompt`, to end before any of `stops`.
    pub(crate) fn new(tokenizer: &'a Tokenizer, prompt: &[u32], stops: &[String]) -> Self {
        let decoder = Some(tokenizer.decoder_after(prompt));
        Self {
            decoder,
            matcher: StopMatcher::new(stops),
            text: String::new(),
        }
    }

    /// Takes the next token and returns the text that is certain now.
    ///
    /// # Errors
    /// The tokenizer has no such token.
    pub(crate) fn push(&mut self, token: u32) -> Result<&str, TokenizerError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok("");
        };
        let piece = decoder.push(token)?;
        Ok(self.take(&piece))
    }

    /// The text is over: returns what was held back.
    ///
    /// # Errors
    /// The tokenizer can't end the text.
    pub(crate) fn finish(&mut self) -> Result<&str, TokenizerError> {
        let Some(decoder) = self.decoder.take() else {
            return Ok("");
        };
        let start = self.text.len();
        let piece = decoder.finish()?;
        match self.matcher.push(&piece) {
            Passed::End(text) => self.text.push_str(&text),
            Passed::Text(text) => {
                self.text.push_str(&text);
                self.text.push_str(&self.matcher.finish());
            }
        }
        Ok(&self.text[start..])
    }

    /// Whether a stop string has ended the text.
    pub(crate) fn is_over(&self) -> bool {
        self.decoder.is_none()
    }

    /// All of the text that is certain.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn take(&mut self, piece: &str) -> &str {
        let start = self.text.len();
        match self.matcher.push(piece) {
            Passed::Text(text) => self.text.push_str(&text),
            Passed::End(text) => {
                self.text.push_str(&text);
                self.decoder = None;
            }
        }
        &self.text[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_ends_before_a_stop_string_across_tokens() {
        let tokenizer = Tokenizer::train_characters(["one, two. three"]).unwrap();
        let prompt = tokenizer.encode("one").unwrap();
        let mut continuation = Continuation::new(&tokenizer, &prompt, &["o. t".to_owned()]);
        let mut shown = String::new();
        for token in tokenizer.encode(", two. three").unwrap() {
            shown += continuation.push(token).unwrap();
        }
        assert!(continuation.is_over());
        shown += continuation.finish().unwrap();
        assert_eq!((shown.as_str(), continuation.text()), (", tw", ", tw"));
    }

    #[test]
    fn what_was_held_back_comes_at_the_end() {
        let tokenizer = Tokenizer::train_characters(["abc"]).unwrap();
        let mut continuation = Continuation::new(&tokenizer, &[], &["bc".to_owned()]);
        for token in tokenizer.encode("ab").unwrap() {
            continuation.push(token).unwrap();
        }
        assert_eq!(continuation.text(), "a");
        assert_eq!(continuation.finish().unwrap(), "b");
        assert_eq!(continuation.text(), "ab");
    }
}
