//! A model for more tokens than it was made for.

use std::collections::HashMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;

use crate::model::filled_later;
use crate::{Architecture, LanguageModel, ModelConfig, ModelError};

impl LanguageModel {
    /// The same model with `vocab_size` tokens, or itself where it has as many: the rows of new tokens, in the embedding and in a head of its
    /// own, are the mean of the old ones.
    ///
    /// The mean keeps the probabilities of the old tokens nearly as they were, which random rows would not (Hewitt 2021, "Initializing New Word
    /// Embeddings for Pretrained Language Models").
    ///
    /// # Errors
    /// [`ModelError::VocabularyTooSmall`] when the model has more tokens.
    pub fn grown_to(self, vocab_size: usize) -> Result<Self, ModelError> {
        let old_size = self.architecture().vocab_size();
        if vocab_size == old_size {
            return Ok(self);
        }
        if vocab_size < old_size {
            return Err(ModelError::VocabularyTooSmall {
                vocab_size,
                tokens: old_size,
            });
        }
        let mut sizes = ModelConfig::from(self.architecture());
        sizes.vocab_size = Some(vocab_size);
        let device = self.device();
        let mut collector = Collector::default();
        self.visit(&mut collector);
        let model = Architecture::resolve(&sizes, vocab_size)?.init(0, &device);
        Ok(model.map(&mut Filler {
            values: collector.values,
            at: ParameterPath::default(),
        }))
    }
}

/// Takes the values of a model, with their first sizes, by path.
#[derive(Default)]
struct Collector {
    at: ParameterPath,
    values: HashMap<String, (Vec<f32>, usize)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let value = parameter.val().inner();
        let rows = value.dims()[0];
        let values = value.into_data().convert::<f32>().try_to_vec();
        let values = values.expect("converted to f32");
        self.values.insert(self.at.current(), (values, rows));
    }
}

/// Puts them into a model with more rows.
struct Filler {
    values: HashMap<String, (Vec<f32>, usize)>,
    at: ParameterPath,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let found = self.values.remove(&self.at.current());
        let (mut values, rows) = found.expect("the same parameters");
        let shape = parameter.lazy_shape().dims::<D>();
        if shape[0] > rows {
            let mean = mean_row(&values, rows);
            for _ in rows..shape[0] {
                values.extend_from_slice(&mean);
            }
        }
        filled_later(parameter.id, shape, parameter.lazy_device(), move || values)
    }
}

/// The mean of all rows.
fn mean_row(values: &[f32], rows: usize) -> Vec<f32> {
    let width = values.len() / rows;
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    sums.iter().map(|sum| (sum / rows as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Family;

    fn model(family: Family, tie_embeddings: bool) -> LanguageModel {
        let sizes = ModelConfig {
            family,
            d_model: Some(16),
            n_layers: Some(1),
            n_heads: Some(2),
            max_seq_len: Some(8),
            tie_embeddings: Some(tie_embeddings),
            ..ModelConfig::default()
        };
        let architecture = Architecture::resolve(&sizes, 11).expect("sizes");
        architecture.init(3, &Device::flex())
    }

    #[test]
    fn old_tokens_keep_their_scores_and_new_ones_have_the_mean() {
        for family in Family::ALL {
            for tied in [true, false] {
                let before = model(family, tied);
                let after = before.clone().grown_to(14).expect("more tokens");
                assert_eq!(after.architecture().vocab_size(), 14);
                let tokens = [1, 5, 10, 2];
                let (old, new) = (before.scores(&tokens), after.scores(&tokens));
                for (old, new) in old.chunks_exact(11).zip(new.chunks_exact(14)) {
                    let close = |a: f32, b: f32| (a - b).abs() < 1e-5;
                    assert!(
                        old.iter().zip(new).all(|(a, b)| close(*a, *b)),
                        "{family:?}"
                    );
                    let mean = old.iter().sum::<f32>() / 11.0;
                    assert!(
                        new[11..].iter().all(|score| close(*score, mean)),
                        "{family:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_model_does_not_shrink() {
        let model = model(Family::Gpt2, true);
        assert_eq!(
            model
                .clone()
                .grown_to(11)
                .expect("itself")
                .architecture()
                .vocab_size(),
            11
        );
        assert!(model.grown_to(10).is_err());
    }
}
