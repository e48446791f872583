//! Writing a file: header, metadata, then one tensor after the other.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use llm_files::WriteError;

use super::super::encoding::Encoding;
use super::super::layout::Layout;
use super::super::outputs::{self, Output};
use super::file::kind_of;
use super::metadata::{Metadata, MetadataValue};
use super::{ALIGNMENT, MAGIC, VERSION, config};
use crate::{Family, LanguageModel, ModelError};

/// Writes the model with its sizes and `metadata`, matrices in `encoding`.
///
/// What is no matrix, and learned positions, which llama.cpp adds in f32, stay in f32. Matrices whose rows are not whole blocks are stored as
/// f16, as llama.cpp's own converter does.
///
/// # Errors
/// The family or its sizes have no place in the format, a number does not fit, or the file can't be written.
pub(in super::super) fn write(
    model: &LanguageModel,
    metadata: Metadata,
    encoding: Encoding,
    path: &Path,
) -> Result<(), ModelError> {
    if model.family() == Family::Gpt {
        return Err(ModelError::NoGguf {
            what: "the family gpt: llama.cpp has no such architecture",
        });
    }
    let mut outputs = outputs::of(model, Layout::Gguf, |name, shape| {
        stored_as(name, shape, encoding)
    });
    let (sizes, factors) = config::write(model.architecture(), encoding)?;
    for factors in factors {
        outputs.insert(factors.name.clone(), factors);
    }
    for output in outputs.values() {
        output.check()?;
    }
    let mut all = metadata;
    all.extend(sizes);
    let header = header(&all, &outputs.values().collect::<Vec<_>>());
    llm_files::write_by(path, |partial| {
        let write = || -> io::Result<()> {
            let mut file = BufWriter::new(std::fs::File::create(partial)?);
            file.write_all(&header)?;
            for output in outputs.values() {
                let bytes = output.bytes();
                file.write_all(&bytes)?;
                file.write_all(&vec![0; padding(bytes.len() as u64)])?;
            }
            file.flush()
        };
        Ok(write().map_err(WriteError::of(path))?)
    })
}

/// How a tensor is stored when `wanted` was asked for.
pub(in super::super) fn stored_as(name: &str, shape: &[usize], wanted: Encoding) -> Encoding {
    if shape.len() < 2 || name == "position_embd.weight" {
        Encoding::F32
    } else if wanted.bytes_of(shape[shape.len() - 1]).is_none() {
        Encoding::F16
    } else {
        wanted
    }
}

/// Everything before the first tensor.
fn header(metadata: &Metadata, outputs: &[&Output]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((outputs.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    // The first key tells readers which keys to look for.
    let first = "general.architecture";
    let others = metadata.iter().filter(|(key, _)| *key != first);
    for (key, value) in metadata.get_key_value(first).into_iter().chain(others) {
        text(&mut bytes, key);
        bytes.extend(value.kind().to_le_bytes());
        put(&mut bytes, value);
    }
    let mut offset = 0u64;
    for output in outputs {
        text(&mut bytes, &output.name);
        bytes.extend((output.shape.len() as u32).to_le_bytes());
        for size in output.shape.iter().rev() {
            bytes.extend((*size as u64).to_le_bytes());
        }
        bytes.extend(kind_of(output.encoding).to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        let size = output.n_bytes() as u64;
        offset += size + padding(size) as u64;
    }
    let rest = padding(bytes.len() as u64);
    bytes.resize(bytes.len() + rest, 0);
    bytes
}

/// Bytes up to where the next tensor may begin.
fn padding(len: u64) -> usize {
    (len.next_multiple_of(ALIGNMENT) - len) as usize
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn put(bytes: &mut Vec<u8>, value: &MetadataValue) {
    use MetadataValue as V;
    match value {
        V::U8(v) => bytes.extend(v.to_le_bytes()),
        V::I8(v) => bytes.extend(v.to_le_bytes()),
        V::U16(v) => bytes.extend(v.to_le_bytes()),
        V::I16(v) => bytes.extend(v.to_le_bytes()),
        V::U32(v) => bytes.extend(v.to_le_bytes()),
        V::I32(v) => bytes.extend(v.to_le_bytes()),
        V::F32(v) => bytes.extend(v.to_le_bytes()),
        V::Bool(v) => bytes.push((*v).into()),
        V::String(v) => text(bytes, v),
        V::U64(v) => bytes.extend(v.to_le_bytes()),
        V::I64(v) => bytes.extend(v.to_le_bytes()),
        V::F64(v) => bytes.extend(v.to_le_bytes()),
        V::Array(values) => {
            // An empty list of anything is an empty list of texts.
            let kind = values.first().map_or(8, MetadataValue::kind);
            bytes.extend(kind.to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            for value in values {
                put(bytes, value);
            }
        }
    }
}
