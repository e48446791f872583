//! Decoding token by token without ever showing half a character.
//!
//! A character may be spread over several tokens. Its bytes wait until it is whole, or until no further byte can make it whole, when U+FFFD
//! takes their place. The space at the end of a word waits for the next token where a text ends without one. So no more than three bytes, or
//! what one token ends with, are ever held back, and a token costs the same however long the text before it is.

use crate::error::TokenizerError;
use crate::pieces::Pending;
use crate::tokenizer::Tokenizer;

/// Decodes a stream of ids; made by [`Tokenizer::decoder`] and [`Tokenizer::decoder_after`].
///
/// The pieces put together, with what [`finish`](Self::finish) gives, are what [`Tokenizer::decode`] makes of all ids at once.
#[derive(Clone, Debug)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    /// Whether no token has come yet; special tokens do not count.
    first: bool,
    /// How many characters may still be stripped from the start of the text.
    strip: usize,
    /// The start of a character, or the end of a word.
    pending: Pending,
}

impl<'a> StreamDecoder<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            first: true,
            strip: tokenizer.pieces().strip.map_or(0, |(_, count)| count),
            pending: Pending::default(),
        }
    }

    /// Takes the next id and returns the text that it completes, which may be empty. Special tokens add nothing.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownId`] for an id outside the vocabulary; the stream then stands where it stood.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        let mut text = String::new();
        self.push_into(id, &mut text)?;
        Ok(text)
    }

    /// Ends the stream and returns what is left, which is mostly nothing: U+FFFD for a character that was never completed, or what the last token
    /// has after the end of a word.
    ///
    /// # Errors
    /// None at present.
    pub fn finish(mut self) -> Result<String, TokenizerError> {
        let mut text = String::new();
        self.finish_into(&mut text);
        Ok(text)
    }

    /// [`Self::push`] that appends.
    pub(crate) fn push_into(&mut self, id: u32, text: &mut String) -> Result<(), TokenizerError> {
        match self.tokenizer.text_token(id)? {
            Some(token) => {
                self.tokenizer
                    .pieces()
                    .push(token, self.first, &mut self.pending)
                    .map_err(|source| TokenizerError::Decode { id, source })?;
                self.first = false;
            }
            None if self.tokenizer.inner().unknown == Some(id) => {
                self.tokenizer.pieces().push_unknown(&mut self.pending);
            }
            None => {}
        }
        let start = text.len();
        drain_complete(&mut self.pending.bytes, text);
        self.strip_start(text, start);
        Ok(())
    }

    /// [`Self::finish`] that appends.
    pub(crate) fn finish_into(&mut self, text: &mut String) {
        let start = text.len();
        self.tokenizer.pieces().finish(&mut self.pending);
        drain_complete(&mut self.pending.bytes, text);
        if !self.pending.bytes.is_empty() {
            self.pending.bytes.clear();
            text.push(char::REPLACEMENT_CHARACTER);
        }
        self.strip_start(text, start);
    }

    /// Strips what has come since `start`, so long as nothing else has come before.
    fn strip_start(&mut self, text: &mut String, start: usize) {
        let Some((character, _)) = self.tokenizer.pieces().strip else {
            return;
        };
        while self.strip > 0 && text.len() > start {
            if text[start..].starts_with(character) {
                text.remove(start);
                self.strip -= 1;
            } else {
                self.strip = 0;
            }
        }
    }
}

/// Moves the whole characters of `bytes` to `text` and leaves the start of an unfinished one.
fn drain_complete(bytes: &mut Vec<u8>, text: &mut String) {
    let mut done = 0;
    loop {
        match std::str::from_utf8(&bytes[done..]) {
            Ok(valid) => {
                text.push_str(valid);
                done = bytes.len();
                break;
            }
            Err(error) => {
                let valid = done + error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&bytes[done..valid]));
                done = valid;
                let Some(wrong) = error.error_len() else {
                    break;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                done += wrong;
            }
        }
    }
    bytes.drain(..done);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_appears_with_its_last_byte_and_a_wrong_one_as_soon_as_it_is_wrong() {
        let mut bytes = Vec::new();
        let mut text = String::new();
        let mut after = |byte: u8| {
            bytes.push(byte);
            drain_complete(&mut bytes, &mut text);
            text.clone()
        };
        assert_eq!(after(0xF0), "");
        assert_eq!(after(0x9F), "");
        assert_eq!(after(0x98), "");
        assert_eq!(after(0x80), "😀");
        assert_eq!(after(0xF0), "😀");
        assert_eq!(after(0x80), "😀\u{FFFD}\u{FFFD}");
        assert_eq!(after(0xE2), "😀\u{FFFD}\u{FFFD}");
        assert_eq!(after(b'a'), "😀\u{FFFD}\u{FFFD}\u{FFFD}a");
    }

    proptest! {
        #[test]
        fn cutting_bytes_anywhere_gives_the_text_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(
                prop_oneof![any::<u8>(), 0x80u8..=0xBF, 0xE0u8..=0xF4], 0..6), 0..12)
        ) {
            let mut pending = Vec::new();
            let mut text = String::new();
            for part in &parts {
                pending.extend_from_slice(part);
                drain_complete(&mut pending, &mut text);
                prop_assert!(pending.len() <= 3);
            }
            text.push_str(&String::from_utf8_lossy(&pending));
            prop_assert_eq!(text, String::from_utf8_lossy(&parts.concat()).into_owned());
        }
    }
}
