//! Tokenizers for small language models: character level and byte-level BPE made from your own text, and files made elsewhere.
//!
//! A [`Tokenizer`] turns text into token ids and back. It is trained on text or loaded from a Hugging Face `tokenizer.json` or the pair of files of GPT
//! and GPT-2, and saved as files that transformers loads unchanged. A [`GgufVocabulary`] is what a GGUF file holds of one. [`StreamDecoder`] decodes ids as a model produces them.
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

mod assemble;
mod byte_level;
mod characters;
mod chat;
mod config;
mod definition;
mod engine;
mod error;
mod gguf;
mod llama2c;
mod load;
mod openai_files;
mod pieces;
mod save;
mod special;
mod stream;
mod tokenizer;
mod train;
mod words;

pub use chat::{ChatTemplate, Conversation, EncodedChat, Message};
pub use config::{TokenizerConfig, TokenizerKind};
pub use error::TokenizerError;
pub use gguf::GgufVocabulary;
pub use stream::StreamDecoder;
pub use tokenizer::Tokenizer;
