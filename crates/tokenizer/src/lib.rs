//! Tokenizers for small language models: character level and byte-level BPE made from your own text, and files made elsewhere.
//!
//! A [`Tokenizer`] turns text into token ids and back. It is trained on text or loaded from a Hugging Face `tokenizer.json` the pair of files of GPT
//! and GPT-2, a `.model` of SentencePiece or ranks of tiktoken, given more tokens with [`Tokenizer::extended`], and saved as files that transformers loads unchanged. A [`GgufVocabulary`] is what a GGUF file holds of one. [`StreamDecoder`] decodes ids as a model produces them.
//!
//! [`BpeTraining`] has the ways to train a BPE, a [`TokenizerReport`] measures a tokenizer on texts, and an [`Inspection`] shows the tokens of a text.
//!
//! [`BpeTraining`] has the ways to train a BPE, a [`TokenizerReport`] measures a tokenizer on texts, and an [`Inspection`] shows the tokens of a text.
//!
//! A [`ChatTemplate`] makes the text of a [`Conversation`] as the model was trained on it, and [`Tokenizer::encode_chat`] its ids.
//!
//! The crate knows nothing of tensors and models. Encoding never takes the text of a special token for the token itself unless asked to with
//! [`Tokenizer::encode_with_special`].
//!
//! ```
//! use llm_tokenizer::Tokenizer;
//!
//! # fn main() -> Result<(), llm_tokenizer::TokenizerError> {
//! let lines = ["to be, or not to be\n".to_owned(), "that is the question\n".to_owned()];
//! let tokenizer = Tokenizer::train_bpe(lines.into_iter(), 270)?;
//!
//! let ids = tokenizer.encode("not that 🙂")?;
//! assert_eq!(tokenizer.decode(&ids)?, "not that 🙂");
//!
//! // The four bytes of the smiley are four tokens; a stream shows it once it is whole.
//! let mut stream = tokenizer.decoder();
//! let mut shown = String::new();
//! for id in ids {
//!     shown += &stream.push(id)?;
//! }
//! shown += &stream.finish()?;
//! assert_eq!(shown, "not that 🙂");
//! # Ok(())
//! # }
//! ```

mod added_tokens;
mod assemble;
mod byte_level;
mod characters;
mod chat;
mod config;
mod content;
mod definition;
mod engine;
mod error;
mod eval;
mod extend;
mod gguf;
mod inspect;
mod llama2c;
mod load;
mod openai_files;
mod pieces;
mod save;
mod sentencepiece;
mod special;
mod split;
mod stream;
mod tiktoken;
mod tokenizer;
mod train;
mod words;

pub use chat::{ChatTemplate, Conversation, EncodedChat, Message};
pub use config::{TokenizerConfig, TokenizerKind};
pub use error::TokenizerError;
pub use eval::{ScriptMeasures, TextMeasures, TokenizerReport};
pub use gguf::GgufVocabulary;
pub use inspect::{Colours, Inspection, Piece, PieceKind};
pub use stream::StreamDecoder;
pub use tokenizer::Tokenizer;
pub use train::{
    BpeTraining, TieBreak, TrainedBpe, TrainingPhase, TrainingProgress, TrainingSummary,
    WordPattern,
};
