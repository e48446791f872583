//! What a model's files hold, without loading it: tensors as they are stored, and the parameters that they make up.
//!
//! Names are those of the files for tensors, and for parameters the paths of our modules, which are the same whatever the format. One tensor
//! at a time is read.

use std::path::{Path, PathBuf};

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;

use super::layout::{Layout, Place};
use super::source::{Bytes, Stored};
use super::{Checkpoint, reader};
use crate::{Architecture, ModelError};

/// A tensor as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Row-major, the outermost size first.
    pub shape: Vec<usize>,
    /// How its numbers are stored: `f32`, `q8_0`, or the name of a way that models are not read from.
    pub dtype: String,
    /// Its bytes in the file; `None` for a type whose size is not known here.
    pub bytes: Option<u64>,
    /// Whether its numbers can be read.
    pub readable: bool,
    /// Whether it is of no use to the model: a mask or table that old files carry, or the head of a tied model once more.
    pub unused: bool,
}

/// A parameter of a model, and the tensor that it is stored in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredParameter {
    /// Path of field names, such as `blocks.0.attention.query.weight`.
    pub path: String,
    /// As modules have it: outputs, then inputs.
    pub shape: Vec<usize>,
    /// Name of the tensor; several parameters may be parts of one.
    pub tensor: String,
    /// How its numbers are stored.
    pub dtype: String,
    /// Its share of the tensor's bytes; `None` for a type whose size is not known here.
    pub bytes: Option<u64>,
}

impl StoredParameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Architecture {
    /// Paths and shapes of all parameters, tied ones once, in the order of the model. Allocates nothing.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut collector = Collector::default();
        self.init(0, &Device::flex()).visit(&mut collector);
        collector.parameters
    }
}

impl Checkpoint {
    /// Every tensor of the files, by file and name.
    ///
    /// # Errors
    /// Names the file that is damaged.
    pub fn tensors(&self) -> Result<Vec<StoredTensor>, ModelError> {
        self.check()?;
        self.with_source(|source, layout| {
            let mut names = source.names();
            names.sort_unstable();
            let unused = |name: &str| {
                // The head of a model that has one of its own bears the name that a tied model's repetition has.
                let head = matches!(name, "lm_head.weight" | "output.weight");
                layout.holds_nothing(name) && (!head || self.architecture.tie_embeddings())
            };
            let tensors = names.into_iter().filter_map(|(file, name)| {
                let stored = source.find(name)?;
                Some(stored.described(file, name, unused(name)))
            });
            Ok(tensors.collect())
        })
    }

    /// Every parameter of the model, in its order, with the tensor that holds it.
    ///
    /// # Errors
    /// Names the tensor that is missing or of another shape, or the file that is damaged.
    pub fn parameters(&self) -> Result<Vec<StoredParameter>, ModelError> {
        self.check()?;
        self.with_source(|source, layout| {
            let parameters = self.architecture.parameters().into_iter();
            let stored = parameters.map(|(path, shape)| {
                let place = layout.place(&self.architecture, &path);
                let (tensor, stored) = reader::find(source, layout, &place)?;
                reader::check_shape(&stored, &place, &shape)?;
                let parts = place.part.map_or(1, |part| part.of) as u64;
                Ok(StoredParameter {
                    path,
                    shape,
                    tensor,
                    dtype: stored.dtype(),
                    bytes: stored.n_bytes().map(|bytes| bytes / parts),
                })
            });
            stored.collect()
        })
    }

    /// The values of one parameter of [`parameters`](Self::parameters), row-major.
    ///
    /// # Errors
    /// Names the tensor that is missing, or of another shape or type.
    pub fn values(&self, path: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.with_source(|source, layout| {
            let place: Place = layout.place(&self.architecture, path);
            let (_, stored) = reader::find(source, layout, &place)?;
            reader::values(&stored, &place, shape)
        })
    }

    /// Lets `read` have one tensor of the files.
    ///
    /// # Errors
    /// Those of `read`; there is no such tensor.
    pub(super) fn with_tensor<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Stored<'_>) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        self.with_source(|source, _: Layout| match source.find(name) {
            Some(stored) => read(&stored),
            None => Err(ModelError::MissingTensor {
                path: source.path().to_owned(),
                name: name.to_owned(),
            }),
        })
    }
}

impl Stored<'_> {
    fn described(&self, file: &Path, name: &str, unused: bool) -> StoredTensor {
        StoredTensor {
            name: name.to_owned(),
            file: file.to_owned(),
            shape: self.shape.clone(),
            dtype: self.dtype(),
            bytes: self.n_bytes(),
            readable: self.encoding.is_ok(),
            unused,
        }
    }

    fn dtype(&self) -> String {
        match &self.encoding {
            Ok(encoding) => encoding.name().to_owned(),
            Err(name) => name.to_lowercase(),
        }
    }

    /// Bytes in the file, as far as they are known without reading them.
    fn n_bytes(&self) -> Option<u64> {
        let bytes = match &self.bytes {
            Bytes::Mapped(bytes) => bytes.len(),
            Bytes::Scattered(parts) => parts.iter().map(|part| part.len()).sum(),
            Bytes::Archived(tensor) => tensor.byte_len(),
        };
        // Of a type that is not read, a GGUF file does not say how many bytes there are.
        (bytes > 0 || self.encoding.is_ok()).then_some(bytes as u64)
    }
}

#[derive(Default)]
struct Collector {
    at: ParameterPath,
    parameters: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let path = self.at.current();
        // The field of `LanguageModel` that holds the family's own module.
        let path = path.strip_prefix("stack.").unwrap_or(&path).to_owned();
        let shape = parameter.lazy_shape().dims::<D>();
        self.parameters.push((path, shape.to_vec()));
    }
}
