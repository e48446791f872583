//! Opening a file: header, metadata, and where each tensor is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::super::encoding::Encoding;
use super::super::mapped;
use super::super::source::{Bytes, Source, Stored, names_in};
use super::cursor::{Cursor, Fault};
use super::metadata::Metadata;
use super::{ALIGNMENT, MAGIC, config};
use crate::{Architecture, ModelError};

/// Most axes of a tensor, as in ggml.
const MOST_AXES: u32 = 4;

/// A file, mapped into memory.
pub(in super::super) struct GgufFile {
    path: PathBuf,
    map: Mmap,
    pub(in super::super) metadata: Metadata,
    pub(in super::super) architecture: Architecture,
    tensors: Tensors,
}

/// Tensors of a file by name.
pub(super) type Tensors = BTreeMap<String, Place>;

/// Where a tensor is, and what it is made of.
pub(super) struct Place {
    /// The outermost size first: the reverse of the file's order.
    pub(super) shape: Vec<usize>,
    /// How its numbers are stored, or the name of another way.
    pub(super) encoding: Result<Encoding, String>,
    /// From the beginning of the file; empty for an encoding that we do not read.
    pub(super) bytes: Range<usize>,
}

impl GgufFile {
    /// Opens the file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it, or the key or tensor.
    pub(in super::super) fn open(path: &Path) -> Result<Self, ModelError> {
        let map = mapped(path)?;
        let fault = |what| ModelError::Gguf {
            path: path.to_owned(),
            what,
        };
        let (metadata, tensors) = read(&map).map_err(fault)?;
        let architecture = config::read(&metadata, &tensors, &map, path)?;
        architecture.validate_in(path)?;
        Ok(Self {
            path: path.to_owned(),
            map,
            metadata,
            architecture,
            tensors,
        })
    }
}

impl Source for GgufFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let place = self.tensors.get(name)?;
        Some(Stored {
            path: &self.path,
            shape: place.shape.clone(),
            encoding: place.encoding.clone(),
            bytes: Bytes::Mapped(&self.map[place.bytes.clone()]),
        })
    }

    fn names(&self) -> Vec<(&Path, &str)> {
        names_in(&self.path, &self.tensors)
    }

    fn maps(&self) -> Vec<&Mmap> {
        vec![&self.map]
    }
}

fn read(bytes: &[u8]) -> Result<(Metadata, Tensors), Fault> {
    let mut cursor = Cursor { bytes, at: 0 };
    if bytes.get(..4) != Some(MAGIC) {
        return Err("it does not begin with GGUF".into());
    }
    cursor.at = 4;
    let version = cursor.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(format!(
            "version {version} is not supported (known: 2 and 3, little-endian)"
        ));
    }
    let n_tensors = cursor.u64()?;
    let n_values = cursor.u64()?;
    let mut metadata = Metadata::new();
    for _ in 0..n_values {
        let key = cursor.text()?;
        let kind = cursor.u32()?;
        let value = cursor
            .value(kind)
            .map_err(|what| format!("key {key}: {what}"))?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(format!("the key {key} stands in it twice"));
        }
    }
    let mut entries = Vec::new();
    for _ in 0..n_tensors {
        entries.push(Entry::read(&mut cursor)?);
    }
    let alignment = match metadata.get("general.alignment") {
        None => ALIGNMENT,
        Some(value) => value
            .as_u64()
            .filter(|alignment| alignment.is_power_of_two())
            .ok_or("general.alignment is not a power of two")?,
    };
    let start = (cursor.at as u64)
        .checked_next_multiple_of(alignment)
        .ok_or("general.alignment is too large")?;
    Ok((metadata, places(entries, start, alignment, bytes.len())?))
}

/// A tensor as the header describes it.
struct Entry {
    name: String,
    shape: Vec<usize>,
    kind: u32,
    /// From the beginning of the tensors.
    offset: u64,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let name = cursor.text()?;
        let axes = cursor.u32()?;
        if axes > MOST_AXES {
            return Err(format!(
                "tensor {name} has {axes} axes, the most is {MOST_AXES}"
            ));
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            let size = cursor.u64()?;
            let size = usize::try_from(size);
            shape.push(size.map_err(|_| format!("tensor {name} is too large"))?);
        }
        // The innermost size stands first in the file.
        shape.reverse();
        Ok(Self {
            name,
            shape,
            kind: cursor.u32()?,
            offset: cursor.u64()?,
        })
    }

    /// Where its bytes are, within a file of `len` bytes whose tensors begin at `start`.
    fn place(self, start: u64, alignment: u64, len: usize) -> Result<(String, Place), Fault> {
        let Self {
            name,
            shape,
            kind,
            offset,
        } = self;
        let values = shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let values = values.ok_or_else(|| format!("tensor {name} is too large: {shape:?}"))?;
        if !offset.is_multiple_of(alignment) {
            return Err(format!(
                "tensor {name} begins at {offset}, which is no multiple of {alignment}"
            ));
        }
        let encoding = encoding_of(kind);
        let mut bytes = 0..0;
        if let Ok(encoding) = encoding {
            let row = shape.last().copied().unwrap_or(1);
            if encoding.bytes_of(row).is_none() {
                return Err(format!(
                    "tensor {name} has rows of {row} values, which {} can't store",
                    encoding.name()
                ));
            }
            let first = start
                .checked_add(offset)
                .and_then(|at| usize::try_from(at).ok());
            let size = encoding.bytes_of(values);
            let range = first.zip(size).and_then(|(first, size)| {
                let end = first.checked_add(size)?;
                (end <= len).then_some(first..end)
            });
            bytes = range.ok_or_else(|| {
                format!("tensor {name} does not lie within the file's {len} bytes: it is cut short, get it again")
            })?;
        }
        let place = Place {
            shape,
            encoding,
            bytes,
        };
        Ok((name, place))
    }
}

fn places(entries: Vec<Entry>, start: u64, alignment: u64, len: usize) -> Result<Tensors, Fault> {
    let mut tensors = Tensors::new();
    for entry in entries {
        let (name, place) = entry.place(start, alignment, len)?;
        if tensors.contains_key(&name) {
            return Err(format!("the tensor {name} stands in it twice"));
        }
        tensors.insert(name, place);
    }
    let mut ranges: Vec<_> = tensors
        .iter()
        .filter(|(_, place)| !place.bytes.is_empty())
        .map(|(name, place)| (place.bytes.start, place.bytes.end, name))
        .collect();
    ranges.sort_unstable();
    if let Some([(.., first), (.., second)]) = ranges
        .array_windows()
        .find(|[first, second]| first.1 > second.0)
    {
        return Err(format!("the tensors {first} and {second} overlap"));
    }
    Ok(tensors)
}

/// ggml's number of a tensor type.
pub(super) fn kind_of(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::F32 => 0,
        Encoding::F16 => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q8_0 => 8,
        Encoding::Bf16 => 30,
    }
}

/// The way back; the type's name where we do not read it.
fn encoding_of(kind: u32) -> Result<Encoding, String> {
    let known = Encoding::ALL.into_iter().find(|e| kind_of(*e) == kind);
    let name = || match kind {
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        _ => "",
    };
    known.ok_or_else(|| match name() {
        "" => format!("number {kind} of ggml's list"),
        name => name.to_owned(),
    })
}
