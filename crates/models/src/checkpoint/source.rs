//! Tensors of a checkpoint, whatever its format: what they are called, how they are stored, and their bytes when asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use memmap2::Mmap;

use super::encoding::Encoding;
use crate::ModelError;

/// The tensors of one checkpoint.
pub(super) trait Source {
    /// The file in which a missing tensor was looked for.
    fn path(&self) -> &Path;

    /// The tensor of this name.
    fn find(&self, name: &str) -> Option<Stored<'_>>;

    /// Every tensor with its file.
    fn names(&self) -> Vec<(&Path, &str)>;

    /// The files that are mapped into memory.
    fn maps(&self) -> Vec<&Mmap>;
}

/// The names of tensors that are all in one file.
pub(super) fn names_in<'a, T>(
    path: &'a Path,
    tensors: &'a BTreeMap<String, T>,
) -> Vec<(&'a Path, &'a str)> {
    let names = tensors.keys();
    names.map(|name| (path, name.as_str())).collect()
}

/// A tensor as a file has it.
pub(super) struct Stored<'a> {
    /// The file.
    pub(super) path: &'a Path,
    /// Row-major, the outermost size first.
    pub(super) shape: Vec<usize>,
    /// How its numbers are stored, or the name of a way that models are not read from.
    pub(super) encoding: Result<Encoding, String>,
    pub(super) bytes: Bytes<'a>,
}

/// Where the bytes of a tensor are.
pub(super) enum Bytes<'a> {
    /// In a file that is mapped into memory.
    Mapped(&'a [u8]),
    /// In several of them, one after the other.
    Scattered(Vec<&'a [u8]>),
    /// In an archive, to be read from there.
    Archived(&'a pytorch_reader::Tensor),
}

impl<'a> Stored<'a> {
    /// The bytes.
    ///
    /// # Errors
    /// Names the archive that can't be read.
    pub(super) fn bytes(&self) -> Result<Cow<'a, [u8]>, ModelError> {
        match &self.bytes {
            Bytes::Mapped(bytes) => Ok(Cow::Borrowed(bytes)),
            Bytes::Scattered(parts) => Ok(Cow::Owned(parts.concat())),
            Bytes::Archived(tensor) => match tensor.read() {
                Ok(bytes) => Ok(Cow::Owned(bytes)),
                Err(source) => Err(ModelError::Read {
                    path: self.path.to_owned(),
                    source,
                }),
            },
        }
    }
}
