//! The index of a TensorFlow checkpoint: what its tensors are called, and where in the other file each is.
//!
//! It is a sorted table whose first entry, with an empty key, describes the files, and whose others describe a tensor each.
//!
//! Source: TensorFlow, `core/protobuf/tensor_bundle.proto`, `core/framework/tensor_shape.proto`, `core/framework/types.proto`.

use std::ops::Range;

use super::super::encoding::Encoding;
use super::Fault;
use super::protobuf::{Value, fields};
use super::table;

/// Newest version of the format that we know; there has been no other.
const VERSION: u64 = 1;

/// A tensor as the index describes it.
#[derive(Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) name: String,
    /// The outermost size first.
    pub(super) shape: Vec<usize>,
    /// How its numbers are stored, or TensorFlow's name of another way.
    pub(super) encoding: Result<Encoding, String>,
    /// In the file of tensors.
    pub(super) bytes: Range<u64>,
    /// Of these bytes, masked.
    pub(super) checksum: u32,
}

/// The tensors, in the order of their names.
///
/// # Errors
/// What is damaged or not supported.
pub(super) fn read(index: &[u8]) -> Result<Vec<Tensor>, Fault> {
    let entries = table::entries(index)?;
    let Some(((key, header), tensors)) = entries.split_first() else {
        return Err("it is empty".into());
    };
    if !key.is_empty() {
        return Err("its first entry is not about the files".into());
    }
    check_header(header)?;
    let tensors = tensors.iter().map(|(key, value)| {
        let name = std::str::from_utf8(key).map_err(|_| "a name is not UTF-8")?;
        tensor(name, value).map_err(|fault| format!("tensor {name}: {fault}"))
    });
    let tensors: Vec<Tensor> = tensors.collect::<Result<_, Fault>>()?;
    let mut places: Vec<&Tensor> = tensors.iter().filter(|t| !t.bytes.is_empty()).collect();
    places.sort_unstable_by_key(|tensor| tensor.bytes.start);
    let overlap = places
        .array_windows()
        .find(|[first, second]| first.bytes.end > second.bytes.start);
    match overlap {
        Some([first, second]) => Err(format!(
            "the tensors {} and {} overlap",
            first.name, second.name
        )),
        None => Ok(tensors),
    }
}

fn check_header(message: &[u8]) -> Result<(), Fault> {
    let mut n_files = 0;
    for field in fields(message)? {
        match field {
            (1, Value::Number(n)) => n_files = n,
            (2, Value::Number(1)) => {
                return Err("its numbers are big-endian, which is not supported".into());
            }
            (3, Value::Bytes(versions)) => {
                for version in fields(versions)? {
                    if let (2, Value::Number(oldest)) = version
                        && oldest > VERSION
                    {
                        return Err(format!(
                            "it can be read from version {oldest} on, known is {VERSION}"
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    match n_files {
        1 => Ok(()),
        n => Err(format!(
            "it has {n} files of tensors; only one is supported"
        )),
    }
}

fn tensor(name: &str, message: &[u8]) -> Result<Tensor, Fault> {
    let (mut kind, mut file, mut start, mut len, mut checksum) = (0, 0, 0, 0, 0);
    let mut sizes = Vec::new();
    for field in fields(message)? {
        match field {
            (1, Value::Number(number)) => kind = number,
            (2, Value::Bytes(message)) => sizes = shape(message)?,
            (3, Value::Number(number)) => file = number,
            (4, Value::Number(number)) => start = number,
            (5, Value::Number(number)) => len = number,
            (6, Value::Fixed32(number)) => checksum = number,
            (7, _) => return Err("it is written in slices, which is not supported".into()),
            _ => {}
        }
    }
    if file != 0 {
        return Err(format!("it is in file {file}, which there is not"));
    }
    let end = start.checked_add(len);
    let end = end.ok_or_else(|| format!("{len} bytes from {start} on have no end"))?;
    Ok(Tensor {
        name: name.to_owned(),
        shape: sizes,
        encoding: encoding_of(kind),
        bytes: start..end,
        checksum,
    })
}

fn shape(message: &[u8]) -> Result<Vec<usize>, Fault> {
    let mut sizes = Vec::new();
    for field in fields(message)? {
        match field {
            (2, Value::Bytes(axis)) => {
                let mut size = 0;
                for field in fields(axis)? {
                    if let (1, Value::Number(number)) = field {
                        size = number;
                    }
                }
                // An unknown size is -1, which stands as the largest number.
                let size = i64::try_from(size)
                    .ok()
                    .and_then(|s| usize::try_from(s).ok());
                sizes.push(size.ok_or("one of its sizes is negative")?);
            }
            (3, Value::Number(1)) => return Err("it has no shape".into()),
            _ => {}
        }
    }
    Ok(sizes)
}

/// How TensorFlow's types of this number are stored; the name where we do not read it.
fn encoding_of(kind: u64) -> Result<Encoding, String> {
    let name = match kind {
        1 => return Ok(Encoding::F32),
        14 => return Ok(Encoding::Bf16),
        19 => return Ok(Encoding::F16),
        2 => "F64",
        3 => "I32",
        4 => "U8",
        5 => "I16",
        6 => "I8",
        7 => "STRING",
        9 => "I64",
        10 => "BOOL",
        other => return Err(format!("number {other} of TensorFlow's list")),
    };
    Err(name.to_owned())
}
