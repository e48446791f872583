//! What can go wrong between a source and a token shard.

use std::io;
use std::path::PathBuf;

use llm_tokenizer::TokenizerError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A source does not exist.
    #[error("{path}: no such file or folder", path = .path.display())]
    Missing {
        /// The source.
        path: PathBuf,
    },
    /// A source is of a kind that is not read.
    #[error("{path}: not a kind of file that can be read; use .txt, .jsonl, .txt.gz or .jsonl.gz", path = .path.display())]
    Unsupported {
        /// The source.
        path: PathBuf,
    },
    /// A folder holds no file that can be read.
    #[error("{path}: the folder holds no .txt, .jsonl, .txt.gz or .jsonl.gz file", path = .path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A source holds no text.
    #[error("{path}: holds no text; take it out of the sources", path = .path.display())]
    Empty {
        /// The source.
        path: PathBuf,
    },
    /// A file or folder cannot be read.
    #[error("{path}: cannot be read", path = .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A gzip file is damaged.
    #[error("{path}: the gzip data is damaged or cut short; fetch the file again", path = .path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file is not UTF-8.
    #[error("{path}:{line}: byte {offset} of the text is not UTF-8; convert the file first", path = .path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The offset of the bad byte in the unpacked file, from 0.
        offset: u64,
        /// The reason.
        source: std::str::Utf8Error,
    },
    /// A line of a `.jsonl` file is not JSON.
    #[error("{path}:{line}: not valid JSON", path = .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The reason.
        source: serde_json::Error,
    },
    /// A line of a `.jsonl` file is JSON, but no object.
    #[error("{path}:{line}: expected an object with the key `{key}`, found {found}", path = .path.display())]
    JsonObject {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The key of the text.
        key: String,
        /// The kind of value in its place.
        found: &'static str,
    },
    /// A line of a `.jsonl` file lacks the text.
    #[error("{path}:{line}: no key `{key}`, only {found}; name the key of the text with `text_field`", path = .path.display())]
    JsonKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The key of the text.
        key: String,
        /// The keys that are there.
        found: String,
    },
    /// The text of a line of a `.jsonl` file is no string.
    #[error("{path}:{line}: `{key}` must be a string, found {found}", path = .path.display())]
    JsonType {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The key of the text.
        key: String,
        /// The kind of value in its place.
        found: &'static str,
    },
    /// `read_tokens` was given no source.
    #[error("no source was given")]
    NoSource,
    /// `validation` is no share.
    #[error("data.validation is {found}, but must lie between 0 and 1, both excluded")]
    ValidationShare {
        /// The value found.
        found: f64,
    },
    /// A key is empty that must not be.
    #[error("{key} must not be empty")]
    EmptyKey {
        /// The key.
        key: &'static str,
    },
    /// The separator of documents spans lines.
    #[error("data.document_separator is {found:?}, but must be a single line")]
    Separator {
        /// The value found.
        found: String,
    },
    /// A size cannot be understood.
    #[error(
        "`{found}` is not a size; write a number of bytes or one with a unit, such as 512 KB, 10MB or 1GiB"
    )]
    Size {
        /// The text found.
        found: String,
    },
    /// `data.synth.size` is zero.
    #[error("data.synth.size must be at least 1 byte")]
    SizeZero,
    /// Too few documents to give some to each part.
    #[error("{found} document cannot be split by documents; set data.split = \"tail\"")]
    TooFewDocuments {
        /// Documents found.
        found: usize,
    },
    /// Too little text to cut off a tail.
    #[error(
        "{chars} characters cannot be split at a validation share of {share}: a part would be empty"
    )]
    TooShort {
        /// Characters found.
        chars: u64,
        /// `data.validation`.
        share: f64,
    },
    /// The sources changed between two passes.
    #[error("the sources changed while they were read; run again")]
    Changed,
    /// The tokenizer cannot be made, loaded or saved.
    #[error("cannot make the tokenizer")]
    Tokenizer {
        /// The reason.
        #[from]
        source: TokenizerError,
    },
    /// A document cannot be tokenized.
    #[error("{origin}: cannot be tokenized")]
    Encode {
        /// Where the document comes from.
        origin: String,
        /// The reason.
        source: TokenizerError,
    },
    /// The cache of tokens cannot be written.
    #[error("{path}: cannot be written", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The header of a cache entry is not what this version writes.
    #[error("{path}: not a header of token data", path = .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// A file of a cache entry disagrees with the header.
    #[error("{path}: {what} is {found}, but the header says {expected}", path = .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What was compared.
        what: &'static str,
        /// The value found.
        found: String,
        /// The value of the header.
        expected: String,
    },
    /// Too few tokens for a single training window.
    #[error(
        "{n_tokens} tokens are too few for a window of {seq} + 1; take a shorter sequence or more text"
    )]
    TooFewTokens {
        /// Tokens there are.
        n_tokens: usize,
        /// The sequence length asked for.
        seq: usize,
    },
}
