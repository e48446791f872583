//! Tensors of weight files: reading into a model's parameters, and writing them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;
use safetensors::tensor::{Dtype, TensorView};

use super::files::Tensors;
use super::names::{self, Place};
use super::numbers::Number;
use super::write_whole;
use crate::model::filled_later;
use crate::{Architecture, Family, LanguageModel, ModelError};

/// The model with these weights.
pub(super) fn read(
    tensors: &Tensors<'_>,
    model: LanguageModel,
) -> Result<LanguageModel, ModelError> {
    let mut reader = Reader {
        family: model.family(),
        zero_biases: has_no_biases(model.architecture()),
        tensors,
        used: BTreeSet::new(),
        at: ParameterPath::default(),
        error: None,
    };
    let model = model.map(&mut reader);
    let (used, error) = (reader.used, reader.error);
    if let Some(error) = error {
        return Err(error);
    }
    let unknown = tensors
        .names()
        .find(|(_, name)| !used.contains(*name) && !names::holds_nothing(name));
    match unknown {
        Some((path, name)) => Err(ModelError::UnknownTensor {
            path: path.to_owned(),
            name: name.to_owned(),
        }),
        None => Ok(model),
    }
}

/// Whether the family's files have biases that this model has not: they are then written as zeros, which computes the same.
fn has_no_biases(architecture: &Architecture) -> bool {
    matches!(architecture, Architecture::Gpt2(config) if !config.bias)
}

struct Reader<'a> {
    family: Family,
    zero_biases: bool,
    tensors: &'a Tensors<'a>,
    used: BTreeSet<String>,
    at: ParameterPath,
    /// The first thing that went wrong: mappers can't fail.
    error: Option<ModelError>,
}

impl<'a> Reader<'a> {
    /// The file and the tensor under its full name, or without the first segment, as older files have it.
    fn find(&mut self, place: &Place) -> Result<(&'a Path, TensorView<'a>), ModelError> {
        let short = place.name.split_once('.').map_or("", |(_, rest)| rest);
        for name in [place.name.as_str(), short] {
            if let Some(found) = self.tensors.find(name) {
                self.used.insert(name.to_owned());
                if self.zero_biases {
                    self.used.insert(name.replace(".weight", ".bias"));
                }
                return Ok(found);
            }
        }
        Err(ModelError::MissingTensor {
            path: self.tensors.path.to_owned(),
            name: place.name.clone(),
        })
    }

    fn values(&mut self, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let place = names::place(self.family, &self.at.current());
        let (path, view) = self.find(&place)?;
        let path = path.to_owned();
        let parts = place.part.map_or(1, |part| part.of);
        let mut in_file = expected.to_vec();
        in_file[0] *= parts;
        if place.inputs_are_rows {
            in_file.reverse();
        }
        if view.shape() != in_file {
            let found = view.shape().to_vec();
            return Err(ModelError::TensorShape {
                path,
                name: place.name,
                found,
                expected: in_file,
            });
        }
        let Some(number) = Number::of(view.dtype()) else {
            return Err(ModelError::TensorType {
                path,
                name: place.name,
                dtype: format!("{:?}", view.dtype()),
            });
        };
        let (first, second) = (expected[0], expected.get(1).copied().unwrap_or(1));
        let offset = place.part.map_or(0, |part| part.index) * first;
        Ok(if place.inputs_are_rows {
            number.columns(view.data(), first * parts, offset..offset + first)
        } else {
            number.values(
                &view.data()[offset * second * number.size()..][..first * second * number.size()],
            )
        })
    }
}

impl ModuleMapper for Reader<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return parameter;
        }
        let shape = parameter.lazy_shape().dims::<D>();
        match self.values(&shape) {
            Ok(values) => {
                filled_later(parameter.id, shape, parameter.lazy_device(), move || values)
            }
            Err(error) => {
                self.error = Some(error);
                parameter
            }
        }
    }
}

/// A tensor on its way into a file.
struct Stored {
    shape: Vec<usize>,
    values: Vec<f32>,
}

struct Collector {
    family: Family,
    at: ParameterPath,
    /// Parts of each tensor, by place.
    parts: BTreeMap<String, Vec<(Place, Stored)>>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let place = names::place(self.family, &self.at.current());
        let data = parameter.val().into_data().convert::<f32>();
        let stored = Stored {
            shape: data.shape().to_vec(),
            values: data.try_to_vec().expect("converted to f32"),
        };
        self.parts
            .entry(place.name.clone())
            .or_default()
            .push((place, stored));
    }
}

/// Joins the parts of a tensor and turns it into the file's layout.
fn joined(mut parts: Vec<(Place, Stored)>) -> Stored {
    parts.sort_by_key(|(place, _)| place.part.map_or(0, |part| part.index));
    let inputs_are_rows = parts[0].0.inputs_are_rows;
    let mut shape = parts[0].1.shape.clone();
    shape[0] *= parts.len();
    let values: Vec<f32> = parts
        .into_iter()
        .flat_map(|(_, stored)| stored.values)
        .collect();
    if !inputs_are_rows {
        return Stored { shape, values };
    }
    let (outputs, inputs) = (shape[0], shape[1]);
    let value = |input: usize| (0..outputs).map(move |output| output * inputs + input);
    let values = (0..inputs).flat_map(value).map(|i| values[i]).collect();
    Stored {
        shape: vec![inputs, outputs],
        values,
    }
}

/// Writes every parameter under Hugging Face's names, sorted.
pub(super) fn write(model: &LanguageModel, path: &Path) -> Result<(), ModelError> {
    let mut collector = Collector {
        family: model.family(),
        at: ParameterPath::default(),
        parts: BTreeMap::new(),
    };
    model.visit(&mut collector);
    let mut tensors: BTreeMap<String, Stored> = collector
        .parts
        .into_iter()
        .map(|(name, parts)| (name, joined(parts)))
        .collect();
    if has_no_biases(model.architecture()) {
        let biased = |name: &str| name.contains(".h.") || name.contains(".ln_f.");
        let zeros: Vec<_> = tensors
            .iter()
            .filter(|(name, _)| biased(name))
            .map(|(name, stored)| {
                let outputs = *stored.shape.last().expect("no weight is a scalar");
                (
                    name.replace(".weight", ".bias"),
                    Stored {
                        shape: vec![outputs],
                        values: vec![0.0; outputs],
                    },
                )
            })
            .collect();
        tensors.extend(zeros);
    }
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, stored)| {
            (
                name,
                stored.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = tensors.iter().map(|(name, stored)| {
        let view = TensorView::new(Dtype::F32, stored.shape.clone(), &bytes[name]);
        (name, view.expect("four bytes for each value of the shape"))
    });
    // `format: pt` is what transformers asks of a file that PyTorch may read.
    let metadata = Some(std::collections::HashMap::from([(
        "format".to_owned(),
        "pt".to_owned(),
    )]));
    let file =
        safetensors::serialize(views, metadata).map_err(|source| ModelError::Safetensors {
            path: path.to_owned(),
            source,
        })?;
    write_whole(path, &file)
}
