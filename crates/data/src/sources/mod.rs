//! Reading people's files as they are: finding them, unpacking, decoding, and one file for each format.

mod coding;
mod content;
mod documents;
mod fault;
mod field;
mod find;
mod format;
mod json;
mod json_lines;
mod packing;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod skipped;
mod source;
mod table;
mod text;
mod whole;

pub use documents::{Document, Documents};
pub use fault::{FileError, FileFault, RecordError, RecordFault};
pub use format::Format;
pub use skipped::{Skipped, SkippedRecord};
pub use source::Source;
pub use whole::WholeDocuments;

pub(crate) use coding::named as named_coding;
pub(crate) use find::{Found, SourceFile, find};
