//! Tokenizers of SentencePiece: their `.model` files, and encoding exactly as SentencePiece does.
//!
//! A file becomes the `tokenizer.json` that transformers would make of it, so that other programs can read it too. Their library follows
//! SentencePiece closely but not everywhere: it takes another way to rewrite characters that are put together from several, to break ties
//! between pieces, to use pieces that are marked as unused, and puts a ▁ behind each symbol defined by the user as well as before the text.
//! What it takes to do without these differences stands in the normalizer of the definition under `sentencepiece`, which other programs pass over;
//! a definition with that key is encoded here, without the library.
//!
//! Of a file only what decides about ids is read. Refused are the kinds that cut texts into words or characters, white space as a suffix or
//! left as it is, and rules for rewriting decoded text.
//!
//! Source: <https://github.com/google/sentencepiece>.

mod bpe;
mod charsmap;
mod definition;
mod encoder;
mod normalize;
mod proto;
mod read;
mod settings;
mod symbols;
mod unigram;
mod vocabulary;

pub(crate) use encoder::Sentences;
pub(crate) use read::{looks_like, read};
pub(crate) use settings::{KEY, Settings};

/// Stands for a space in pieces.
pub(crate) const SPACE: &str = "▁";
