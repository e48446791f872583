//! The tokenizer itself: text to ids, ids to text, and questions about the vocabulary.
//!
//! How it comes about is told in `train` and `load`. It holds the tokenizer of the `tokenizers` crate, which has the last word on files and
//! ids, and beside it the shorter ways that give the same ids.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokenizers::{
    AddedVocabulary, Encoding, Model, ModelWrapper, NormalizedString, OffsetType,
    PreTokenizedString, PreTokenizer,
};

use crate::characters::Characters;
use crate::chat::Templates;
use crate::error::TokenizerError;
use crate::pieces::Pieces;
use crate::sentencepiece::Sentences;
use crate::stream::StreamDecoder;
use crate::words::Words;

/// The tokenizer of the `tokenizers` crate.
pub(crate) type Engine = tokenizers::Tokenizer;

/// Turns text into token ids and back. Cloning is cheap, and any number of threads may use one tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    templates: Arc<Templates>,
}

/// What a tokenizer is made of.
pub(crate) struct Inner {
    /// Knows the vocabulary, and parses special tokens when it encodes.
    pub(crate) engine: Engine,
    pub(crate) encoder: Encoder,
    pub(crate) pieces: Pieces,
    pub(crate) special: HashSet<u32>,
    /// Stands for what has no token of its own, the one special token that text may become.
    pub(crate) unknown: Option<u32>,
    pub(crate) vocab_size: usize,
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    /// `tokenizer_config.json` as loaded, less the chat templates; empty where there was none.
    pub(crate) config: Map<String, Value>,
    /// The canonical `tokenizer.json`, once it has been asked for.
    pub(crate) definition: OnceLock<String>,
    pub(crate) hash: OnceLock<String>,
}

/// How plain text is encoded.
pub(crate) enum Encoder {
    Characters(Characters),
    Words(Words),
    Sentences(Box<Sentences>),
    /// By the steps of the engine. These are its added tokens, set to take special ones for text.
    Library(Box<AddedVocabulary>),
}

impl Tokenizer {
    /// The special token that begins and ends a text in tokenizers made here.
    pub const END_OF_TEXT: &'static str = "<|endoftext|>";

    pub(crate) fn new(inner: Inner, templates: Templates) -> Self {
        Self {
            inner: Arc::new(inner),
            templates: Arc::new(templates),
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    pub(crate) fn with_templates(&self, templates: Arc<Templates>) -> Self {
        Self {
            inner: self.inner.clone(),
            templates,
        }
    }

    pub(crate) fn pieces(&self) -> &Pieces {
        &self.inner.pieces
    }

    /// Encodes `text`, all of it: a special token written in the text is encoded like any other characters, and none is added.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacter`] for a character that a character tokenizer, or a byte-level one without all bytes, has no token for;
    /// [`TokenizerError::SpecialInText`] where the model makes a special token of the text anyway.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let Inner {
            engine, encoder, ..
        } = &*self.inner;
        match encoder {
            Encoder::Characters(characters) => characters.encode(text),
            Encoder::Words(words) => {
                words.encode(engine.get_model(), text, |id| self.check_is_text(id))
            }
            Encoder::Sentences(sentences) => sentences.encode(text),
            Encoder::Library(plain) => {
                let parts = plain.extract_and_normalize(engine.get_normalizer(), text);
                self.encode_parts(parts, |_| Ok(()))
            }
        }
    }

    /// Encodes each of `texts` as [`Tokenizer::encode`] does, on all threads of rayon; the ids come in the order of the texts.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`], for the first text that has one.
    pub fn encode_batch<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
    ) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let encoded: Vec<_> = texts
            .par_iter()
            .map(|text| self.encode(text.as_ref()))
            .collect();
        encoded.into_iter().collect()
    }

    /// Encodes `text`, in which the text of a special token stands for that token. Adds none of its own.
    ///
    /// For prompts that are put together by a template, never for text that others wrote.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacter`] as in [`Tokenizer::encode`].
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let Inner {
            engine, encoder, ..
        } = &*self.inner;
        match encoder {
            Encoder::Characters(characters) => characters.encode_with_special(text),
            Encoder::Words(words) => words
                .encode_with_special(engine.get_model(), text)
                .unwrap_or_else(|| encode_whole(engine, text)),
            Encoder::Sentences(sentences) => sentences.encode_with_special(text),
            Encoder::Library(_) => encode_whole(engine, text),
        }
    }

    /// Goes on with the steps of the library after it has normalized a text and cut out its added tokens: changes what is left, cuts it into
    /// words and looks up their tokens, which must not be special.
    pub(crate) fn encode_parts(
        &self,
        parts: PreTokenizedString,
        change: impl Fn(&mut NormalizedString) -> tokenizers::Result<()>,
    ) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.encoding_of(parts, change, OffsetType::None)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The same with what the library knows of each token; the places are counted as `offsets` says.
    pub(crate) fn encoding_of(
        &self,
        mut parts: PreTokenizedString,
        change: impl Fn(&mut NormalizedString) -> tokenizers::Result<()>,
        offsets: OffsetType,
    ) -> Result<Encoding, TokenizerError> {
        let engine = &self.inner.engine;
        let encode = || {
            parts.normalize(change)?;
            if let Some(pre_tokenizer) = engine.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut parts)?;
            }
            parts.tokenize(|part| {
                let tokens = engine.get_model().tokenize(part.get())?;
                tokens
                    .iter()
                    .try_for_each(|token| self.check_is_text(token.id))?;
                Ok(tokens)
            })?;
            let encoding = parts.into_encoding(None, 0, offsets)?;
            engine.post_process(encoding, None, false)
        };
        encode().map_err(|source| match source.downcast::<TokenizerError>() {
            Ok(error) => *error,
            Err(source) => TokenizerError::Encode { source },
        })
    }

    /// Decodes `ids`. Special tokens are left out, and bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownId`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let mut text = String::with_capacity(ids.len() * 4);
        let mut stream = self.decoder();
        for id in ids {
            stream.push_into(*id, &mut text)?;
        }
        stream.finish_into(&mut text);
        Ok(text)
    }

    /// Starts to decode a stream of ids.
    pub fn decoder(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(self)
    }

    /// Starts to decode a stream of ids that goes on after `prompt`: a space between the two is kept, and a character that the prompt leaves
    /// unfinished is completed. Ids of the prompt outside the vocabulary are passed over.
    pub fn decoder_after(&self, prompt: &[u32]) -> StreamDecoder<'_> {
        let mut stream = self.decoder();
        let mut shown = String::new();
        for id in prompt {
            // The text of the prompt is not wanted, and neither is a complaint about it: `decode` is there for both.
            stream.push_into(*id, &mut shown).ok();
            shown.clear();
        }
        stream
    }

    /// Number of ids: the highest one plus one, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// Id of the token that begins a text, if there is one.
    pub fn bos(&self) -> Option<u32> {
        self.inner.bos
    }

    /// Id of the token that ends a text, if there is one.
    pub fn eos(&self) -> Option<u32> {
        self.inner.eos
    }

    /// Whether texts of this tokenizer's models begin with the token of [`Tokenizer::bos`], as its file says (LLaMA, Mistral). Encoding does
    /// not add it: the caller knows whether the text is a beginning.
    pub fn begins_with_bos(&self) -> bool {
        let Inner { engine, bos, .. } = &*self.inner;
        let template = engine.encode_fast("", true);
        bos.is_some() && template.is_ok_and(|encoding| encoding.get_ids().first() == bos.as_ref())
    }

    /// Whether characters without a token of their own become the unknown token, so that they are lost.
    pub fn has_unknown(&self) -> bool {
        self.inner.unknown.is_some()
    }

    /// Id of a token, written as in the vocabulary.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.engine.token_to_id(token)
    }

    /// Token of an id, written as in the vocabulary: `Ġthe`, `▁the`, `<0x0A>`.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.engine.id_to_token(id)
    }

    /// Identity of the tokenizer: SHA-256 of its `tokenizer.json` as [`Tokenizer::save`] writes it, in hexadecimal.
    pub fn hash(&self) -> String {
        let hash = || {
            Sha256::digest(self.definition().as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        self.inner.hash.get_or_init(hash).clone()
    }

    /// The canonical `tokenizer.json`.
    pub(crate) fn definition(&self) -> &str {
        let Inner {
            engine, definition, ..
        } = &*self.inner;
        definition.get_or_init(|| {
            let text = engine.to_string(false);
            text.expect("what has been read as a tokenizer can be written as one")
        })
    }

    /// Kind and size in a few words, such as `byte-level BPE, 1024 tokens`.
    pub fn describe(&self) -> String {
        let Inner {
            engine,
            encoder,
            pieces,
            vocab_size,
            ..
        } = &*self.inner;
        let kind = match (encoder, engine.get_model()) {
            (Encoder::Characters(_), _) => "character level",
            (_, ModelWrapper::BPE(_)) if pieces.byte_level() => "byte-level BPE",
            (_, ModelWrapper::BPE(_)) if pieces.byte_fallback() => "BPE with byte fallback",
            (_, ModelWrapper::BPE(_)) => "BPE",
            (_, ModelWrapper::WordPiece(_)) => "WordPiece",
            (_, ModelWrapper::WordLevel(_)) => "word level",
            (_, ModelWrapper::Unigram(_)) => "unigram",
        };
        format!("{kind}, {vocab_size} tokens")
    }

    /// The token of `id` for decoding; none for a special one.
    pub(crate) fn text_token(&self, id: u32) -> Result<Option<String>, TokenizerError> {
        let Inner {
            engine,
            special,
            vocab_size,
            ..
        } = &*self.inner;
        if special.contains(&id) {
            return Ok(None);
        }
        // Nearly every token is in the model, and an added one that is not has an id of its own.
        let token = engine.get_model().id_to_token(id);
        let token = token.or_else(|| engine.id_to_token(id));
        token.map(Some).ok_or(TokenizerError::UnknownId {
            id,
            vocab_size: *vocab_size,
        })
    }

    /// Checks that an id made of ordinary text is no special token.
    pub(crate) fn check_is_text(&self, id: u32) -> Result<(), TokenizerError> {
        if self.inner.special.contains(&id) && self.inner.unknown != Some(id) {
            let token = self.token(id).unwrap_or_default();
            return Err(TokenizerError::SpecialInText { token });
        }
        Ok(())
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokenizer({})", self.describe())
    }
}

fn encode_whole(engine: &Engine, text: &str) -> Result<Vec<u32>, TokenizerError> {
    let encoding = engine.encode_fast(text, false);
    let encoding = encoding.map_err(|source| TokenizerError::Encode { source })?;
    Ok(encoding.get_ids().to_vec())
}
