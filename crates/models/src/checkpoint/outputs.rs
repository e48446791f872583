//! A model's parameters on their way into files: one tensor at a time is turned into the file's layout, when its turn comes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;

use super::encoding::Encoding;
use super::layout::{Layout, Place};
use super::reader::pairs_from_halves;
use crate::{Architecture, LanguageModel, ModelError};

/// A tensor to be written.
pub(super) struct Output {
    pub(super) name: String,
    /// As the file has it, the outermost size first.
    pub(super) shape: Vec<usize>,
    pub(super) encoding: Encoding,
    content: Content,
}

enum Content {
    /// Parameters, joined by their outputs.
    Parameters(Vec<(Place, Parameter)>),
    /// The bias of a layer that has none: it computes the same.
    Zeros,
    /// What the configuration says, in the words of the format.
    Given(Vec<f32>),
}

/// A parameter of a model, which shares its memory.
pub(super) struct Parameter {
    /// Path of field names.
    pub(super) path: String,
    pub(super) shape: Vec<usize>,
    read: Box<dyn Fn() -> Vec<f32>>,
}

impl Parameter {
    /// Its values, row-major.
    pub(super) fn values(&self) -> Vec<f32> {
        (self.read)()
    }
}

impl Output {
    /// A tensor of these numbers, in f32.
    pub(super) fn given(name: &str, values: Vec<f32>) -> Self {
        Self {
            name: name.to_owned(),
            shape: vec![values.len()],
            encoding: Encoding::F32,
            content: Content::Given(values),
        }
    }

    /// Number of values.
    pub(super) fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes in the file.
    pub(super) fn n_bytes(&self) -> usize {
        self.encoding
            .bytes_of(self.n_values())
            .expect("an encoding that fits the rows")
    }

    /// Whether every number fits into the encoding.
    ///
    /// # Errors
    /// Names the tensor and the number.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        // Blocks store their scale as f16: the largest number over 127 or 8 must fit.
        let largest = match self.encoding {
            Encoding::F32 | Encoding::Bf16 => return Ok(()),
            Encoding::F16 => 65_504.0,
            Encoding::Q8_0 => 127.0 * 65_504.0,
            Encoding::Q4_0 => 8.0 * 65_504.0,
        };
        let values = self.values();
        match values.iter().find(|value| value.abs() > largest) {
            Some(&value) => Err(ModelError::TooLarge {
                name: self.name.clone(),
                value,
                encoding: self.encoding.name(),
            }),
            None => Ok(()),
        }
    }

    /// The bytes, computed now.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.encoding.encode(&self.values())
    }

    fn values(&self) -> Vec<f32> {
        let parts = match &self.content {
            Content::Parameters(parts) => parts,
            Content::Zeros => return vec![0.0; self.n_values()],
            Content::Given(values) => return values.clone(),
        };
        let (place, first) = &parts[0];
        let values = match &parts[..] {
            [_] => first.values(),
            parts => parts.iter().flat_map(|(_, part)| part.values()).collect(),
        };
        if place.inputs_are_rows {
            return transposed(&values, self.shape[0]);
        }
        match place.pairs_in_heads_of {
            Some(width) => pairs_from_halves(&values, self.shape[0], width),
            None => values,
        }
    }
}

impl safetensors::View for &Output {
    fn dtype(&self) -> safetensors::Dtype {
        match self.encoding {
            Encoding::F32 => safetensors::Dtype::F32,
            Encoding::F16 => safetensors::Dtype::F16,
            Encoding::Bf16 => safetensors::Dtype::BF16,
            Encoding::Q8_0 | Encoding::Q4_0 => unreachable!("safetensors files have no blocks"),
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.bytes())
    }

    fn data_len(&self) -> usize {
        self.n_bytes()
    }
}

/// The tensors of `model` in this layout by name, each in the encoding that `encoding` chooses for its name and shape.
pub(super) fn of(
    model: &LanguageModel,
    layout: Layout,
    encoding: impl Fn(&str, &[usize]) -> Encoding,
) -> BTreeMap<String, Output> {
    let architecture = model.architecture();
    let mut outputs: BTreeMap<String, Output> = BTreeMap::new();
    let mut add = |name: String, shape: Vec<usize>, content: Content| {
        let output = Output {
            encoding: encoding(&name, &shape),
            name: name.clone(),
            shape,
            content,
        };
        outputs.insert(name, output);
    };
    for (name, parts) in joined(model, layout, architecture) {
        let (place, first) = &parts[0];
        let mut shape = first.shape.clone();
        shape[0] *= parts.len();
        if architecture.writes_zero_biases() && has_bias(&first.path) {
            let bias = name.replace(".weight", ".bias");
            add(bias, vec![shape[0]], Content::Zeros);
        }
        if place.inputs_are_rows {
            shape.reverse();
        }
        add(name, shape, Content::Parameters(parts));
    }
    outputs
}

/// Parameters by the tensor that they are part of, in order.
fn joined(
    model: &LanguageModel,
    layout: Layout,
    architecture: &Architecture,
) -> BTreeMap<String, Vec<(Place, Parameter)>> {
    let mut tensors: BTreeMap<String, Vec<(Place, Parameter)>> = BTreeMap::new();
    for parameter in parameters(model) {
        let place = layout.place(architecture, &parameter.path);
        let parts = tensors.entry(place.name.clone()).or_default();
        parts.push((place, parameter));
    }
    for parts in tensors.values_mut() {
        parts.sort_by_key(|(place, _)| place.part.map_or(0, |part| part.index));
    }
    tensors
}

/// Whether the layer of this weight has a bias where the family's layers have them.
fn has_bias(path: &str) -> bool {
    let path = path.strip_prefix("stack.").unwrap_or(path);
    path.starts_with("blocks.") || path.starts_with("final_norm.")
}

/// Every parameter of `model`, in the order of its fields.
pub(super) fn parameters(model: &LanguageModel) -> Vec<Parameter> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.parameters
}

#[derive(Default)]
struct Collector {
    at: ParameterPath,
    parameters: Vec<Parameter>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let tensor = parameter.val();
        let shape = tensor.dims().to_vec();
        let read = move || {
            let data = tensor.clone().into_data().convert::<f32>();
            data.try_to_vec().expect("converted to f32")
        };
        self.parameters.push(Parameter {
            path: self.at.current(),
            shape,
            read: Box::new(read),
        });
    }
}

/// A matrix with its outputs as rows, turned into one with `inputs` rows.
fn transposed(values: &[f32], inputs: usize) -> Vec<f32> {
    let bytes = Encoding::F32.encode(values);
    Encoding::F32.decode_columns(&bytes, inputs, 0..inputs)
}
