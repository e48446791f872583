//! The tokenizer in a GGUF file.
//!
//! Two kinds of vocabulary are read and written: byte-level BPE, which the format calls `gpt2`, and BPE in the way of SentencePiece, which it
//! calls `llama`. The second has no merges but a score for each token: of all neighbours that make a token together, those with the highest
//! score are put together first. Character tokenizers are of that kind as well, with nothing to put together.
//!
//! Nothing is known here of the file itself; whoever reads and writes it carries the values over.
//!
//! Source: the keys `tokenizer.ggml.*` of <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and what
//! <https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp> makes of them.

mod checks;
pub(crate) mod merges;
pub(crate) mod pre_tokenizers;
mod read;
mod scored;
mod write;

use serde::{Deserialize, Serialize};

/// Kind of a byte-level BPE.
const BYTE_LEVEL: &str = "gpt2";
/// Kind of a BPE in the way of SentencePiece.
const SENTENCE_PIECE: &str = "llama";

/// Stands for a space in the tokens of the second kind.
const SPACE: &str = "▁";

/// The tokenizer in a GGUF file: the keys `tokenizer.ggml.*` and `tokenizer.chat_template`.
///
/// [`Tokenizer::to_gguf`](crate::Tokenizer::to_gguf) makes one, [`Tokenizer::from_gguf`](crate::Tokenizer::from_gguf) reads one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GgufVocabulary {
    /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE, `llama` for BPE in the way of SentencePiece.
    pub model: String,
    /// `tokenizer.ggml.pre`: the rule that cuts a text into words before a byte-level BPE sees it.
    pub pre: Option<String>,
    /// `tokenizer.ggml.tokens`, by id.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.scores`: one for each token, the highest is merged first. The kind `gpt2` has none.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. None at all is allowed.
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.merges`: two tokens with a space between them, in the order they are applied. The kind `llama` has none.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`: begins a text.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`: ends a text.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`: stands for what has no token of its own.
    pub unknown: Option<u32>,
    /// `tokenizer.ggml.padding_token_id`: fills up short texts.
    pub padding: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`: whether a model wants its texts to begin with `bos`. Without the key the kind decides.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`: whether a model wants its texts to end with `eos`.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`: whether the kind `llama` puts a space before each text; it does without the key.
    pub add_space_prefix: Option<bool>,
    /// `tokenizer.chat_template`, in Jinja.
    pub chat_template: Option<String>,
}

/// What a token is there for; the numbers are those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenType {
    Normal = 1,
    /// Stands for what has no token.
    Unknown = 2,
    /// Has a meaning for the model and no text.
    Control = 3,
    /// Looked for in the text before anything else.
    UserDefined = 4,
    Unused = 5,
    /// A single byte, written like `<0x0A>`.
    Byte = 6,
}

impl TokenType {
    fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }

    /// Whether the token is no text, so that text must not become it.
    fn is_special(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}

/// Name of a token that only fills the place of an id.
fn filler(id: usize) -> String {
    format!("[PAD{id}]")
}

/// Name of the token of a byte.
fn byte_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}
