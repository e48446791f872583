//! The weight files of a folder: `model.safetensors`, or shards and the index that names them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;

use super::WEIGHTS;
use crate::ModelError;

/// Name of the file that says which shard holds a tensor.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The files of a folder, mapped into memory.
pub(super) struct Files {
    /// The only file, or the index.
    path: PathBuf,
    maps: Vec<(PathBuf, Mmap)>,
    /// File of each tensor by its place in `maps`; empty when there is only one.
    weight_map: BTreeMap<String, usize>,
}

/// What the index holds; `metadata.total_size` is not needed.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Files {
    /// Opens the files of `folder`. A single file is preferred, as transformers does.
    ///
    /// # Errors
    /// Names the file that is missing, can't be read, or is no index.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let single = folder.join(WEIGHTS);
        if single.is_file() {
            let map = mapped(&single)?;
            return Ok(Self {
                path: single.clone(),
                maps: vec![(single, map)],
                weight_map: BTreeMap::new(),
            });
        }
        let path = folder.join(INDEX);
        if !path.is_file() {
            return Err(ModelError::NotAModel {
                folder: folder.to_owned(),
                missing: WEIGHTS,
            });
        }
        let names = read_index(&path)?;
        let shards: BTreeSet<&String> = names.values().collect();
        let shards: Vec<&String> = shards.into_iter().collect();
        let maps = shards
            .iter()
            .map(|shard| {
                let shard = folder.join(shard);
                mapped(&shard).map(|map| (shard, map))
            })
            .collect::<Result<_, _>>()?;
        let position = |shard: &String| shards.binary_search(&shard).expect("one of them");
        let weight_map = names
            .iter()
            .map(|(tensor, shard)| (tensor.clone(), position(shard)))
            .collect();
        Ok(Self {
            path,
            maps,
            weight_map,
        })
    }

    /// The tensors of all files.
    ///
    /// # Errors
    /// Names a file that is damaged, or that lacks a tensor which the index says it has.
    pub(super) fn tensors(&self) -> Result<Tensors<'_>, ModelError> {
        let files = self
            .maps
            .iter()
            .map(|(path, map)| match SafeTensors::deserialize(map) {
                Ok(tensors) => Ok((path.as_path(), tensors)),
                Err(source) => Err(ModelError::Safetensors {
                    path: path.clone(),
                    source,
                }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (name, &file) in &self.weight_map {
            let (path, tensors) = &files[file];
            if tensors.tensor(name).is_err() {
                return Err(ModelError::MissingTensor {
                    path: path.to_path_buf(),
                    name: name.clone(),
                });
            }
        }
        Ok(Tensors {
            path: &self.path,
            files,
        })
    }
}

/// The tensors of a folder's files.
pub(super) struct Tensors<'a> {
    /// The only file, or the index: where a tensor is missing.
    pub(super) path: &'a Path,
    files: Vec<(&'a Path, SafeTensors<'a>)>,
}

impl<'a> Tensors<'a> {
    /// The file that holds the tensor `name`, and the tensor.
    pub(super) fn find(&'a self, name: &str) -> Option<(&'a Path, TensorView<'a>)> {
        self.files
            .iter()
            .find_map(|(path, tensors)| Some((*path, tensors.tensor(name).ok()?)))
    }

    /// Every tensor with its file.
    pub(super) fn names(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().flat_map(|(path, tensors)| {
            let names = tensors.names().into_iter();
            names.map(|name| (*path, name))
        })
    }
}

/// Tensors and the names of their shards, which must be those of files beside the index.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let text = std::fs::read(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })?;
    let index: Index = serde_json::from_slice(&text).map_err(|source| ModelError::ShardIndex {
        path: path.to_owned(),
        source,
    })?;
    for shard in index.weight_map.values() {
        let mut parts = Path::new(shard).components();
        if !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        ) {
            return Err(ModelError::Unsupported {
                path: path.to_owned(),
                what: format!("the shard {shard:?} outside of the folder"),
            });
        }
    }
    Ok(index.weight_map)
}

#[expect(
    unsafe_code,
    reason = "mapping is unsafe because another process could cut the file short while it is read"
)]
fn mapped(path: &Path) -> Result<Mmap, ModelError> {
    let map = || {
        let file = File::open(path)?;
        // SAFETY: the mapping is read while a model is loaded, and dropped then; the files are a model folder's, written whole and renamed.
        unsafe { memmap2::MmapOptions::new().populate().map(&file) }
    };
    map().map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}
