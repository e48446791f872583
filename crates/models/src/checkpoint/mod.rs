//! Models in files: folders of Hugging Face, with weights as safetensors or as PyTorch saves them, those that OpenAI released,
//! GGUF files, and those of llama2.c.
//!
//! Each format is a `Source` of named tensors and a description of sizes; `reader` fills a model from any of them, and
//! `outputs` turns a model's parameters into tensors for any writer. Weights are mapped and read one tensor at a time.

mod contents;
mod encoding;
mod export;
pub mod gguf;
mod hugging_face;
mod layout;
mod llama2c;
mod openai;
mod outputs;
mod pytorch;
mod reader;
mod settle;
mod source;
mod statistics;
mod weight_files;

use std::fs::File;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use memmap2::Mmap;

use self::gguf::{GgufFile, Metadata};
use self::hugging_face::{CONFIG, GENERATION, SAFETENSORS, SafetensorsFiles};
use self::layout::Layout;
use self::llama2c::Llama2cFile;
use self::openai::Release;
use self::pytorch::{PYTORCH, PytorchFiles};
use self::source::Source;
use self::weight_files::WeightFiles;
use crate::{Architecture, LanguageModel, ModelError};

pub use contents::{StoredParameter, StoredTensor};
pub use encoding::Encoding;
pub use export::{Export, Exported, Format, export};
pub use statistics::{Difference, Statistics};

/// Ids of the tokens with a meaning of their own, as model files carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Each ends a text; the first one is the tokenizer's.
    pub eos: Vec<u32>,
}

/// A model's files, opened: sizes are read, weights are not yet.
pub struct Checkpoint {
    path: PathBuf,
    kind: Kind,
    architecture: Architecture,
}

enum Kind {
    Safetensors(SafetensorsFiles),
    Pytorch(PytorchFiles),
    OpenAi(Box<Release>),
    Gguf(Box<GgufFile>),
    Llama2c(Box<Llama2cFile>),
}

impl Checkpoint {
    /// Opens a model folder, a GGUF file or a llama2.c file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it: missing, damaged, of a family or with a setting that is not built in.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let (kind, architecture) = if path.is_dir() {
            open_folder(path)?
        } else {
            open_file(path)?
        };
        Ok(Self {
            path: path.to_owned(),
            kind,
            architecture,
        })
    }

    /// The sizes.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Keys and values of a GGUF file; `None` for other formats.
    pub fn gguf_metadata(&self) -> Option<&Metadata> {
        match &self.kind {
            Kind::Gguf(file) => Some(&file.metadata),
            _ => None,
        }
    }

    /// Whether it is a file of llama2.c, whose tokenizer is another file.
    pub fn is_llama2c(&self) -> bool {
        matches!(self.kind, Kind::Llama2c(_))
    }

    /// Ids of the tokens that end a text, as a folder's `generation_config.json` lists them; empty where nothing does.
    ///
    /// # Errors
    /// Names the file that can't be read or is not JSON.
    pub fn end_ids(&self) -> Result<Vec<u32>, ModelError> {
        let path = self.path.join(GENERATION);
        match self.kind {
            Kind::Safetensors(_) | Kind::Pytorch(_) if path.is_file() => {
                hugging_face::read_end_ids(&path)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Loads the model onto `device`, as f32.
    ///
    /// # Errors
    /// Names the file or tensor: damaged, missing, of another shape or too many.
    pub fn load(&self, device: &Device) -> Result<LanguageModel, ModelError> {
        let model = self.architecture.init(0, device);
        self.check()?;
        self.with_source(|source, layout| {
            source.maps().into_iter().for_each(read_ahead);
            reader::read(source, layout, model)
        })
    }

    /// Checks the sums that a format keeps of its tensors' bytes, for which all of them are read.
    fn check(&self) -> Result<(), ModelError> {
        match &self.kind {
            Kind::OpenAi(release) => release.check(),
            _ => Ok(()),
        }
    }

    /// The tensors as they are named, and whose names and orders they have.
    fn with_source<T>(
        &self,
        read: impl FnOnce(&dyn Source, Layout) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        match &self.kind {
            Kind::Safetensors(files) => read(&files.tensors()?, Layout::HuggingFace),
            Kind::Pytorch(files) => read(files, Layout::HuggingFace),
            Kind::OpenAi(release) => read(release.tensors(), Layout::HuggingFace),
            Kind::Gguf(file) => read(file.as_ref(), Layout::Gguf),
            Kind::Llama2c(file) => read(file.as_ref(), Layout::Gguf),
        }
    }
}

fn open_folder(folder: &Path) -> Result<(Kind, Architecture), ModelError> {
    let config = folder.join(CONFIG);
    let not_a_model = |missing| ModelError::NotAModel {
        folder: folder.to_owned(),
        missing,
    };
    if !config.is_file() {
        let release = Release::find(folder)?.ok_or_else(|| not_a_model(CONFIG))?;
        let architecture = release.architecture().clone();
        return Ok((Kind::OpenAi(Box::new(release)), architecture));
    }
    let kind = if let Some(files) = WeightFiles::find(folder, &SAFETENSORS)? {
        Kind::Safetensors(SafetensorsFiles::open(files)?)
    } else {
        let [first, second] = PYTORCH;
        let files = match WeightFiles::find(folder, &first)? {
            None => WeightFiles::find(folder, &second)?,
            found => found,
        };
        let files = files.ok_or_else(|| not_a_model(SAFETENSORS.single))?;
        Kind::Pytorch(PytorchFiles::open(files)?)
    };
    let architecture = read_config(&config)?;
    let architecture = match &kind {
        Kind::Safetensors(files) => settle::settle(architecture, &files.tensors()?)?,
        Kind::Pytorch(files) => settle::settle(architecture, files)?,
        Kind::OpenAi(_) | Kind::Gguf(_) | Kind::Llama2c(_) => architecture,
    };
    Ok((kind, architecture))
}

fn open_file(path: &Path) -> Result<(Kind, Architecture), ModelError> {
    let unknown = |what| ModelError::UnknownFormat {
        path: path.to_owned(),
        what,
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("gguf") => {
            let file = GgufFile::open(path)?;
            let architecture = file.architecture.clone();
            Ok((Kind::Gguf(Box::new(file)), architecture))
        }
        Some("bin") => {
            let file = Llama2cFile::open(path)?;
            let architecture = file.architecture.clone();
            Ok((Kind::Llama2c(Box::new(file)), architecture))
        }
        Some("safetensors" | "pth" | "pt") => Err(unknown(
            "weights without the config.json beside them: name the folder",
        )),
        _ => Err(unknown("a file of no known kind")),
    }
}

/// Loads the model of a folder or file onto `device`, as f32.
///
/// # Errors
/// As [`Checkpoint::open`] and [`Checkpoint::load`].
pub fn load(path: &Path, device: &Device) -> Result<LanguageModel, ModelError> {
    Checkpoint::open(path)?.load(device)
}

/// The sizes that a `config.json` describes.
///
/// # Errors
/// Names the file and the key that is missing, out of range or not supported.
pub fn read_config(path: &Path) -> Result<Architecture, ModelError> {
    hugging_face::read_config(path)
}

/// Writes the model into `folder`, which must exist, as `llm train` does: f32, one weight file. Each file is whole or absent.
///
/// # Errors
/// Names the file that can't be written.
pub fn save(model: &LanguageModel, special: &SpecialIds, folder: &Path) -> Result<(), ModelError> {
    hugging_face::save(model, special, Encoding::F32, u64::MAX, folder)
}

/// Has the system read a mapped file at once that is needed whole; where it can't, its pages come one by one.
fn read_ahead(map: &Mmap) {
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::PopulateRead);
    #[cfg(not(target_os = "linux"))]
    let _ = map;
}

#[expect(
    unsafe_code,
    reason = "mapping is unsafe because another process could cut the file short while it is read"
)]
fn mapped(path: &Path) -> Result<Mmap, ModelError> {
    let map = || {
        let file = File::open(path)?;
        // SAFETY: the mapping is read while a model is loaded or inspected, and dropped then; model files are written whole and renamed.
        unsafe { memmap2::MmapOptions::new().map(&file) }
    };
    map().map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
