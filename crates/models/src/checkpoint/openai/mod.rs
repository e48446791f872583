//! The files in which OpenAI released its models: GPT as numpy arrays, GPT-2 as a checkpoint of TensorFlow.
//!
//! Tensors get the names of transformers here, whose `Conv1D` layers have the same order of inputs and outputs. Where a folder has a
//! `config.json` too, it is read as a folder of Hugging Face.
//!
//! Sources: <https://github.com/openai/finetune-transformer-lm>, `train.py`; <https://github.com/openai/gpt-2>, `src/model.py`.

mod bundle;
mod cursor;
mod gpt;
mod gpt2;
mod numpy;
mod protobuf;
mod table;

use std::path::Path;

use self::gpt::GptRelease;
use self::gpt2::Gpt2Release;
use super::source::Source;
use crate::{Architecture, ModelError};

/// What is wrong with a file, in a few words.
type Fault = String;

/// A released model, opened: its weights are mapped and not yet checked.
pub(super) struct Release(Files);

/// The files of a folder.
enum Files {
    Gpt(GptRelease),
    Gpt2(Gpt2Release),
}

impl Release {
    /// The release in `folder`, if there is one.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, and what is wrong with it.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>, ModelError> {
        let has = |name| folder.join(name).is_file();
        Ok(if has(gpt2::SIZES) || has(gpt2::INDEX) {
            Some(Self(Files::Gpt2(Gpt2Release::open(folder)?)))
        } else if has(gpt::SHAPES) {
            Some(Self(Files::Gpt(GptRelease::open(folder)?)))
        } else {
            None
        })
    }

    /// The sizes.
    pub(super) fn architecture(&self) -> &Architecture {
        match &self.0 {
            Files::Gpt(release) => &release.architecture,
            Files::Gpt2(release) => &release.architecture,
        }
    }

    /// The tensors.
    pub(super) fn tensors(&self) -> &dyn Source {
        match &self.0 {
            Files::Gpt(release) => release,
            Files::Gpt2(release) => release,
        }
    }

    /// Checks that the bytes of the tensors are those that were written, where a file says so.
    ///
    /// # Errors
    /// Names the tensor whose bytes have changed.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        match &self.0 {
            Files::Gpt(_) => Ok(()),
            Files::Gpt2(release) => release.check(),
        }
    }
}

/// The path of a file that has to be there.
fn needed(folder: &Path, name: &'static str) -> Result<std::path::PathBuf, ModelError> {
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(ModelError::NotAModel {
            folder: folder.to_owned(),
            missing: name,
        })
    }
}

/// The shape that a tensor has in transformers: matrices are written as convolutions of width 1.
fn without_width(mut shape: Vec<usize>) -> Vec<usize> {
    if shape.len() == 3 && shape[0] == 1 {
        shape.remove(0);
    }
    shape
}

#[cfg(test)]
mod tests;
