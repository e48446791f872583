//! What each token adds to the decoded text, as bytes.
//!
//! The decoders of `tokenizers` turn a whole list of tokens into a string. All of them that matter here work token by token, apart from the
//! first one and, where tokens end words, from the last one, so that a stream can ask for one token at a time and end up with the same text. What
//! depends on whether another token follows is held back until then. The one difference is on purpose: a run of byte
//! tokens that is not UTF-8 becomes one U+FFFD for each wrong part, as in byte-level decoding and as Rust and Python do it, where `tokenizers`
//! replaces every byte of the run, the good ones too, once it has seen the end of it.

use tokenizers::{Decoder, DecoderWrapper};

use crate::byte_level;
use crate::sentencepiece::{SPACE, Settings};

/// Decoding of single tokens.
#[derive(Default)]
pub(crate) struct Pieces {
    /// Rules of the library that change each token on its own; the first token may count as such.
    each: Vec<DecoderWrapper>,
    bytes: Bytes,
    /// Whether a space comes between tokens, as with no decoder at all.
    spaced: bool,
    /// What ends a word, such as `</w>`: a space in its place, but nothing in the last token of all.
    end_of_word: Option<String>,
    /// Character to drop from the start of the text, and how many of it at most.
    pub(crate) strip: Option<(char, usize)>,
    /// Set where decoding follows SentencePiece instead of the rules of the library.
    sentences: Option<Sentences>,
}

/// Decoding as SentencePiece does it.
struct Sentences {
    leading: Leading,
    /// What the unknown piece is decoded to.
    unknown: String,
}

/// Which ▁ at the start of tokens are no part of the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leading {
    None,
    /// That of the first token.
    First,
    /// That of each token so long as there is no text.
    Each,
}

/// What has come of the tokens so far and is not yet certain to be text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// What is certain, perhaps with the start of a character at the end.
    pub(crate) bytes: Vec<u8>,
    /// The last token from where it first ends a word, if it does.
    ended: Option<String>,
    /// Whether a further ▁ at the start of a token is part of the text.
    begun: bool,
}

/// How tokens spell bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Bytes {
    /// Not at all.
    #[default]
    None,
    /// With the symbols of [`byte_level`].
    Symbols,
    /// As `<0x0A>`.
    Fallback,
}

impl Pieces {
    /// Reads a decoder.
    ///
    /// # Errors
    /// The type of a decoder that cannot work token by token.
    pub(crate) fn new(decoder: Option<&DecoderWrapper>) -> Result<Self, &'static str> {
        let mut pieces = Self::default();
        match decoder {
            None => pieces.spaced = true,
            Some(decoder) => {
                let mut fused = false;
                pieces.add(decoder, &mut fused)?;
            }
        }
        Ok(pieces)
    }

    fn add(&mut self, decoder: &DecoderWrapper, fused: &mut bool) -> Result<(), &'static str> {
        let first_rules = !*fused && self.bytes == Bytes::None && self.end_of_word.is_none();
        match decoder {
            DecoderWrapper::Sequence(sequence) => {
                for decoder in sequence.get_decoders() {
                    self.add(decoder, fused)?;
                }
            }
            DecoderWrapper::Replace(_)
            | DecoderWrapper::Metaspace(_)
            | DecoderWrapper::WordPiece(_)
                if first_rules =>
            {
                self.each.push(decoder.clone());
            }
            DecoderWrapper::Strip(strip) if first_rules && strip.stop == 0 => {
                self.each.push(decoder.clone());
            }
            DecoderWrapper::Strip(strip) if *fused && strip.stop == 0 && self.strip.is_none() => {
                self.strip = Some((strip.content, strip.start));
            }
            DecoderWrapper::ByteLevel(_) if first_rules => {
                self.bytes = Bytes::Symbols;
                *fused = true;
            }
            DecoderWrapper::ByteFallback(_) if first_rules => self.bytes = Bytes::Fallback,
            DecoderWrapper::BPE(bpe) if first_rules => self.end_of_word = Some(bpe.suffix.clone()),
            DecoderWrapper::Fuse(_) => *fused = true,
            DecoderWrapper::BPE(_) => return Err("BPEDecoder after another"),
            DecoderWrapper::CTC(_) => return Err("CTC"),
            DecoderWrapper::Replace(_) => {
                return Err("Replace after BPEDecoder, ByteFallback or Fuse");
            }
            DecoderWrapper::Metaspace(_) => {
                return Err("Metaspace after BPEDecoder, ByteFallback or Fuse");
            }
            DecoderWrapper::WordPiece(_) => {
                return Err("WordPiece after BPEDecoder, ByteFallback or Fuse");
            }
            DecoderWrapper::ByteLevel(_) => {
                return Err("ByteLevel after BPEDecoder, ByteFallback or Fuse");
            }
            DecoderWrapper::ByteFallback(_) => {
                return Err("ByteFallback after BPEDecoder, bytes or Fuse");
            }
            DecoderWrapper::Strip(_) => {
                return Err("Strip of the end, or between BPEDecoder or bytes and Fuse");
            }
        }
        Ok(())
    }

    /// Decodes as SentencePiece does with these settings; `byte_fallback` tells whether there are tokens of bytes.
    pub(crate) fn of_sentences(settings: &Settings, byte_fallback: bool) -> Self {
        let leading = match settings {
            _ if settings.remove_extra_whitespaces => Leading::Each,
            _ if settings.add_dummy_prefix => Leading::First,
            _ => Leading::None,
        };
        Self {
            bytes: if byte_fallback {
                Bytes::Fallback
            } else {
                Bytes::None
            },
            sentences: Some(Sentences {
                leading,
                unknown: settings.unk_surface.clone(),
            }),
            ..Self::default()
        }
    }

    /// Appends what the unknown token adds, if it adds anything.
    pub(crate) fn push_unknown(&self, pending: &mut Pending) {
        if let Some(Sentences { unknown, .. }) = &self.sentences {
            pending.bytes.extend_from_slice(unknown.as_bytes());
            pending.begun |= !unknown.is_empty();
        }
    }

    /// Whether tokens spell their bytes in byte-level symbols.
    pub(crate) fn byte_level(&self) -> bool {
        self.bytes == Bytes::Symbols
    }

    /// Whether single bytes are tokens of their own.
    pub(crate) fn byte_fallback(&self) -> bool {
        self.bytes == Bytes::Fallback
    }

    /// Whether `token` names one byte by its number.
    pub(crate) fn is_byte(&self, token: &str) -> bool {
        self.byte_fallback() && fallback_byte(token).is_some()
    }

    /// Appends what `token` adds; `first` tells that no other token came before.
    pub(crate) fn push(
        &self,
        token: String,
        first: bool,
        pending: &mut Pending,
    ) -> Result<(), tokenizers::Error> {
        if let Some(Sentences { leading, .. }) = &self.sentences {
            let mut text = token.as_str();
            if let Some(byte) = fallback_byte(text).filter(|_| self.byte_fallback()) {
                pending.bytes.push(byte);
                pending.begun = true;
                return Ok(());
            }
            if let (false, Some(rest)) = (
                pending.begun || *leading == Leading::None,
                text.strip_prefix(SPACE),
            ) {
                text = rest;
                pending.begun = *leading == Leading::First;
            }
            pending.begun |= !text.is_empty();
            pending
                .bytes
                .extend_from_slice(text.replace(SPACE, " ").as_bytes());
            return Ok(());
        }
        let mut token = token;
        for rule in &self.each {
            // A rule may treat the first token of its list differently, so let an empty one stand for those before.
            let list = if first {
                vec![token]
            } else {
                vec![String::new(), token]
            };
            token = rule.decode_chain(list)?.pop().unwrap_or_default();
        }
        let Pending { bytes, ended, .. } = pending;
        if let Some(end) = &self.end_of_word {
            if let Some(ended) = ended.take() {
                bytes.extend_from_slice(ended.replace(end, " ").as_bytes());
            }
            let certain = token.find(end.as_str());
            *ended = certain.map(|certain| token.split_off(certain));
        }
        match self.bytes {
            Bytes::Symbols => byte_level::push_bytes(&token, bytes),
            Bytes::Fallback => match fallback_byte(&token) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(token.as_bytes()),
            },
            Bytes::None => {
                if self.spaced && !first {
                    bytes.push(b' ');
                }
                bytes.extend_from_slice(token.as_bytes());
            }
        }
        Ok(())
    }

    /// What `token` adds in the middle of a text, the space at the end of a word included.
    pub(crate) fn bytes_of(&self, token: String) -> Result<Vec<u8>, tokenizers::Error> {
        let mut pending = Pending {
            begun: true,
            ..Pending::default()
        };
        // Without a decoder a space comes between tokens, and belongs to neither.
        self.push(token, self.spaced, &mut pending)?;
        if let (Some(end), Some(ended)) = (&self.end_of_word, pending.ended.take()) {
            let ended = ended.replace(end, " ");
            pending.bytes.extend_from_slice(ended.as_bytes());
        }
        Ok(pending.bytes)
    }

    /// Appends what the last token adds because no other follows.
    pub(crate) fn finish(&self, pending: &mut Pending) {
        if let (Some(end), Some(ended)) = (&self.end_of_word, pending.ended.take()) {
            pending
                .bytes
                .extend_from_slice(ended.replace(end, "").as_bytes());
        }
    }
}

/// Byte of a token such as `<0x0A>`.
pub(crate) fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Decodes like the library, token by token.
    #[track_caller]
    fn check(decoder: Value, tokens: &[&str]) {
        let decoder: DecoderWrapper = serde_json::from_value(decoder).unwrap();
        let pieces = Pieces::new(Some(&decoder)).unwrap();
        let mut pending = Pending::default();
        for (index, token) in tokens.iter().enumerate() {
            pieces
                .push((*token).to_owned(), index == 0, &mut pending)
                .unwrap();
        }
        pieces.finish(&mut pending);
        let mut text = String::from_utf8_lossy(&pending.bytes).into_owned();
        if let Some((character, count)) = pieces.strip {
            for _ in 0..count {
                text = text
                    .strip_prefix(character)
                    .map_or(text.clone(), str::to_owned);
            }
        }
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        assert_eq!(text, decoder.decode(tokens).unwrap());
    }

    #[test]
    fn token_by_token_gives_the_text_of_the_library() {
        let replace = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
        let llama = json!({"type": "Sequence", "decoders": [
            replace, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]});
        check(llama, &["▁▁a", "<0xC3>", "<0xA9>", "▁b", "<0xé>", "<0x0A>"]);
        for scheme in ["always", "never", "first"] {
            let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
            check(metaspace, &["▁a", "▁b", "c"]);
        }
        let word_piece = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
        check(word_piece, &["un", "##able", "to", ".", "do", "n't"]);
        check(json!({"type": "Fuse"}), &["a", " ", "\\r\\n", "e\u{301}"]);
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        check(byte_level, &["Ġa", "Ã", "©", "not symbols", "Ã", "b"]);
    }

    #[test]
    fn without_a_decoder_tokens_stand_apart() {
        let pieces = Pieces::new(None).unwrap();
        let mut pending = Pending::default();
        pieces.push("a".to_owned(), true, &mut pending).unwrap();
        pieces.push("b".to_owned(), false, &mut pending).unwrap();
        assert_eq!(pending.bytes, b"a b");
    }

    #[test]
    fn the_end_of_a_word_is_a_space_once_another_token_follows() {
        let fused = |suffix: &str| {
            json!({"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "@"}, "content": suffix},
                {"type": "BPEDecoder", "suffix": suffix},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ]})
        };
        // Without a suffix it is everywhere.
        for suffix in ["</w>", "w", ""] {
            for tokens in [
                &["</w>"][..],
                &["fo", "x</w>", "ran", "</w>", "w", "o", "w"],
                &["a</w>b</w>c", "a</w>b</w>c", "d", "</w></w>"],
                &["", "@", "é@é", ""],
            ] {
                check(json!({"type": "BPEDecoder", "suffix": suffix}), tokens);
                check(fused(suffix), tokens);
            }
        }
    }

    #[test]
    fn decoders_that_need_the_whole_list_are_refused() {
        for decoder in [
            json!({"type": "Sequence", "decoders": [{"type": "BPEDecoder", "suffix": "</w>"}, {"type": "ByteFallback"}]}),
            json!({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "BPEDecoder", "suffix": "</w>"}]}),
            json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true}),
            json!({"type": "Strip", "content": " ", "start": 0, "stop": 1}),
            json!({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]}),
        ] {
            let decoder: DecoderWrapper = serde_json::from_value(decoder).unwrap();
            assert!(Pieces::new(Some(&decoder)).is_err(), "{decoder:?}");
        }
    }
}
