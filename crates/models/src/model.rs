//! A model of any family.

use burn::module::{Param, ParamId};
use burn::prelude::*;
use llm_core::decode::Plan;
use llm_core::layers::{KvCache, Pass};

use crate::gpt::Gpt;
use crate::gpt2::Gpt2;
use crate::llama::Llama;
use crate::mistral::Mistral;
use crate::{Architecture, Family};

/// A language model: token ids in, scores of the next token out.
#[derive(Module, Debug)]
pub struct LanguageModel {
    stack: Stack,
    #[module(skip)]
    architecture: Architecture,
}

/// The families. [`ParameterPath`](llm_core::parameters::ParameterPath) leaves the variant's name out of the paths below.
#[derive(Module, Debug)]
enum Stack {
    Gpt(Gpt),
    Gpt2(Gpt2),
    Llama(Llama),
    Mistral(Mistral),
}

impl LanguageModel {
    pub(crate) fn new(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let stack = match &architecture {
            Architecture::Gpt(config) => Stack::Gpt(config.init(seed, device)),
            Architecture::Gpt2(config) => Stack::Gpt2(config.init(seed, device)),
            Architecture::Llama(config) => Stack::Llama(config.init(seed, device)),
            Architecture::Mistral(config) => Stack::Mistral(config.init(seed, device)),
        };
        Self {
            stack,
            architecture,
        }
    }

    /// The sizes.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.architecture.family()
    }

    /// What the head turns into scores.
    ///
    /// # Shapes
    /// - `ids`: `[batch, seq]`
    /// - output: `[batch, seq, d_model]`
    pub fn hidden(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_>) -> Tensor<3> {
        match &self.stack {
            Stack::Gpt(model) => model.hidden(ids, pass),
            Stack::Gpt2(model) => model.hidden(ids, pass),
            Stack::Llama(model) => model.hidden(ids, pass),
            Stack::Mistral(model) => model.hidden(ids, pass),
        }
    }

    /// The residual stream of any depth, as an [`Observer`](llm_core::layers::Observer) sees it, as the head reads it: through the last
    /// norm, where the family has one. Of the last depth it is what [`hidden`](Self::hidden) gives.
    pub fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.stack {
            Stack::Gpt(_) => x,
            Stack::Gpt2(model) => model.normed(x),
            Stack::Llama(model) => model.normed(x),
            Stack::Mistral(model) => model.normed(x),
        }
    }

    /// Scores of the next token: `[rows, d_model]` → `[rows, vocab_size]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        match &self.stack {
            Stack::Gpt(model) => model.logits(hidden),
            Stack::Gpt2(model) => model.logits(hidden),
            Stack::Llama(model) => model.logits(hidden),
            Stack::Mistral(model) => model.logits(hidden),
        }
    }

    /// Scores of every token at every position of a text, `[tokens, vocab_size]` row-major.
    ///
    /// # Panics
    /// When a token is not below the vocabulary's size.
    pub fn scores(&self, tokens: &[u32]) -> Vec<f32> {
        let (seq, vocab_size) = (tokens.len(), self.architecture.vocab_size());
        assert!(tokens.iter().all(|id| (*id as usize) < vocab_size));
        let ids: Vec<i32> = tokens.iter().map(|id| *id as i32).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, seq]), &self.device());
        let hidden = self.hidden(ids, &mut Pass::new(seq));
        let logits = self.logits(hidden.reshape([seq, self.architecture.d_model()]));
        let data = logits.into_data().convert::<f32>();
        data.try_to_vec().expect("converted to f32")
    }

    /// [`hidden`](Self::hidden) and [`logits`](Self::logits) as data; `None` where weights are not f32 on the CPU.
    pub fn plan(&self) -> Option<Plan> {
        match &self.stack {
            Stack::Gpt(model) => model.plan(),
            Stack::Gpt2(model) => model.plan(),
            Stack::Llama(model) => model.plan(),
            Stack::Mistral(model) => model.plan(),
        }
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.devices().first().cloned().unwrap_or_else(Device::flex)
    }

    /// A cache for this model: `capacity` columns, or the window where that is smaller.
    pub fn cache(&self, capacity: usize, padding: Vec<usize>) -> KvCache {
        KvCache::new(
            self.architecture.n_layers(),
            capacity,
            self.architecture.window(),
            padding,
        )
    }
}

/// A parameter that takes its value from `fill` when it is first read.
pub(crate) fn filled_later<const D: usize>(
    id: ParamId,
    shape: [usize; D],
    device: Device,
    fill: impl FnOnce() -> Vec<f32> + Send + Sync + 'static,
) -> Param<Tensor<D>> {
    let init = move |device: &Device, require_grad: bool| {
        Tensor::from_data(TensorData::new(fill(), shape), device).set_require_grad(require_grad)
    };
    Param::uninitialized(id, init, device, true, shape.into())
}
