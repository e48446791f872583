//! Weights in safetensors files, mapped into memory.

use std::path::Path;

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use super::super::encoding::Encoding;
use super::super::mapped;
use super::super::source::{Bytes, Source, Stored};
use super::super::weight_files::{Names, WeightFiles};
use crate::ModelError;

/// Names of the files.
pub(in super::super) const SAFETENSORS: Names = Names {
    single: "model.safetensors",
    index: "model.safetensors.index.json",
};

/// The files of a folder.
pub(in super::super) struct SafetensorsFiles {
    files: WeightFiles,
    maps: Vec<Mmap>,
}

impl SafetensorsFiles {
    /// Opens the files.
    ///
    /// # Errors
    /// Names the one that can't be read.
    pub(in super::super) fn open(files: WeightFiles) -> Result<Self, ModelError> {
        let maps = files.files.iter().map(|path| mapped(path));
        let maps = maps.collect::<Result<_, _>>()?;
        Ok(Self { files, maps })
    }

    /// The tensors of all files.
    ///
    /// # Errors
    /// Names a file that is damaged, or that lacks a tensor which the index says it has.
    pub(in super::super) fn tensors(&self) -> Result<Tensors<'_>, ModelError> {
        let paths = self.files.files.iter();
        let contents = paths
            .zip(&self.maps)
            .map(|(path, map)| {
                SafeTensors::deserialize(map).map_err(|source| ModelError::Safetensors {
                    path: path.clone(),
                    source,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.files
            .check(|file, name| contents[file].tensor(name).is_ok())?;
        Ok(Tensors {
            files: &self.files,
            maps: &self.maps,
            contents,
        })
    }
}

/// The tensors of a folder's files.
pub(in super::super) struct Tensors<'a> {
    files: &'a WeightFiles,
    maps: &'a [Mmap],
    contents: Vec<SafeTensors<'a>>,
}

impl Source for Tensors<'_> {
    fn path(&self) -> &Path {
        &self.files.path
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let holds = |file: usize| self.contents[file].tensor(name).is_ok();
        let file = self.files.file_of(name, holds)?;
        let view = self.contents[file].tensor(name).ok()?;
        let encoding = match view.dtype() {
            Dtype::F32 => Ok(Encoding::F32),
            Dtype::F16 => Ok(Encoding::F16),
            Dtype::BF16 => Ok(Encoding::Bf16),
            other => Err(format!("{other:?}")),
        };
        Some(Stored {
            path: &self.files.files[file],
            shape: view.shape().to_vec(),
            encoding,
            bytes: Bytes::Mapped(view.data()),
        })
    }

    fn names(&self) -> Vec<(&Path, &str)> {
        let mut names = Vec::new();
        for (path, content) in self.files.files.iter().zip(&self.contents) {
            names.extend(
                content
                    .names()
                    .into_iter()
                    .map(|name| (path.as_path(), name)),
            );
        }
        names
    }

    fn maps(&self) -> Vec<&Mmap> {
        self.maps.iter().collect()
    }
}
