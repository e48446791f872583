//! The tiny models on a GPU against the same on the CPU. A software GPU (Debian's `mesa-vulkan-drivers`) will do.
//!
//! Tolerance: both devices compute in f32 and add in another order, and a GPU's `exp`, `tanh` and `rsqrt` are exact to a few units in the
//! last place only. The differences grow through the layers, so numbers are compared relative to the largest of their tensor, within 1e-3.
//! Tensors below 1e-4 throughout are compared as if that were their largest: the bias of a key shifts all scores of a query alike, so its
//! gradient is zero but for rounding.

use std::path::{Path, PathBuf};

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::device::DeviceChoice;
use llm_core::kernels::cross_entropy;
use llm_core::layers::Pass;
use llm_core::parameters::ParameterPath;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use llm_models::{LanguageModel, checkpoint};

use crate::golden::logits;

const TOLERANCE: f64 = 1e-3;
const TINY: [&str; 5] = ["openai-gpt", "gpt2", "llama", "llama-untied", "mistral"];

fn gpu() -> Device {
    DeviceChoice::Wgpu(None)
        .open()
        .expect("these tests need a Vulkan, Metal or DirectX driver")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/tiny")
        .join(name)
}

/// Longer than the window of the Mistral model.
fn row(first: usize) -> Vec<u32> {
    (0..17).map(|i| ((first + i * 7) % 61) as u32).collect()
}

#[track_caller]
fn assert_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs
        .iter()
        .fold(1e-4f32, |most, value| most.max(value.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        let off = f64::from((ours - theirs).abs());
        // Written so that a NaN fails.
        assert!(
            off <= TOLERANCE * f64::from(largest),
            "{what}: {ours} against {theirs}, the largest is {largest}"
        );
    }
}

#[test]
fn logits_on_the_gpu_are_those_on_the_cpu() {
    for name in TINY {
        let [on_gpu, on_cpu] = [gpu(), Device::flex()].map(|device| {
            let model = checkpoint::load(&folder(name), &device).expect(name);
            logits(&model, &[row(0), row(3)])
        });
        for (on_gpu, on_cpu) in on_gpu.iter().zip(&on_cpu) {
            assert_close(name, on_gpu, on_cpu);
        }
    }
}

/// The gradient of every parameter, by name.
fn gradients(model: &LanguageModel) -> Vec<(String, Vec<f32>)> {
    struct Collect {
        at: ParameterPath,
        gradients: burn::tensor::Gradients,
        found: Vec<(String, Vec<f32>)>,
    }

    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.at.enter(name, container_type);
        }

        fn exit_module(&mut self, _: &str, container_type: &str) {
            self.at.exit(container_type);
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient = parameter
                .val()
                .grad(&self.gradients)
                .expect("every parameter has a gradient");
            let values = gradient
                .into_data()
                .convert::<f32>()
                .try_to_vec()
                .expect("f32");
            self.found.push((self.at.current(), values));
        }
    }

    let rows = [row(0), row(3)];
    let seq = rows[0].len() - 1;
    let ids = |from: usize| -> Vec<i32> {
        rows.iter()
            .flat_map(|row| &row[from..from + seq])
            .map(|&id| id as i32)
            .collect()
    };
    let device = model.device();
    let inputs = Tensor::<2, Int>::from_data(TensorData::new(ids(0), [2, seq]), &device);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(ids(1), [2 * seq]), &device);
    let hidden = model.hidden(inputs, &mut Pass::new(seq));
    let d_model = model.architecture().d_model();
    let loss = cross_entropy(model.logits(hidden.reshape([2 * seq, d_model])), targets).mean();
    let mut collect = Collect {
        at: ParameterPath::default(),
        gradients: loss.backward(),
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found
}

#[test]
fn gradients_on_the_gpu_are_those_on_the_cpu() {
    for name in TINY {
        let [on_gpu, on_cpu] = [gpu(), Device::flex()].map(|device| {
            let model = checkpoint::load(&folder(name), &device.autodiff()).expect(name);
            gradients(&model)
        });
        assert!(on_cpu.len() > 10, "{name}");
        for ((parameter, on_gpu), (_, on_cpu)) in on_gpu.iter().zip(&on_cpu) {
            assert_close(&format!("{name}: {parameter}"), on_gpu, on_cpu);
        }
    }
}

#[test]
fn greedy_generation_on_the_gpu_is_that_on_the_cpu() {
    let config = GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens: 20,
        ..GenerateConfig::default()
    };
    // Of one length, and padded.
    let batches = [
        vec![row(0)[..7].to_vec()],
        vec![row(0)[..7].to_vec(), row(5)[..4].to_vec()],
    ];
    for name in TINY {
        let [gpu, cpu] = [gpu(), Device::flex()]
            .map(|device| checkpoint::load(&folder(name), &device).expect(name));
        for (prompts, caching) in batches
            .iter()
            .flat_map(|prompts| [(prompts, Method::Cached), (prompts, Method::Uncached)])
        {
            let [on_gpu, on_cpu] = [&gpu, &cpu].map(|model| {
                let special = Special::default();
                let mut go_on = |_| Decision::Continue;
                let out = generate(model, prompts, &config, &special, caching, &mut go_on);
                out.expect(name)
            });
            assert_eq!(on_cpu[0].tokens.len(), 20, "{name}");
            for (on_gpu, on_cpu) in on_gpu.iter().zip(&on_cpu) {
                assert_eq!(on_gpu.tokens, on_cpu.tokens, "{name}, {caching:?}");
            }
        }
    }
}
