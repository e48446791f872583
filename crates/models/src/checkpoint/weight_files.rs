//! The files that hold a folder's weights: one, or shards and the index that says which tensor is where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::ModelError;

/// Names of the files of one kind.
pub(super) struct Names {
    /// The only file.
    pub(super) single: &'static str,
    /// The index of shards.
    pub(super) index: &'static str,
}

/// The weight files of a folder.
pub(super) struct WeightFiles {
    /// The only file, or the index.
    pub(super) path: PathBuf,
    pub(super) files: Vec<PathBuf>,
    /// File of each tensor by its place in `files`; empty when there is only one.
    pub(super) weight_map: BTreeMap<String, usize>,
}

/// What the index holds; `metadata.total_size` is not needed.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl WeightFiles {
    /// The files in `folder`, if there are any. A single file is preferred, as transformers does.
    ///
    /// # Errors
    /// Names the index that can't be read or is none.
    pub(super) fn find(folder: &Path, names: &Names) -> Result<Option<Self>, ModelError> {
        let single = folder.join(names.single);
        if single.is_file() {
            return Ok(Some(Self {
                path: single.clone(),
                files: vec![single],
                weight_map: BTreeMap::new(),
            }));
        }
        let path = folder.join(names.index);
        if !path.is_file() {
            return Ok(None);
        }
        let shard_of = read_index(&path)?;
        let shards: BTreeSet<&String> = shard_of.values().collect();
        let shards: Vec<&String> = shards.into_iter().collect();
        let position = |shard: &String| shards.binary_search(&shard).expect("one of them");
        let weight_map = shard_of
            .iter()
            .map(|(tensor, shard)| (tensor.clone(), position(shard)))
            .collect();
        Ok(Some(Self {
            path,
            files: shards.iter().map(|shard| folder.join(shard)).collect(),
            weight_map,
        }))
    }

    /// Checks that each shard holds what the index says it does.
    ///
    /// # Errors
    /// Names the first file that lacks a tensor.
    pub(super) fn check(&self, holds: impl Fn(usize, &str) -> bool) -> Result<(), ModelError> {
        let missing = |(name, file): &(&String, &usize)| !holds(**file, name);
        match self.weight_map.iter().find(missing) {
            Some((name, file)) => Err(ModelError::MissingTensor {
                path: self.files[*file].clone(),
                name: name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Place in `files` of the one with this tensor: the one that the index names, or the first that holds it.
    pub(super) fn file_of(&self, name: &str, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let named = self.weight_map.get(name).copied();
        named.or_else(|| (0..self.files.len()).find(|file| holds(*file)))
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
