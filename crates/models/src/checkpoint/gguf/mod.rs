//! GGUF files: one file with sizes, tokenizer and weights, as llama.cpp reads them.
//!
//! Metadata is kept as typed values; what the tokenizer's mean is known to whoever knows text.
//!
//! Source: ggml, `docs/gguf.md` (versions 2 and 3, little-endian).

mod config;
mod cursor;
mod file;
mod metadata;
mod write;

pub use metadata::{Metadata, MetadataValue};

pub(super) use config::notes;
pub(super) use file::GgufFile;
pub(super) use write::{stored_as, write};

/// First bytes of every file.
const MAGIC: &[u8; 4] = b"GGUF";
/// The version that we write.
const VERSION: u32 = 3;
/// Tensors begin at multiples of so many bytes, unless `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;
