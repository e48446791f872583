//! The update of the weights: which rule a parameter gets, and the state that the rules keep.
//!
//! State is kept by parameter path, so that it can be written beside the model and found again.

mod muon;

use std::collections::{BTreeMap, HashMap};

use burn::module::{ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::FloatDType;
use llm_core::kernels::{AdamWStep, adamw};
use llm_core::parameters::ParameterPath;
use rayon::prelude::*;

use crate::config::{Moments, OptimizerConfig, OptimizerKind};

/// Learning rate of Muon where none is set.
const MUON_LEARNING_RATE: f64 = 0.02;
/// Momentum of Muon where none is set.
const MUON_MOMENTUM: f64 = 0.95;

/// What the rules remember of one parameter, as flat vectors.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each parameter, beside tensors of many times its size"
)]
pub(crate) enum State {
    /// First and second moment.
    AdamW([Tensor<1>; 2]),
    /// Momentum of the gradient.
    Muon(Tensor<1>),
}

/// Updates the weights and keeps what it needs for that.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    states: BTreeMap<String, State>,
}

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// Number of the step, from 1.
    pub(crate) step: u64,
    /// Factor of the peak learning rates.
    pub(crate) factor: f64,
    /// The gradients are multiplied by this first.
    pub(crate) gradient_scale: f64,
}

impl Optimizer {
    /// The optimizer with the state of a checkpoint, or none.
    pub(crate) fn new(config: OptimizerConfig, states: BTreeMap<String, State>) -> Self {
        Self { config, states }
    }

    pub(crate) fn states(&self) -> &BTreeMap<String, State> {
        &self.states
    }

    /// One step. Parameters without a gradient stay as they are.
    ///
    /// The weights leave the module, are updated side by side, and come back: matrices of small models are too small to be shared among
    /// threads one at a time.
    pub(crate) fn step<M: Module>(
        &mut self,
        module: M,
        gradients: GradientsParams,
        update: Update,
    ) -> M {
        let mut taker = Taker {
            states: &mut self.states,
            gradients,
            at: ParameterPath::default(),
            taken: Vec::new(),
        };
        let module = module.map(&mut taker);
        let updated = |taken: Taken| taken.updated(&self.config, update);
        // Other devices run many operations at once of their own accord.
        let updated: Vec<Updated> = match taker.taken {
            taken if taken.iter().all(Taken::is_on_flex) => {
                taken.into_par_iter().with_max_len(1).map(updated).collect()
            }
            taken => taken.into_iter().map(updated).collect(),
        };
        let mut values = HashMap::new();
        for Updated {
            id,
            path,
            shape,
            value,
            state,
        } in updated
        {
            self.states.insert(path, state);
            values.insert(id, (shape, value));
        }
        module.map(&mut Returner { values })
    }
}

/// Whether Muon takes a parameter: the matrices inside the blocks (Jordan et al. 2024: not embeddings, not the head).
fn is_muons(path: &str, rank: usize) -> bool {
    rank == 2 && path.contains("blocks.")
}

/// A parameter out of its module, with what its update needs. Tensors are flat.
struct Taken {
    id: ParamId,
    path: String,
    shape: Vec<usize>,
    value: Tensor<1>,
    gradient: Tensor<1>,
    state: Option<State>,
}

/// A parameter after its update.
struct Updated {
    id: ParamId,
    path: String,
    shape: Vec<usize>,
    value: Tensor<1>,
    state: State,
}

impl Taken {
    fn is_on_flex(&self) -> bool {
        self.value.device() == Device::flex()
    }

    fn updated(self, config: &OptimizerConfig, update: Update) -> Updated {
        let rank = self.shape.len();
        // Norms and biases are not decayed: their size is no measure of complexity.
        let weight_decay = if rank >= 2 { config.weight_decay } else { 0.0 };
        let zeros = || self.gradient.zeros_like();
        let (value, state) = if config.kind == OptimizerKind::Muon && is_muons(&self.path, rank) {
            let momentum = match self.state {
                Some(State::Muon(momentum)) => momentum,
                _ => zeros(),
            };
            let step = muon::Step {
                learning_rate: config.muon_learning_rate.unwrap_or(MUON_LEARNING_RATE)
                    * update.factor,
                momentum: config.muon_momentum.unwrap_or(MUON_MOMENTUM),
                weight_decay,
                gradient_scale: update.gradient_scale,
            };
            let matrix = [self.shape[0], self.shape[1]];
            let length = self.shape[0] * self.shape[1];
            let (value, momentum) = muon::update(
                self.value.reshape(matrix),
                self.gradient.reshape(matrix),
                momentum.reshape(matrix),
                &step,
            );
            let momentum = momentum.reshape([length]);
            (value.reshape([length]), State::Muon(momentum))
        } else {
            let moments = match self.state {
                Some(State::AdamW(moments)) => moments,
                _ => [zeros(), zeros()],
            };
            // A checkpoint holds them as f32, which loses nothing.
            let moments = match config.moments {
                Moments::F32 => moments,
                Moments::Bf16 => moments.map(|moment| moment.cast(FloatDType::BF16)),
            };
            let step = AdamWStep {
                learning_rate: config.learning_rate * update.factor,
                betas: config.betas,
                eps: config.eps,
                weight_decay,
                step: update.step,
                gradient_scale: update.gradient_scale,
            };
            let (value, moments) = adamw(self.value, self.gradient, moments, &step);
            (value, State::AdamW(moments))
        };
        Updated {
            id: self.id,
            path: self.path,
            shape: self.shape,
            value,
            state,
        }
    }
}

/// Takes the parameters that have a gradient, so that their buffers have no other owner, and leaves a place holder.
struct Taker<'a> {
    states: &'a mut BTreeMap<String, State>,
    gradients: GradientsParams,
    at: ParameterPath,
    taken: Vec<Taken>,
}

impl ModuleMapper for Taker<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(parameter.id) else {
            return parameter;
        };
        let path = self.at.current();
        let state = self.states.remove(&path);
        let (id, value, mapper) = parameter.consume();
        let (shape, value) = (value.dims(), value.inner());
        let length = [shape.iter().product::<usize>()];
        let place_holder = Tensor::zeros([1; D], &value.device());
        self.taken.push(Taken {
            id,
            path,
            shape: shape.to_vec(),
            value: value.reshape(length),
            gradient: gradient.reshape(length),
            state,
        });
        Param::from_mapped_value(id, place_holder, mapper)
    }
}

/// Puts the parameters back.
struct Returner {
    values: HashMap<ParamId, (Vec<usize>, Tensor<1>)>,
}

impl ModuleMapper for Returner {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((shape, value)) = self.values.remove(&parameter.id) else {
            return parameter;
        };
        let (id, _, mapper) = parameter.consume();
        let shape: [usize; D] = shape.try_into().expect("the rank it was taken with");
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ParamId;
    use serde::Deserialize;

    #[derive(Module, Debug)]
    struct One {
        weight: Param<Tensor<2>>,
    }

    #[derive(Deserialize)]
    struct Golden {
        adamw: Vec<AdamWCase>,
    }

    #[derive(Deserialize)]
    struct AdamWCase {
        name: String,
        settings: AdamWSettings,
        learning_rates: Vec<f64>,
        parameter: Array,
        gradients: Vec<Array>,
        after: Vec<Array>,
    }

    #[derive(Deserialize)]
    struct AdamWSettings {
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
    }

    #[derive(Deserialize)]
    struct Array {
        shape: Vec<usize>,
        values: Vec<f64>,
    }

    impl Array {
        fn tensor(&self, device: &Device) -> Tensor<2> {
            let rows = if self.shape.len() == 2 {
                self.shape[0]
            } else {
                1
            };
            let shape = [rows, self.values.len() / rows];
            Tensor::from_data(TensorData::new(self.values.clone(), shape), device)
        }
    }

    #[test]
    fn adamw_goes_the_way_of_pytorch() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/optimizers.json"))
                .expect("golden values");
        assert!(!golden.adamw.is_empty());
        let (device, plain) = (Device::flex().autodiff(), Device::flex());
        for case in golden.adamw {
            let parameter = case.parameter.tensor(&device).require_grad();
            let mut module = One {
                weight: Param::initialized(ParamId::new(), parameter),
            };
            let config = OptimizerConfig {
                betas: [case.settings.beta1, case.settings.beta2],
                eps: case.settings.eps,
                weight_decay: case.settings.weight_decay,
                learning_rate: 1.0,
                ..OptimizerConfig::default()
            };
            let mut optimizer = Optimizer::new(config, BTreeMap::new());
            let steps = case
                .learning_rates
                .iter()
                .zip(&case.gradients)
                .zip(&case.after);
            for (index, ((&factor, gradient), after)) in steps.enumerate() {
                let mut gradients = GradientsParams::new();
                gradients.register(module.weight.id, gradient.tensor(&plain));
                let update = Update {
                    step: index as u64 + 1,
                    factor,
                    gradient_scale: 1.0,
                };
                module = optimizer.step(module, gradients, update);
                let ours: Vec<f32> = module.weight.val().into_data().try_to_vec().expect("f32");
                let off = ours
                    .iter()
                    .zip(&after.values)
                    .map(|(a, b)| (f64::from(*a) - b).abs())
                    .fold(0.0, f64::max);
                assert!(
                    off < 2e-6,
                    "{} after step {}: {off} off",
                    case.name,
                    index + 1
                );
            }
        }
    }

    #[test]
    fn muon_takes_the_matrices_of_the_blocks_only() {
        assert!(
            is_muons("stack.blocks.0.attention.query.weight", 2)
                && is_muons("blocks.1.feed_forward.up.weight", 2)
        );
        assert!(!is_muons("stack.token_embedding.weight", 2) && !is_muons("stack.head.weight", 2));
        assert!(!is_muons("stack.blocks.0.attention_norm.weight", 1));
    }
}
