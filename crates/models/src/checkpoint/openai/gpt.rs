//! GPT as released in 2018: every number of the model as one list, cut into ten numpy files, and the shapes to cut it by.
//!
//! The files have no names. The order is that in which the program made its variables, behind the positions and the tokens.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::super::encoding::Encoding;
use super::super::hugging_face::read_json;
use super::super::mapped;
use super::super::source::{Bytes, Source, Stored};
use super::{needed, numpy, without_width};
use crate::gpt::GptConfig;
use crate::{Architecture, ModelError};

/// The file with the shapes.
pub(super) const SHAPES: &str = "params_shapes.json";
/// The files with the numbers.
const NUMBERS: [&str; 10] = [
    "params_0.npy",
    "params_1.npy",
    "params_2.npy",
    "params_3.npy",
    "params_4.npy",
    "params_5.npy",
    "params_6.npy",
    "params_7.npy",
    "params_8.npy",
    "params_9.npy",
];
/// Names in transformers of the tensors that stand first.
const EMBEDDINGS: [&str; 2] = ["positions_embed.weight", "tokens_embed.weight"];
/// And of those of each block.
const BLOCK: [&str; 12] = [
    "attn.c_attn.weight",
    "attn.c_attn.bias",
    "attn.c_proj.weight",
    "attn.c_proj.bias",
    "ln_1.weight",
    "ln_1.bias",
    "mlp.c_fc.weight",
    "mlp.c_fc.bias",
    "mlp.c_proj.weight",
    "mlp.c_proj.bias",
    "ln_2.weight",
    "ln_2.bias",
];
/// Width of a head, which no file says.
const HEAD: usize = 64;
/// Bytes of a number.
const SIZE: usize = 4;

/// The files of a folder.
pub(super) struct GptRelease {
    shapes: PathBuf,
    parts: Vec<NumbersFile>,
    pub(super) architecture: Architecture,
    tensors: BTreeMap<String, Tensor>,
}

/// One of the files.
struct NumbersFile {
    path: PathBuf,
    map: Mmap,
    /// Of the bytes of all files together.
    bytes: Range<usize>,
}

/// Where a tensor is.
struct Tensor {
    shape: Vec<usize>,
    /// Of the bytes of all files together.
    bytes: Range<usize>,
}

impl GptRelease {
    /// Opens the files.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, and what is wrong with it.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(SHAPES);
        let shapes: Vec<Vec<usize>> = read_json(&path)?;
        let architecture = architecture(&shapes, &path)?;
        architecture.validate_in(&path)?;
        let (parts, have) = open_parts(folder)?;
        let mut tensors = BTreeMap::new();
        let mut end = 0usize;
        for (name, shape) in names(architecture.n_layers()).zip(shapes) {
            let bytes = shape.iter().try_fold(SIZE, |all, n| all.checked_mul(*n));
            let next = bytes.and_then(|bytes| end.checked_add(bytes));
            let Some(next) = next.filter(|next| *next <= have) else {
                let have = have / SIZE;
                let what = format!(
                    "{name} of shape {shape:?} does not lie within the {have} numbers of all files"
                );
                return Err(damaged(&path, what));
            };
            let (shape, bytes) = (without_width(shape), end..next);
            tensors.insert(name, Tensor { shape, bytes });
            end = next;
        }
        if end != have {
            let (need, have) = (end / SIZE, have / SIZE);
            let what = format!("the shapes take {need} numbers, but the files have {have}");
            return Err(damaged(&path, what));
        }
        Ok(Self {
            shapes: path,
            parts,
            architecture,
            tensors,
        })
    }
}

/// The files, and how many bytes of numbers they have together.
fn open_parts(folder: &Path) -> Result<(Vec<NumbersFile>, usize), ModelError> {
    let mut end = 0;
    let mut parts = Vec::new();
    for name in NUMBERS {
        let path = needed(folder, name)?;
        let map = mapped(&path)?;
        let numbers = numpy::list_of_f32(&map);
        let len = numbers
            .map(<[u8]>::len)
            .map_err(|what| ModelError::Damaged {
                path: path.clone(),
                kind: "numpy file of the model",
                what,
            })?;
        // Mapped files can't be longer together than there are addresses.
        let bytes = end..end + len;
        end = bytes.end;
        parts.push(NumbersFile { path, map, bytes });
    }
    Ok((parts, end))
}

impl NumbersFile {
    /// The bytes that it has of this range of all.
    fn part(&self, wanted: &Range<usize>) -> &[u8] {
        // The numbers stand at the end of the file.
        let header = self.map.len() - self.bytes.len();
        let within = |at: usize| at.clamp(self.bytes.start, self.bytes.end) - self.bytes.start;
        &self.map[header..][within(wanted.start)..within(wanted.end)]
    }
}

/// The sizes of a model of these shapes; whether the others fit to the first is seen when tensors are read.
fn architecture(shapes: &[Vec<usize>], path: &Path) -> Result<Architecture, ModelError> {
    let blocks = shapes.len().saturating_sub(EMBEDDINGS.len());
    if blocks == 0 || !blocks.is_multiple_of(BLOCK.len()) {
        let (n, embeddings, block) = (shapes.len(), EMBEDDINGS.len(), BLOCK.len());
        let what = format!("it has {n} shapes, not {embeddings} and {block} for each block");
        return Err(damaged(path, what));
    }
    let up = EMBEDDINGS.len() + 6;
    let ([max_seq_len, _], [vocab_size, d_model], [1, _, d_ff]) =
        (&shapes[0][..], &shapes[1][..], &shapes[up][..])
    else {
        let what = format!(
            "{:?}, {:?} and {:?} are not the shapes of positions, tokens and a feed-forward layer",
            shapes[0], shapes[1], shapes[up]
        );
        return Err(damaged(path, what));
    };
    if !d_model.is_multiple_of(HEAD) {
        return Err(ModelError::Unsupported {
            path: path.to_owned(),
            what: format!("a width of {d_model}, which is not made of heads of {HEAD},"),
        });
    }
    Ok(Architecture::Gpt(GptConfig {
        vocab_size: *vocab_size,
        max_seq_len: *max_seq_len,
        d_model: *d_model,
        d_ff: *d_ff,
        n_layers: blocks / BLOCK.len(),
        n_heads: d_model / HEAD,
        dropout: 0.1,
        tie_embeddings: true,
        norm_eps: 1e-5,
    }))
}

/// The names of all tensors, in the order of the files.
fn names(n_layers: usize) -> impl Iterator<Item = String> {
    let of_block = |i| BLOCK.map(|name| format!("transformer.h.{i}.{name}"));
    let embeddings = EMBEDDINGS.map(|name| format!("transformer.{name}"));
    embeddings
        .into_iter()
        .chain((0..n_layers).flat_map(of_block))
}

fn damaged(path: &Path, what: String) -> ModelError {
    ModelError::Damaged {
        path: path.to_owned(),
        kind: "list of the model's shapes",
        what,
    }
}

impl Source for GptRelease {
    fn path(&self) -> &Path {
        &self.shapes
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let Tensor { shape, bytes } = self.tensors.get(name)?;
        let first = self.parts.iter().find(|part| bytes.start < part.bytes.end);
        let parts = self.parts.iter().map(|part| part.part(bytes));
        let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
        Some(Stored {
            path: first.map_or(&self.shapes, |part| &part.path),
            shape: shape.clone(),
            encoding: Ok(Encoding::F32),
            bytes: match parts[..] {
                [whole] => Bytes::Mapped(whole),
                _ => Bytes::Scattered(parts),
            },
        })
    }

    fn names(&self) -> Vec<(&Path, &str)> {
        let names = self.tensors.keys();
        names
            .map(|name| (self.shapes.as_path(), name.as_str()))
            .collect()
    }

    fn maps(&self) -> Vec<&Mmap> {
        self.parts.iter().map(|part| &part.map).collect()
    }
}
