//! What can go wrong between a source and a token shard.

use std::io;
use std::path::PathBuf;

use llm_files::WriteError;
use llm_tokenizer::TokenizerError;

use crate::sources::{FileError, RecordError};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A record of a source cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A source cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Standard input is a source more than once.
    #[error("standard input (`-`) can be a source only once")]
    StdinTwice,
    /// Everything was passed over.
    #[error("no text is left: all of it was skipped ({skipped}), first {place}: {reason}")]
    AllSkipped {
        /// How much of each kind.
        skipped: String,
        /// Where the first record was.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A source has a weight that cannot be.
    #[error("{path}: the weight is {found}, but must be above 0 and at most 100", path = .path.display())]
    Weight {
        /// The source.
        path: PathBuf,
        /// The value found.
        found: f64,
    },
    /// A source for validation has a weight.
    #[error("{path}: a weight means nothing in data.validation_sources, where each document counts once", path = .path.display())]
    ValidationWeight {
        /// The source.
        path: PathBuf,
    },
    /// The weights of the sources leave nothing to train on.
    #[error("the weights of data.sources leave no document to train on; raise them")]
    NothingToTrainOn,
    /// Cleaning left no document.
    #[error(
        "data.clean removes all {documents} documents; `llm data clean` with the same settings tells why"
    )]
    CleanedAway {
        /// How many there were.
        documents: u64,
    },
    /// A character coding has no such name.
    #[error(
        "`{found}` is no name of a character coding; use \"auto\", \"utf-8\", \"windows-1252\", \"iso-8859-2\", \"shift_jis\", \"gb18030\", \"utf-16le\" or another of the Encoding Standard of the web"
    )]
    Encoding {
        /// The name found.
        found: String,
    },
    /// `data.max_document_bytes` is zero.
    #[error("data.max_document_bytes must be at least 1 byte")]
    LimitZero,
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
    /// A key of `[data.clean]` has a value that makes no sense.
    #[error("data.clean.{key} holds {found}, but {rule}")]
    CleanKey {
        /// The key, without the name of the table.
        key: &'static str,
        /// The value found.
        found: String,
        /// What a value must be.
        rule: &'static str,
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
    /// A file or folder can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The header of a cache entry is not what this version writes.
    #[error("{path}: not a header of token data", path = .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// A file of a cache entry cannot be read.
    #[error("{path}: cannot be read", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
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
