//! The update of the weights: which rule a parameter gets, and the state that the rules keep.
//!
//! State is kept by parameter path, so that it can be written beside the model and found again.

mod lion;
mod muon;
mod sgd;
mod state;

use std::collections::{BTreeMap, HashMap};

use burn::module::{ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::FloatDType;
use llm_core::kernels::{AdamWStep, adamw};
use llm_core::parameters::ParameterPath;
use rayon::prelude::*;

use self::state::is_muons;
pub(crate) use self::state::{State, state_bytes};
use crate::config::{Moments, OptimizerConfig, OptimizerKind};

/// Momentum of Muon where none is set.
const MUON_MOMENTUM: f64 = 0.95;
/// Momentum of SGD where none is set.
const SGD_MOMENTUM: f64 = 0.9;

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
    /// The optimizer of `module`, with the state of a checkpoint, or as before the first step.
    ///
    /// All of the state is made here. Made in the middle of the first step, it would come to lie where the large buffers of a step go and come, and the
    /// heap would grow around it.
    pub(crate) fn new<M: Module>(
        config: OptimizerConfig,
        mut states: BTreeMap<String, State>,
        module: &M,
    ) -> Self {
        state::complete(&config, &mut states, module);
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
            if let Some(state) = state {
                self.states.insert(path, state);
            }
            values.insert(id, (shape, value));
        }
        module.map(&mut Returner { values })
    }
}

/// Buffers of the size of a parameter that its update takes for a moment.
pub(crate) fn update_buffers(config: &OptimizerConfig) -> u64 {
    match config.kind {
        // In place.
        OptimizerKind::Adamw => 0,
        // The momentum and the gradient, scaled.
        OptimizerKind::Sgd => 2,
        // Both, scaled, of which one becomes the direction.
        OptimizerKind::Lion => 2,
        // The direction, two matrices and two products of the iteration, which are at most as large.
        OptimizerKind::Muon => 5,
    }
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
    state: Option<State>,
}

impl Taken {
    fn is_on_flex(&self) -> bool {
        self.value.device() == Device::flex()
    }

    fn updated(self, config: &OptimizerConfig, update: Update) -> Updated {
        let Self {
            id,
            path,
            shape,
            value,
            gradient,
            state,
        } = self;
        // Norms and biases are not decayed: their size is no measure of complexity.
        let weight_decay = match shape.len() {
            0 | 1 => 0.0,
            _ => config.weight_decay,
        };
        let learning_rate = config.learning_rate * update.factor;
        let gradient_scale = update.gradient_scale;
        let (momentum, moments) = match state {
            Some(State::Momentum(momentum)) => (Some(momentum), None),
            Some(State::AdamW(moments)) => (None, Some(moments)),
            None => (None, None),
        };
        let made = "the state of every parameter was made";
        let (value, state) = match config.kind {
            OptimizerKind::Sgd => {
                let step = sgd::Step {
                    learning_rate,
                    momentum: config.momentum.unwrap_or(SGD_MOMENTUM),
                    nesterov: config.nesterov.unwrap_or(false),
                    weight_decay,
                    gradient_scale,
                };
                let (value, momentum) = sgd::update(value, gradient, momentum, &step);
                (value, momentum.map(State::Momentum))
            }
            OptimizerKind::Lion => {
                let step = lion::Step {
                    learning_rate,
                    betas: config.betas(),
                    weight_decay,
                    gradient_scale,
                };
                let momentum = momentum.expect(made);
                let (value, momentum) = lion::update(value, gradient, momentum, &step);
                (value, Some(State::Momentum(momentum)))
            }
            OptimizerKind::Muon if is_muons(&path, shape.len()) => {
                let step = muon::Step {
                    learning_rate: config.muon_learning_rate() * update.factor,
                    momentum: config.muon_momentum.unwrap_or(MUON_MOMENTUM),
                    weight_decay,
                    gradient_scale,
                };
                let momentum = momentum.expect(made);
                let matrix = [shape[0], shape[1]];
                let (value, momentum) = muon::update(
                    value.reshape(matrix),
                    gradient.reshape(matrix),
                    momentum.reshape(matrix),
                    &step,
                );
                let length = [shape[0] * shape[1]];
                let momentum = State::Momentum(momentum.reshape(length));
                (value.reshape(length), Some(momentum))
            }
            OptimizerKind::Adamw | OptimizerKind::Muon => {
                let moments = moments.expect(made);
                // A checkpoint holds them as f32, which loses nothing.
                let moments = match config.moments {
                    Moments::F32 => moments,
                    Moments::Bf16 => moments.map(|moment| moment.cast(FloatDType::BF16)),
                };
                let step = AdamWStep {
                    learning_rate,
                    betas: config.betas(),
                    eps: config.eps(),
                    weight_decay,
                    step: update.step,
                    gradient_scale,
                };
                let (value, moments) = adamw(value, gradient, moments, &step);
                (value, Some(State::AdamW(moments)))
            }
        };
        Updated {
            id,
            path,
            shape,
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
        adamw: Vec<Case>,
        sgd: Vec<Case>,
        lion: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        settings: serde_json::Value,
        learning_rates: Vec<f64>,
        parameter: Array,
        gradients: Vec<Array>,
        after: Vec<Array>,
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

    impl Case {
        fn number(&self, key: &str) -> f64 {
            self.settings[key].as_f64().expect("a number")
        }

        /// Goes the way of the case under `config` and compares after every step.
        fn check(&self, config: OptimizerConfig) {
            let config = OptimizerConfig {
                weight_decay: self.number("weight_decay"),
                learning_rate: 1.0,
                ..config
            };
            let (device, plain) = (Device::flex().autodiff(), Device::flex());
            let parameter = self.parameter.tensor(&device).require_grad();
            let mut module = One {
                weight: Param::initialized(ParamId::new(), parameter),
            };
            let mut optimizer = Optimizer::new(config, BTreeMap::new(), &module);
            let steps = self.learning_rates.iter().zip(&self.gradients);
            for (index, ((&factor, gradient), after)) in steps.zip(&self.after).enumerate() {
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
                let (name, step) = (&self.name, index + 1);
                assert!(off < 2e-6, "{name} after step {step}: {off} off");
            }
        }
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/optimizers.json"))
            .expect("golden values")
    }

    #[test]
    fn adamw_goes_the_way_of_pytorch() {
        let cases = golden().adamw;
        assert!(!cases.is_empty());
        for case in cases {
            case.check(OptimizerConfig {
                betas: Some([case.number("beta1"), case.number("beta2")]),
                eps: Some(case.number("eps")),
                ..OptimizerConfig::default()
            });
        }
    }

    #[test]
    fn sgd_goes_the_way_of_pytorch() {
        let cases = golden().sgd;
        assert!(cases.len() >= 3);
        for case in cases {
            case.check(OptimizerConfig {
                kind: OptimizerKind::Sgd,
                momentum: Some(case.number("momentum")),
                nesterov: case.settings["nesterov"].as_bool(),
                ..OptimizerConfig::default()
            });
        }
    }

    #[test]
    fn lion_goes_the_way_of_its_paper() {
        let cases = golden().lion;
        assert!(cases.len() >= 2);
        for case in cases {
            let beta = |i: usize| case.settings["betas"][i].as_f64().expect("a number");
            case.check(OptimizerConfig {
                kind: OptimizerKind::Lion,
                betas: Some([beta(0), beta(1)]),
                ..OptimizerConfig::default()
            });
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
