//! Telling by its content what kind of file holds a tokenizer.

use std::path::Path;

use crate::error::TokenizerError;
use crate::{sentencepiece, tiktoken};

/// Kinds of files that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A `tokenizer.json`, or what is to be taken for one.
    Json,
    /// A file of SentencePiece.
    SentencePiece,
    /// Ranks of tiktoken.
    Ranks,
}

/// How files of other kinds begin that are easily named by mistake.
const OTHERS: [(&[u8], &str); 7] = [
    (b"GGUF", "a GGUF file"),
    (b"PK\x03\x04", "a zip archive or a checkpoint of PyTorch"),
    (b"\x80\x02", "a pickle of Python"),
    (b"\x80\x03", "a pickle of Python"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x80\x05", "a pickle of Python"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in place of the file",
    ),
];

/// Tells the kind of a file from its bytes.
///
/// # Errors
/// [`TokenizerError::NotTokenizer`] for the content of other files, and [`TokenizerError::SentencePiece`] for a `.model` that is none.
pub(crate) fn recognise(bytes: &[u8], path: &Path) -> Result<Content, TokenizerError> {
    let not = |found| {
        Err(TokenizerError::NotTokenizer {
            path: path.to_owned(),
            found,
        })
    };
    if let Some((_, found)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return not(found);
    }
    // The length of its header is a number of 64 bits.
    if bytes.get(8) == Some(&b'{') && bytes[6..8] == [0, 0] {
        return not("a safetensors file");
    }
    let start = bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii_start();
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if sentencepiece::looks_like(bytes) {
        Ok(Content::SentencePiece)
    } else if tiktoken::looks_like(bytes) {
        Ok(Content::Ranks)
    } else if start.is_empty() || start.starts_with(b"{") || name.ends_with(".json") {
        // The reader of JSON has the right words for what is wrong with it.
        Ok(Content::Json)
    } else if name.ends_with(".tiktoken") {
        Ok(Content::Ranks)
    } else if name.contains(".model") && std::str::from_utf8(bytes).is_ok() && bytes[0] != 0x0A {
        not("other text")
    } else if name.contains(".model") {
        Ok(Content::SentencePiece)
    } else {
        Ok(Content::Json)
    }
}
