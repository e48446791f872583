//! GPT-2 as released: `hparams.json` with the sizes, and a checkpoint of TensorFlow.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;
use serde::Deserialize;

use super::super::encoding::Encoding;
use super::super::hugging_face::read_json;
use super::super::mapped;
use super::super::source::{Bytes, Source, Stored, names_in};
use super::{bundle, needed, table, without_width};
use crate::gpt2::Gpt2Config;
use crate::{Architecture, ModelError};

/// The file with the sizes.
pub(super) const SIZES: &str = "hparams.json";
/// The file that says where the tensors are.
pub(super) const INDEX: &str = "model.ckpt.index";
/// The file with the tensors.
pub(super) const DATA: &str = "model.ckpt.data-00000-of-00001";

/// The files of a folder.
pub(super) struct Gpt2Release {
    index: PathBuf,
    data: PathBuf,
    map: Mmap,
    pub(super) architecture: Architecture,
    /// By their names in transformers.
    tensors: BTreeMap<String, Tensor>,
}

/// A tensor of the file.
struct Tensor {
    shape: Vec<usize>,
    encoding: Result<Encoding, String>,
    bytes: Range<usize>,
    checksum: u32,
}

/// What `hparams.json` says; the rest is the same in every GPT-2.
#[derive(Deserialize)]
struct Sizes {
    n_vocab: usize,
    n_ctx: usize,
    n_embd: usize,
    n_head: usize,
    n_layer: usize,
}

impl Gpt2Release {
    /// Opens the files.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, and what is wrong with it.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let [path, index, data] = [SIZES, INDEX, DATA].map(|name| needed(folder, name));
        let (path, index, data) = (path?, index?, data?);
        let sizes: Sizes = read_json(&path)?;
        let architecture = Architecture::Gpt2(Gpt2Config {
            vocab_size: sizes.n_vocab,
            max_seq_len: sizes.n_ctx,
            d_model: sizes.n_embd,
            d_ff: sizes.n_embd.saturating_mul(4),
            n_layers: sizes.n_layer,
            n_heads: sizes.n_head,
            dropout: 0.1,
            bias: true,
            tie_embeddings: true,
            norm_eps: 1e-5,
        });
        architecture.validate_in(&path)?;
        let described = bundle::read(&mapped(&index)?).map_err(|what| damaged(&index, what))?;
        let map = mapped(&data)?;
        let mut tensors = BTreeMap::new();
        for tensor in described {
            let start = usize::try_from(tensor.bytes.start);
            let bytes = start.ok().zip(usize::try_from(tensor.bytes.end).ok());
            let bytes = bytes.filter(|(_, end)| *end <= map.len());
            let Some((start, end)) = bytes else {
                let (name, len) = (tensor.name, map.len());
                let what = format!(
                    "tensor {name} does not lie within its {len} bytes: it is cut short, get it again"
                );
                return Err(damaged(&data, what));
            };
            let name = name_in_transformers(&tensor.name).ok_or_else(|| {
                let (path, name) = (index.clone(), tensor.name.clone());
                ModelError::UnknownTensor { path, name }
            })?;
            let place = Tensor {
                shape: without_width(tensor.shape),
                encoding: tensor.encoding,
                bytes: start..end,
                checksum: tensor.checksum,
            };
            tensors.insert(name, place);
        }
        Ok(Self {
            index,
            data,
            map,
            architecture,
            tensors,
        })
    }

    /// Compares the bytes of every tensor with the checksum that the index has of them.
    ///
    /// # Errors
    /// Names the first tensor whose bytes have changed.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let tensors: Vec<_> = self.tensors.iter().collect();
        let changed = tensors.par_iter().find_first(|(_, tensor)| {
            let sum = crc32c::crc32c(&self.map[tensor.bytes.clone()]);
            table::masked(sum) != tensor.checksum
        });
        match changed {
            Some((name, _)) => {
                let what = format!("tensor {name} has another checksum than the index says");
                Err(damaged(&self.data, what))
            }
            None => Ok(()),
        }
    }
}

fn damaged(path: &Path, what: String) -> ModelError {
    ModelError::Damaged {
        path: path.to_owned(),
        kind: "part of a TensorFlow checkpoint",
        what,
    }
}

/// What transformers calls the tensor that is `name` here; `None` for one that is not GPT-2's.
fn name_in_transformers(name: &str) -> Option<String> {
    let segments: Vec<&str> = name.strip_prefix("model/")?.split('/').collect();
    let (place, kind) = match segments[..] {
        [table @ ("wte" | "wpe")] => (table.to_owned(), "w"),
        ["ln_f", kind @ ("g" | "b")] => ("ln_f".to_owned(), kind),
        [block, norm @ ("ln_1" | "ln_2"), kind @ ("g" | "b")] => {
            (format!("h.{}.{norm}", number_of(block)?), kind)
        }
        [
            block,
            layer @ ("attn" | "mlp"),
            projection @ ("c_attn" | "c_fc" | "c_proj"),
            kind @ ("w" | "b"),
        ] => (
            format!("h.{}.{layer}.{projection}", number_of(block)?),
            kind,
        ),
        _ => return None,
    };
    let kind = if kind == "b" { "bias" } else { "weight" };
    Some(format!("transformer.{place}.{kind}"))
}

/// The number of the block that is called `h0`, `h1`, …
fn number_of(block: &str) -> Option<&str> {
    let digits = block.strip_prefix('h')?;
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
}

impl Source for Gpt2Release {
    fn path(&self) -> &Path {
        &self.index
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let tensor = self.tensors.get(name)?;
        Some(Stored {
            path: &self.data,
            shape: tensor.shape.clone(),
            encoding: tensor.encoding.clone(),
            bytes: Bytes::Mapped(&self.map[tensor.bytes.clone()]),
        })
    }

    fn names(&self) -> Vec<(&Path, &str)> {
        names_in(&self.data, &self.tensors)
    }

    fn maps(&self) -> Vec<&Mmap> {
        vec![&self.map]
    }
}
