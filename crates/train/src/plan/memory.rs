//! Memory of a run: what stays, and what lives for a moment in each of the things that a run does.

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;
use llm_core::tape::Purpose;
use llm_models::Architecture;
use serde::Serialize;

use crate::Settings;
use crate::evaluate::windows_per_pass;
use crate::optimizer::{state_bytes, update_buffers};

/// Copies of the largest parameter that writing a model takes: its values, in the order of the file, and as bytes.
const WRITING_BUFFERS: u64 = 3;

/// The largest micro-batch that can be worth proposing, in windows.
const MOST_WINDOWS: usize = 1 << 16;

/// Bytes of memory on the CPU, beside those of the program itself and of the mapped tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryPlan {
    /// The weights.
    pub weights: u64,
    /// The gradients of a step; with accumulation those of a micro-batch too.
    pub gradients: u64,
    /// What the optimizer remembers.
    pub optimizer: u64,
    /// The moving average of the weights.
    pub average: u64,
    /// What the forward pass of one micro-batch leaves for the backward pass.
    pub activations: u64,
    /// The most while a step is computed.
    pub training: u64,
    /// The most during an evaluation.
    pub evaluation: u64,
    /// The most while a sample is written.
    pub sampling: u64,
    /// The most while a checkpoint is written.
    pub checkpoint: u64,
    /// The most of all these.
    pub peak: u64,
    /// Keys and values of one sequence of the whole context.
    pub kv_cache: u64,
    /// The most while the finished model writes such a sequence, by `llm generate`.
    pub generation: u64,
    /// What the optimizer remembers as a checkpoint holds it, in f32.
    #[serde(skip)]
    pub(super) optimizer_file: u64,
}

/// How the windows of a step are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Windows in one micro-batch: `train.batch_size`.
    pub batch_size: usize,
    /// Micro-batches in one step: `train.grad_accumulation`.
    pub grad_accumulation: usize,
}

impl MemoryPlan {
    /// The memory of a run with windows of `seq` tokens.
    pub fn new(architecture: &Architecture, settings: &Settings, seq: usize) -> Self {
        let Settings {
            train, optimizer, ..
        } = settings;
        let pass = architecture.record(Purpose::Training, train.batch_size, seq);
        let step = pass.peak();
        let weights = step.gradient_bytes;
        let [state, optimizer_file] = states(architecture, settings);
        let average = train.ema.map_or(0, |_| weights);
        let stays = total([weights, state, average]);

        let accumulates = train.grad_accumulation > 1;
        let accumulated = if accumulates { weights } else { 0 };
        let largest = pass.largest_parameter().saturating_mul(4);
        let threads = rayon::current_num_threads() as u64;
        let buffers = update_buffers(optimizer).saturating_mul(threads);
        let update = total([weights, largest.saturating_mul(buffers)]);
        let training = total([stays, total([step.bytes, accumulated]).max(update)]);

        let windows = windows_per_pass(seq, architecture.vocab_size());
        let evaluation = architecture.record(Purpose::Inference, windows, seq);
        let evaluation = total([stays, evaluation.peak().bytes]);
        let generating = |tokens: usize| {
            let prompt = architecture.record_prompt(tokens).peak().bytes;
            total([architecture.cache_bytes(tokens), prompt])
        };
        let context = architecture.max_seq_len();
        let samples = train.sample_every > 0;
        let sample = generating(train.sample_tokens.min(context));
        let sampling = total([stays, if samples { sample } else { 0 }]);
        let checkpoint = total([stays, largest.saturating_mul(WRITING_BUFFERS)]);
        Self {
            weights,
            gradients: total([weights, accumulated]),
            optimizer: state,
            average,
            activations: step.kept_bytes,
            training,
            evaluation,
            sampling,
            checkpoint,
            peak: training.max(evaluation).max(sampling).max(checkpoint),
            kv_cache: architecture.cache_bytes(context),
            generation: total([weights, generating(context)]),
            optimizer_file,
        }
    }

    /// The largest micro-batch, below the one that is set, with which a run of as many tokens a step fits; `None` when there is none.
    pub fn fitting_split(
        architecture: &Architecture,
        settings: &Settings,
        seq: usize,
        fits: impl Fn(&Self) -> bool,
    ) -> Option<Split> {
        let train = &settings.train;
        let windows = train.batch_size.checked_mul(train.grad_accumulation)?;
        let smaller = 1..train.batch_size.min(MOST_WINDOWS + 1);
        let divisors: Vec<usize> = smaller.filter(|n| windows.is_multiple_of(*n)).collect();
        let split = |batch_size: usize| Split {
            batch_size,
            grad_accumulation: windows / batch_size,
        };
        let fits_with = |batch_size: &usize| {
            let mut settings = settings.clone();
            let split = split(*batch_size);
            settings.train.batch_size = split.batch_size;
            settings.train.grad_accumulation = split.grad_accumulation;
            fits(&Self::new(architecture, &settings, seq))
        };
        let first_too_large = divisors.partition_point(fits_with);
        divisors[..first_too_large].last().copied().map(split)
    }
}

fn total<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

/// Bytes of the optimizer's state, in memory and in a checkpoint.
fn states(architecture: &Architecture, settings: &Settings) -> [u64; 2] {
    struct Sum<'a> {
        settings: &'a Settings,
        at: ParameterPath,
        bytes: [u64; 2],
    }

    impl ModuleVisitor for Sum<'_> {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.at.enter(name, container_type);
        }

        fn exit_module(&mut self, _: &str, container_type: &str) {
            self.at.exit(container_type);
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            // The weights themselves are not made.
            let shape: [usize; D] = parameter.lazy_shape().dims();
            let more = state_bytes(&self.settings.optimizer, &self.at.current(), &shape);
            for (sum, more) in self.bytes.iter_mut().zip(more) {
                *sum = sum.saturating_add(more);
            }
        }
    }

    let mut sum = Sum {
        settings,
        at: ParameterPath::default(),
        bytes: [0; 2],
    };
    architecture.init(0, &Device::flex()).visit(&mut sum);
    sum.bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Moments, OptimizerKind};
    use llm_models::ModelConfig;

    fn architecture() -> Architecture {
        Architecture::resolve(&ModelConfig::default(), 65).expect("sizes")
    }

    fn plan(change: impl FnOnce(&mut Settings)) -> MemoryPlan {
        let mut settings = Settings::default();
        change(&mut settings);
        MemoryPlan::new(&architecture(), &settings, 64)
    }

    #[test]
    fn optimizers_remember_what_their_rules_say() {
        let weights = plan(|_| ()).weights;
        let state = |kind, change: fn(&mut Settings)| {
            let state = |settings: &mut Settings| {
                settings.optimizer.kind = kind;
                change(settings);
            };
            plan(state).optimizer
        };
        assert_eq!(state(OptimizerKind::Adamw, |_| ()), 2 * weights);
        let bf16 = |settings: &mut Settings| settings.optimizer.moments = Moments::Bf16;
        assert_eq!(state(OptimizerKind::Adamw, bf16), weights);
        assert_eq!(state(OptimizerKind::Lion, |_| ()), weights);
        assert_eq!(state(OptimizerKind::Sgd, |_| ()), weights);
        let plain = |settings: &mut Settings| settings.optimizer.momentum = Some(0.0);
        assert_eq!(state(OptimizerKind::Sgd, plain), 0);
        let muon = state(OptimizerKind::Muon, |_| ());
        assert!(weights < muon && muon < 2 * weights, "{muon}");
    }

    #[test]
    fn what_takes_more_memory_is_counted() {
        let peak = |change: fn(&mut Settings)| plan(change).training;
        let plain = peak(|_| ());
        assert!(peak(|s| s.train.batch_size = 24) > plain);
        assert!(peak(|s| s.train.ema = Some(0.9)) == plain + plan(|_| ()).weights);
        assert!(peak(|s| s.train.grad_accumulation = 2) == plain + plan(|_| ()).weights);
        assert_eq!(
            peak(|s| s.train.grad_accumulation = 3),
            peak(|s| s.train.grad_accumulation = 2)
        );
    }

    #[test]
    fn the_largest_micro_batch_that_fits_is_found() {
        let mut settings = Settings::default();
        settings.train.batch_size = 120;
        settings.train.grad_accumulation = 2;
        let architecture = architecture();
        let peak = |split: Split| {
            let mut settings = settings.clone();
            settings.train.batch_size = split.batch_size;
            settings.train.grad_accumulation = split.grad_accumulation;
            MemoryPlan::new(&architecture, &settings, 64).peak
        };
        let split = |batch_size| Split {
            batch_size,
            grad_accumulation: 240 / batch_size,
        };
        let find = |limit| {
            MemoryPlan::fitting_split(&architecture, &settings, 64, |plan| plan.peak <= limit)
        };
        let limit = peak(split(40));
        assert_eq!(find(limit), Some(split(40)));
        assert_eq!(find(limit - 1), Some(split(30)));
        assert_eq!(find(1 << 50), Some(split(80)));
        assert_eq!(find(1000), None);
    }

    /// Sums stop at the largest number.
    #[test]
    fn sizes_that_no_machine_holds_do_not_wrap() {
        let sizes = ModelConfig {
            d_model: Some((1 << 31) - 4),
            d_ff: Some((1 << 31) - 1),
            n_layers: Some(3),
            max_seq_len: Some((1 << 31) - 1),
            ..ModelConfig::default()
        };
        let architecture = Architecture::resolve(&sizes, 65).expect("sizes");
        let mut settings = Settings::default();
        settings.train.batch_size = usize::MAX;
        settings.train.grad_accumulation = 2;
        let plan = MemoryPlan::new(&architecture, &settings, (1 << 31) - 1);
        assert_eq!(plan.peak, u64::MAX);
        let fitting = MemoryPlan::fitting_split(&architecture, &settings, 8, |_| true);
        assert_eq!(fitting, None);
    }
}
