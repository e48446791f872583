//! The residual stream of a text at every depth, and the scores that the head would make of it there.

use std::ops::Range;

use burn::prelude::*;
use llm_core::layers::{Observer, Pass};

use super::row;
use crate::LanguageModel;

/// The residual stream of one text at every depth: 0 is what enters the first block, `i` what leaves block `i - 1`.
#[derive(Debug)]
pub struct Streams<'a> {
    model: &'a LanguageModel,
    /// `[1, seq, d_model]` each.
    depths: Vec<Tensor<3>>,
}

impl<'a> Streams<'a> {
    /// Lets `model` read `tokens` once.
    ///
    /// # Panics
    /// When there are no tokens, or one is not below the vocabulary's size.
    pub fn of(model: &'a LanguageModel, tokens: &[u32]) -> Self {
        let mut collector = Collector::default();
        let ids = row(tokens, model.architecture().vocab_size(), &model.device());
        model.hidden(ids, &mut Pass::new(tokens.len()).observed(&mut collector));
        Self {
            model,
            depths: collector.depths,
        }
    }

    /// Number of depths: one more than blocks.
    pub fn n_depths(&self) -> usize {
        self.depths.len()
    }

    /// The scores that the last norm and the head make of the stream at this depth, for some positions: `[positions, vocab_size]`
    /// row-major. Of the last depth they are the model's own.
    ///
    /// # Panics
    /// When there is no such depth or position.
    pub fn scores(&self, depth: usize, positions: Range<usize>) -> Vec<f32> {
        let n = positions.len();
        let stream = self.depths[depth].clone().slice(s![.., positions, ..]);
        let [_, _, d_model] = stream.dims();
        let normed = self.model.normed(stream).reshape([n, d_model]);
        let data = self.model.logits(normed).into_data().convert::<f32>();
        data.try_to_vec().expect("converted to f32")
    }
}

#[derive(Debug, Default)]
struct Collector {
    depths: Vec<Tensor<3>>,
}

impl Observer for Collector {
    fn stream(&mut self, depth: usize, x: &Tensor<3>) {
        assert_eq!(depth, self.depths.len(), "depths come in order");
        self.depths.push(x.clone());
    }
}
