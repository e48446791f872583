//! Checkpoints of llama2.c: a header of sizes, then every matrix in f32, without names.
//!
//! Version 0 is what its `run.c` reads, version 1 begins with `ak42`; version 2, in 8-bit groups, is refused. Tensors get llama.cpp's names
//! here, as rotary dimensions stand in pairs in both.
//!
//! Source: Karpathy, llama2.c, `export.py` (`legacy_export`, `version1_export`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::encoding::Encoding;
use super::mapped;
use super::source::{Bytes, Source, Stored, names_in};
use crate::llama::LlamaConfig;
use crate::{Architecture, ModelError};

/// First bytes of files from version 1 on, as a little-endian number.
const MAGIC: u32 = 0x616b_3432;
/// Bytes before the first tensor, from version 1 on.
const HEADER: usize = 256;
/// Bytes of a number.
const SIZE: usize = 4;

/// A file, mapped into memory.
pub(super) struct Llama2cFile {
    path: PathBuf,
    map: Mmap,
    pub(super) architecture: Architecture,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor is.
struct Place {
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// What stands in the header.
struct Header {
    version: u32,
    /// Bytes before the first tensor.
    len: usize,
    config: LlamaConfig,
}

impl Llama2cFile {
    /// Opens the file.
    ///
    /// # Errors
    /// Names the file when it can't be read, or does not hold the numbers that its header promises.
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let map = mapped(path)?;
        let header = Header::read(&map).map_err(|what| ModelError::Unsupported {
            path: path.to_owned(),
            what,
        })?;
        let architecture = Architecture::Llama(header.config.clone());
        architecture.validate_in(path)?;
        let mut tensors = BTreeMap::new();
        let mut end = header.len;
        let wrong_size = |expected: Option<usize>| ModelError::FileSize {
            path: path.to_owned(),
            bytes: map.len() as u64,
            expected: expected.map(|bytes| bytes as u64),
        };
        for (name, shape) in header.tensors() {
            let values = shape.iter().try_fold(SIZE, |all, n| all.checked_mul(*n));
            let next = values.and_then(|bytes| end.checked_add(bytes));
            let next = next.ok_or_else(|| wrong_size(None))?;
            if let Some(name) = name {
                let bytes = end..next;
                tensors.insert(name, Place { shape, bytes });
            }
            end = next;
        }
        if end != map.len() {
            return Err(wrong_size(Some(end)));
        }
        Ok(Self {
            path: path.to_owned(),
            map,
            architecture,
            tensors,
        })
    }
}

impl Header {
    /// # Errors
    /// What is not supported.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4);
            let bytes: Option<[u8; 4]> = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes
                .map(i32::from_le_bytes)
                .ok_or_else(|| "a file of less than 28 bytes".to_owned())
        };
        let (version, first, len) = if number(0)?.cast_unsigned() == MAGIC {
            (number(4)?.cast_unsigned(), 8, HEADER)
        } else {
            (0, 0, 28)
        };
        if version > 1 {
            return Err(format!(
                "version {version} of llama2.c's format (known: 0, 1)"
            ));
        }
        let size = |i: usize| {
            let value = number(first + 4 * i)?;
            usize::try_from(value)
                .map_err(|_| format!("a llama2.c header whose number {i} is {value}"))
        };
        // In version 0 a negative vocabulary says that the head has a matrix of its own.
        let vocab_size = number(first + 20)?;
        let tie_embeddings = match version {
            0 => vocab_size > 0,
            _ => bytes.get(first + 28).is_some_and(|shared| *shared == 1),
        };
        let (d_model, n_heads) = (size(0)?, size(3)?);
        Ok(Self {
            version,
            len,
            config: LlamaConfig {
                vocab_size: vocab_size.unsigned_abs() as usize,
                max_seq_len: size(6)?,
                d_model,
                d_ff: size(1)?,
                n_layers: size(2)?,
                n_heads,
                n_kv_heads: size(4)?,
                d_head: d_model / n_heads.max(1),
                dropout: 0.0,
                attention_bias: false,
                mlp_bias: false,
                rope_theta: 10_000.0,
                rope_scaling: None,
                tie_embeddings,
                norm_eps: 1e-5,
            },
        })
    }

    /// Every tensor in the order of the file; what is not needed has no name.
    fn tensors(&self) -> Vec<(Option<String>, Vec<usize>)> {
        let LlamaConfig {
            vocab_size,
            max_seq_len,
            d_model,
            d_ff,
            n_layers,
            n_heads,
            n_kv_heads,
            d_head,
            tie_embeddings,
            ..
        } = self.config;
        let whole = |name: &str, shape: &[usize]| (Some(name.to_owned()), shape.to_vec());
        let of_layers = |name: &'static str, shape: Vec<usize>| {
            let of_layer = move |i| (Some(format!("blk.{i}.{name}.weight")), shape.clone());
            (0..n_layers).map(of_layer).collect::<Vec<_>>()
        };
        let attention = [
            ("attn_q", vec![n_heads * d_head, d_model]),
            ("attn_k", vec![n_kv_heads * d_head, d_model]),
            ("attn_v", vec![n_kv_heads * d_head, d_model]),
            ("attn_output", vec![d_model, n_heads * d_head]),
        ];
        let feed_forward = [
            ("ffn_gate", vec![d_ff, d_model]),
            ("ffn_down", vec![d_model, d_ff]),
            ("ffn_up", vec![d_ff, d_model]),
        ];
        let matrices = |list: Vec<(&'static str, Vec<usize>)>| {
            let of_layers = |(name, shape)| of_layers(name, shape);
            list.into_iter().flat_map(of_layers).collect::<Vec<_>>()
        };
        let norms = |name| of_layers(name, vec![d_model]);
        let embedding = whole("token_embd.weight", &[vocab_size, d_model]);
        let final_norm = whole("output_norm.weight", &[d_model]);
        let mut all = Vec::new();
        if self.version == 0 {
            all.push(embedding);
            all.extend(norms("attn_norm"));
            all.extend(matrices(attention.into()));
            all.extend(norms("ffn_norm"));
            all.extend(matrices(feed_forward.into()));
            all.push(final_norm);
            // Cosines and sines of the positions.
            all.extend([
                (None, vec![max_seq_len, d_head / 2]),
                (None, vec![max_seq_len, d_head / 2]),
            ]);
        } else {
            all.extend(norms("attn_norm"));
            all.extend(norms("ffn_norm"));
            all.push(final_norm);
            all.push(embedding);
            all.extend(matrices(attention.into()));
            all.extend(matrices(feed_forward.into()));
        }
        if !tie_embeddings {
            all.push(whole("output.weight", &[vocab_size, d_model]));
        }
        all
    }
}

impl Source for Llama2cFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let place = self.tensors.get(name)?;
        Some(Stored {
            path: &self.path,
            shape: place.shape.clone(),
            encoding: Ok(Encoding::F32),
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
