//! What the rules of the update remember of a parameter: made before the first step, and as large as it says.

use std::collections::BTreeMap;

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::FloatDType;
use llm_core::parameters::ParameterPath;

use crate::config::{Moments, OptimizerConfig, OptimizerKind};

/// What the rules remember of one parameter, as flat vectors.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each parameter, beside tensors of many times its size"
)]
pub(crate) enum State {
    /// First and second moment.
    AdamW([Tensor<1>; 2]),
    /// Momentum of the gradient, of all other rules.
    Momentum(Tensor<1>),
}

impl State {
    /// What a rule remembers of a parameter before the first step; nothing where it never remembers anything.
    fn initial(
        config: &OptimizerConfig,
        path: &str,
        shape: &[usize],
        device: &Device,
    ) -> Option<Self> {
        let zeros = || Tensor::zeros([shape.iter().product::<usize>()], device);
        match config.kind {
            OptimizerKind::Sgd if config.momentum == Some(0.0) => None,
            OptimizerKind::Sgd | OptimizerKind::Lion => Some(Self::Momentum(zeros())),
            OptimizerKind::Muon if is_muons(path, shape.len()) => Some(Self::Momentum(zeros())),
            OptimizerKind::Adamw | OptimizerKind::Muon => {
                let moments = [zeros(), zeros()];
                Some(Self::AdamW(match config.moments {
                    Moments::F32 => moments,
                    Moments::Bf16 => moments.map(|moment| moment.cast(FloatDType::BF16)),
                }))
            }
        }
    }
}

/// Makes the state of every parameter of `module` that has none.
pub(super) fn complete<M: Module>(
    config: &OptimizerConfig,
    states: &mut BTreeMap<String, State>,
    module: &M,
) {
    module.visit(&mut Initializer {
        config,
        states,
        at: ParameterPath::default(),
    });
}

struct Initializer<'a> {
    config: &'a OptimizerConfig,
    states: &'a mut BTreeMap<String, State>,
    at: ParameterPath,
}

impl ModuleVisitor for Initializer<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let path = self.at.current();
        if self.states.contains_key(&path) {
            return;
        }
        let value = parameter.val().inner();
        if let Some(state) = State::initial(self.config, &path, &value.dims(), &value.device()) {
            self.states.insert(path, state);
        }
    }
}

/// Whether Muon takes a parameter: the matrices inside the blocks (Jordan et al. 2024: not embeddings, not the head).
pub(super) fn is_muons(path: &str, rank: usize) -> bool {
    rank == 2 && path.contains("blocks.")
}

/// Bytes of what the rules remember of a parameter: in memory, and in a checkpoint, which holds f32 alone.
pub(crate) fn state_bytes(config: &OptimizerConfig, path: &str, shape: &[usize]) -> [u64; 2] {
    let moments = match config.kind {
        OptimizerKind::Sgd if config.momentum == Some(0.0) => 0,
        OptimizerKind::Sgd | OptimizerKind::Lion => 1,
        OptimizerKind::Muon if is_muons(path, shape.len()) => 1,
        OptimizerKind::Adamw | OptimizerKind::Muon => 2,
    };
    let narrow = moments == 2 && config.moments == Moments::Bf16;
    let values = shape.iter().map(|&size| size as u64).product::<u64>();
    [if narrow { 2 } else { 4 }, 4].map(|bytes| values.saturating_mul(bytes * moments))
}
