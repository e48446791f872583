//! Tensors of a checkpoint into a model's parameters.

use std::collections::BTreeSet;

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;

use super::layout::{Layout, Place};
use super::source::{Source, Stored};
use crate::model::filled_later;
use crate::{Architecture, LanguageModel, ModelError};

/// The model with the weights of `source`.
///
/// One tensor at a time is in memory beside the model: nothing is read that was not found whole and of the right shape before.
///
/// # Errors
/// Names the tensor and its file: missing, of another shape or type, or too many.
pub(super) fn read(
    source: &dyn Source,
    layout: Layout,
    model: LanguageModel,
) -> Result<LanguageModel, ModelError> {
    let architecture = model.architecture().clone();
    let mut reader = Reader {
        architecture: &architecture,
        layout,
        source,
        used: BTreeSet::new(),
        at: ParameterPath::default(),
        error: None,
    };
    let model = model.map(&mut reader);
    let (used, error) = (reader.used, reader.error);
    if let Some(error) = error {
        return Err(error);
    }
    let names = source.names();
    let unknown = names
        .iter()
        .find(|(_, name)| !used.contains(*name) && !layout.holds_nothing(name));
    match unknown {
        Some((path, name)) => Err(ModelError::UnknownTensor {
            path: path.to_path_buf(),
            name: (*name).to_owned(),
        }),
        None => Ok(model),
    }
}

struct Reader<'a> {
    architecture: &'a Architecture,
    layout: Layout,
    source: &'a dyn Source,
    used: BTreeSet<String>,
    at: ParameterPath,
    /// The first thing that went wrong: mappers can't fail.
    error: Option<ModelError>,
}

impl Reader<'_> {
    fn values(&mut self, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let place = self.layout.place(self.architecture, &self.at.current());
        let (name, stored) = find(self.source, self.layout, &place)?;
        if self.architecture.writes_zero_biases() {
            self.used.insert(name.replace(".weight", ".bias"));
        }
        self.used.insert(name);
        values(&stored, &place, expected)
    }
}

/// The tensor under its full name, or without the first segment, as older files have it; with the name it has.
///
/// # Errors
/// There is none of either name.
pub(super) fn find<'a>(
    source: &'a dyn Source,
    layout: Layout,
    place: &Place,
) -> Result<(String, Stored<'a>), ModelError> {
    let short = place.name.split_once('.').map_or("", |(_, rest)| rest);
    let names = match layout {
        Layout::HuggingFace => &[place.name.as_str(), short][..],
        Layout::Gguf => &[place.name.as_str()],
    };
    let found = names
        .iter()
        .find_map(|name| Some(((*name).to_owned(), source.find(name)?)));
    found.ok_or_else(|| ModelError::MissingTensor {
        path: source.path().to_owned(),
        name: place.name.clone(),
    })
}

/// Checks that the tensor `stored` has the shape that a parameter of shape `expected` at `place` makes up.
///
/// # Errors
/// It has another.
pub(super) fn check_shape(
    stored: &Stored<'_>,
    place: &Place,
    expected: &[usize],
) -> Result<(), ModelError> {
    let mut in_file = expected.to_vec();
    in_file[0] *= place.part.map_or(1, |part| part.of);
    if place.inputs_are_rows {
        in_file.reverse();
    }
    if stored.shape == in_file {
        return Ok(());
    }
    Err(ModelError::TensorShape {
        path: stored.path.to_owned(),
        name: place.name.clone(),
        found: stored.shape.clone(),
        expected: in_file,
    })
}

/// The values of the parameter of shape `expected` that stands at `place` in the tensor `stored`.
///
/// # Errors
/// Names the tensor: of another shape or type.
pub(super) fn values(
    stored: &Stored<'_>,
    place: &Place,
    expected: &[usize],
) -> Result<Vec<f32>, ModelError> {
    check_shape(stored, place, expected)?;
    let name = || place.name.clone();
    let parts = place.part.map_or(1, |part| part.of);
    let encoding = match &stored.encoding {
        Ok(encoding) => *encoding,
        Err(dtype) => {
            return Err(ModelError::TensorType {
                path: stored.path.to_owned(),
                name: name(),
                dtype: dtype.clone(),
            });
        }
    };
    let bytes = stored.bytes()?;
    let rows = expected[0];
    let values_of_part: usize = expected.iter().product();
    let index = place.part.map_or(0, |part| part.index);
    let of_part = encoding.bytes_of(values_of_part);
    let Some(of_part) = of_part.filter(|of_part| of_part.checked_mul(parts) == Some(bytes.len()))
    else {
        return Err(ModelError::TensorSize {
            path: stored.path.to_owned(),
            name: name(),
            bytes: bytes.len(),
            encoding: encoding.name(),
        });
    };
    Ok(if place.inputs_are_rows {
        let first = index * rows;
        encoding.decode_columns(&bytes, rows * parts, first..first + rows)
    } else {
        let values = encoding.decode(&bytes[index * of_part..][..of_part]);
        match place.pairs_in_heads_of {
            Some(width) => halves_from_pairs(&values, rows, width),
            None => values,
        }
    })
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

/// Rows of heads whose rotating dimensions stand side by side, put half a head apart.
fn halves_from_pairs(values: &[f32], rows: usize, width: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..rows)
        .flat_map(|row| {
            let (head, within) = (row / width * width, row % width);
            let (half, pair) = (within / (width / 2), within % (width / 2));
            let from = head + 2 * pair + half;
            values[from * columns..][..columns].iter().copied()
        })
        .collect()
}

/// The way back.
pub(super) fn pairs_from_halves(values: &[f32], rows: usize, width: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..rows)
        .flat_map(|row| {
            let (head, within) = (row / width * width, row % width);
            let from = head + within % 2 * (width / 2) + within / 2;
            values[from * columns..][..columns].iter().copied()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotating_pairs_are_taken_apart_and_put_together() {
        // Two heads of four rows, two columns.
        let pairs: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let halves = halves_from_pairs(&pairs, 8, 4);
        let rows: Vec<f32> = halves.iter().step_by(2).map(|v| v / 2.0).collect();
        assert_eq!(rows, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        assert_eq!(pairs_from_halves(&halves, 8, 4), pairs);
    }
}
