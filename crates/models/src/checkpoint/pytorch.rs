//! Weights as `torch.save` writes them: `pytorch_model.bin` or its shards, read by Burn's reader of PyTorch files.
//!
//! The reader runs no code of the pickle inside. Bytes are read one tensor at a time.

use std::path::Path;

use memmap2::Mmap;
use pytorch_reader::{DType, PytorchReader};

use super::encoding::Encoding;
use super::source::{Bytes, Source, Stored};
use super::weight_files::{Names, WeightFiles};
use crate::ModelError;

/// Names that a folder may have for its files, in the order of looking.
pub(super) const PYTORCH: [Names; 2] = [
    Names {
        single: "pytorch_model.bin",
        index: "pytorch_model.bin.index.json",
    },
    Names {
        single: "model.pth",
        index: "model.pth.index.json",
    },
];

/// The files of a folder.
pub(super) struct PytorchFiles {
    files: WeightFiles,
    contents: Vec<PytorchReader>,
}

impl PytorchFiles {
    /// Opens the files and reads what tensors they have.
    ///
    /// # Errors
    /// Names the file that can't be read, is damaged, or lacks a tensor which the index says it has.
    pub(super) fn open(files: WeightFiles) -> Result<Self, ModelError> {
        let open = |path: &std::path::PathBuf| {
            PytorchReader::new(path).map_err(|source| ModelError::Pytorch {
                path: path.clone(),
                source: Box::new(source),
            })
        };
        let contents = files
            .files
            .iter()
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        for (path, content) in files.files.iter().zip(&contents) {
            check_size(path, content)?;
        }
        files.check(|file, name| contents[file].get(name).is_some())?;
        Ok(Self { files, contents })
    }
}

/// Checks that the tensors have no more bytes than the file, each twice: the head of a tied model is the embedding once more.
///
/// PyTorch saves a tensor that repeats its numbers, such as `ones(1).expand(1 << 30)`, as those numbers alone; and archives may be compressed.
///
/// # Errors
/// Names the file and what its tensors would take.
fn check_size(path: &Path, content: &PytorchReader) -> Result<(), ModelError> {
    let file = std::fs::metadata(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })?;
    let tensors = content.tensors().values();
    let bytes = tensors.fold(0u64, |all, one| all.saturating_add(one.byte_len() as u64));
    if bytes > file.len().saturating_mul(2) {
        let what = format!("tensors of {bytes} bytes in a file of {}", file.len());
        return Err(ModelError::Unsupported {
            path: path.to_owned(),
            what,
        });
    }
    Ok(())
}

impl Source for PytorchFiles {
    fn path(&self) -> &Path {
        &self.files.path
    }

    fn find(&self, name: &str) -> Option<Stored<'_>> {
        let holds = |file: usize| self.contents[file].get(name).is_some();
        let file = self.files.file_of(name, holds)?;
        let tensor = self.contents[file].get(name)?;
        let encoding = match tensor.dtype() {
            DType::F32 => Ok(Encoding::F32),
            DType::F16 => Ok(Encoding::F16),
            DType::BF16 => Ok(Encoding::Bf16),
            other => Err(format!("{other:?}")),
        };
        Some(Stored {
            path: &self.files.files[file],
            shape: tensor.shape().to_vec(),
            encoding,
            bytes: Bytes::Archived(tensor),
        })
    }

    fn names(&self) -> Vec<(&Path, &str)> {
        let mut names = Vec::new();
        for (path, content) in self.files.files.iter().zip(&self.contents) {
            let of_file = content.tensors().keys();
            names.extend(of_file.map(|name| (path.as_path(), name.as_str())));
        }
        names.sort_unstable();
        names
    }

    fn maps(&self) -> Vec<&Mmap> {
        Vec::new()
    }
}
