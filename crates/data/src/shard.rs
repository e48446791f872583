//! A row of tokens on disk: written once in order, read anywhere through a memory map.
//!
//! `NAME.tokens` holds little-endian `u16` (vocabularies up to 65,536) or `u32`; `NAME.ends` a little-endian `u64` for each document: the
//! index one past its last token. Counts and widths are in the header, see [`crate::cache`].

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use llm_files::WriteError;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// What a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
    pub(crate) chars: u64,
    pub(crate) bytes: u64,
}

/// Bytes of a token on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Width {
    U16,
    U32,
}

impl Width {
    pub(crate) fn for_vocabulary(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 {
            Self::U16
        } else {
            Self::U32
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

/// The tokens of one part of the data, with the borders of its documents.
#[derive(Debug)]
pub struct TokenShard {
    tokens: Storage,
    ends: Vec<u64>,
    chars: u64,
    bytes: u64,
}

#[derive(Debug)]
enum Storage {
    Memory(Vec<u32>),
    Mapped { map: Mmap, width: Width },
}

impl TokenShard {
    /// A shard in memory that holds a single document; its `bytes` and `chars` are 0.
    pub fn from_tokens(tokens: Vec<u32>) -> Self {
        Self {
            ends: vec![tokens.len() as u64],
            tokens: Storage::Memory(tokens),
            chars: 0,
            bytes: 0,
        }
    }

    /// The tokens of documents, one after the other, in memory.
    pub fn from_documents(documents: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let mut shard = Self::from_tokens(Vec::new());
        shard.ends.clear();
        let mut all = Vec::new();
        for document in documents {
            all.extend(document);
            shard.ends.push(all.len() as u64);
        }
        shard.tokens = Storage::Memory(all);
        shard
    }

    /// Maps the shard `name` of `folder`, after comparing the lengths of its files.
    pub(crate) fn open(
        folder: &Path,
        name: &str,
        width: Width,
        counts: Counts,
    ) -> Result<Self, DataError> {
        let map = map(&tokens_path(folder, name), counts.tokens, width.bytes())?;
        let ends = map_ends(&ends_path(folder, name), counts)?;
        Ok(Self {
            tokens: Storage::Mapped { map, width },
            ends,
            chars: counts.chars,
            bytes: counts.bytes,
        })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        match &self.tokens {
            Storage::Memory(tokens) => tokens.len(),
            Storage::Mapped { map, width } => map.len() / width.bytes(),
        }
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of some tokens.
    ///
    /// # Panics
    /// When `range` reaches past the end.
    pub fn tokens(&self, range: Range<usize>) -> Vec<u32> {
        let mut tokens = vec![0; range.len()];
        self.read(range.start, &mut tokens);
        tokens
    }

    /// Fills `out` with the tokens from `start` on.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn read(&self, start: usize, out: &mut [u32]) {
        let end = start + out.len();
        assert!(end <= self.len(), "tokens {start}..{end} of {}", self.len());
        match &self.tokens {
            Storage::Memory(tokens) => out.copy_from_slice(&tokens[start..end]),
            Storage::Mapped {
                map,
                width: Width::U16,
            } => {
                let (tokens, _) = map[2 * start..2 * end].as_chunks();
                for (out, token) in out.iter_mut().zip(tokens) {
                    *out = u32::from(u16::from_le_bytes(*token));
                }
            }
            Storage::Mapped {
                map,
                width: Width::U32,
            } => {
                let (tokens, _) = map[4 * start..4 * end].as_chunks();
                for (out, token) in out.iter_mut().zip(tokens) {
                    *out = u32::from_le_bytes(*token);
                }
            }
        }
    }

    /// For each document, or piece of one at the cut of a tail, the index one past its last token.
    pub fn document_ends(&self) -> &[u64] {
        &self.ends
    }

    /// How many documents there are, pieces included.
    pub fn documents(&self) -> usize {
        self.ends.len()
    }

    /// The UTF-8 bytes of its text, without separators.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The characters of its text, without separators.
    pub fn chars(&self) -> u64 {
        self.chars
    }
}

/// Writes a shard in order; keeps no tokens.
pub(crate) struct ShardWriter {
    tokens: Output,
    ends: Output,
    width: Width,
    counts: Counts,
    /// Whether there is a document at hand.
    open: bool,
}

impl ShardWriter {
    pub(crate) fn create(folder: &Path, name: &str, width: Width) -> Result<Self, DataError> {
        Ok(Self {
            tokens: Output::create(tokens_path(folder, name))?,
            ends: Output::create(ends_path(folder, name))?,
            width,
            counts: Counts::default(),
            open: false,
        })
    }

    /// Ends the document at hand, if there is one. What is added next begins another.
    pub(crate) fn end_document(&mut self) -> Result<(), DataError> {
        if std::mem::take(&mut self.open) {
            self.ends.write(&self.counts.tokens.to_le_bytes())?;
            self.counts.documents += 1;
        }
        Ok(())
    }

    /// Adds to the document at hand the tokens of `text`.
    pub(crate) fn add(
        &mut self,
        text: &str,
        tokens: impl IntoIterator<Item = u32>,
    ) -> Result<(), DataError> {
        self.open = true;
        for token in tokens {
            self.tokens
                .write(&token.to_le_bytes()[..self.width.bytes()])?;
            self.counts.tokens += 1;
        }
        self.counts.bytes += text.len() as u64;
        self.counts.chars += text.chars().count() as u64;
        Ok(())
    }

    /// Brings everything to the disk.
    pub(crate) fn finish(mut self) -> Result<Counts, DataError> {
        self.end_document()?;
        self.tokens.finish()?;
        self.ends.finish()?;
        Ok(self.counts)
    }
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, DataError> {
        let file = File::create(&path).map_err(WriteError::of(&path))?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, file),
            path,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let written = self.file.write_all(bytes);
        Ok(written.map_err(WriteError::of(&self.path))?)
    }

    fn finish(self) -> Result<(), DataError> {
        let sync = |file: File| file.sync_all();
        let file = self.file.into_inner();
        let file = file.map_err(io::IntoInnerError::into_error);
        Ok(file.and_then(sync).map_err(WriteError::of(&self.path))?)
    }
}

fn tokens_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.tokens"))
}

fn ends_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.ends"))
}

fn map(path: &Path, n_items: u64, width: usize) -> Result<Mmap, DataError> {
    let read = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    let found = file.metadata().map_err(read)?.len();
    let expected = n_items.checked_mul(width as u64);
    if Some(found) != expected {
        return Err(DataError::Mismatch {
            path: path.to_owned(),
            what: "the length in bytes",
            found: found.to_string(),
            expected: format!("{n_items} items of {width} bytes"),
        });
    }
    #[expect(
        unsafe_code,
        reason = "the file is ours: it was renamed into place when complete and is never written again"
    )]
    // SAFETY: see the reason above; a person who cuts the file while it is mapped gets a fault, as with any memory map.
    let map = unsafe { Mmap::map(&file) };
    map.map_err(read)
}

fn map_ends(path: &Path, counts: Counts) -> Result<Vec<u64>, DataError> {
    let map = map(path, counts.documents, 8)?;
    let ends: Vec<u64> = map
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u64::from_le_bytes)
        .collect();
    let last = ends.last().copied().unwrap_or(0);
    if !ends.is_sorted() || last != counts.tokens {
        return Err(DataError::Mismatch {
            path: path.to_owned(),
            what: "the last document's end",
            found: last.to_string(),
            expected: counts.tokens.to_string(),
        });
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_come_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (width, high) in [(Width::U16, 65_535), (Width::U32, 4_000_000_000)] {
            let mut writer = ShardWriter::create(folder.path(), "x", width).expect("a new shard");
            writer.add("h", [1]).expect("written");
            writer.add("\u{e9}", [high, 3]).expect("written");
            writer.end_document().expect("written");
            writer.add("b", [4]).expect("written");
            let counts = writer.finish().expect("synced");
            assert_eq!(
                counts,
                Counts {
                    tokens: 4,
                    documents: 2,
                    chars: 3,
                    bytes: 4
                }
            );

            let shard = TokenShard::open(folder.path(), "x", width, counts).expect("a good shard");
            assert_eq!(shard.tokens(0..4), [1, high, 3, 4]);
            assert_eq!(shard.tokens(1..3), [high, 3]);
            assert_eq!(shard.document_ends(), [3, 4]);
            assert_eq!(
                (shard.len(), shard.documents(), shard.chars(), shard.bytes()),
                (4, 2, 3, 4)
            );

            let wrong = Counts {
                tokens: 5,
                ..counts
            };
            assert!(TokenShard::open(folder.path(), "x", width, wrong).is_err());
        }
        assert_eq!(Width::for_vocabulary(65_536), Width::U16);
        assert_eq!(Width::for_vocabulary(65_537), Width::U32);
    }

    #[test]
    #[should_panic(expected = "tokens 2..5 of 4")]
    fn reading_past_the_end_panics_with_the_numbers() {
        TokenShard::from_tokens(vec![1, 2, 3, 4]).tokens(2..5);
    }
}
