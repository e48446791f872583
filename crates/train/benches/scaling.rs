//! How a training step and a decoding step scale: one size varies, the others are those of a small GPT-2.
//!
//! Threads are those of `RAYON_NUM_THREADS`, else one for each processor.

#![expect(clippy::print_stdout, reason = "page faults are a result")]

mod steps;

use std::time::{Duration, Instant};

use burn::prelude::*;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use llm_core::memory::keep_large_buffers;
use llm_core::threads;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use llm_models::{Architecture, Family, LanguageModel, ModelConfig};

use crate::steps::Case;

/// Width of a head.
const D_HEAD: usize = 32;
/// New tokens that are timed.
const NEW_TOKENS: usize = 32;

/// The sizes that vary.
#[derive(Clone, Copy)]
struct Sizes {
    context: usize,
    batch: usize,
    width: usize,
    depth: usize,
    vocabulary: usize,
}

const BASE: Sizes = Sizes {
    context: 256,
    batch: 4,
    width: 128,
    depth: 4,
    vocabulary: 1024,
};

impl Sizes {
    fn model(self) -> ModelConfig {
        ModelConfig {
            family: Family::Gpt2,
            n_layers: Some(self.depth),
            n_heads: Some(self.width / D_HEAD),
            d_model: Some(self.width),
            max_seq_len: Some(self.context),
            ..ModelConfig::default()
        }
    }

    fn case(self) -> Case {
        Case {
            model: self.model(),
            vocab_size: self.vocabulary,
            batch_size: self.batch,
        }
    }
}

/// Criterion's group `axis`, with one benchmark for each of `values`.
fn sweep(
    criterion: &mut Criterion,
    axis: &str,
    values: &[usize],
    bench: impl Fn(&mut BenchmarkGroup<'_, WallTime>, usize),
) {
    let mut group = criterion.benchmark_group(axis);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for value in values {
        bench(&mut group, *value);
    }
    group.finish();
}

fn training(
    criterion: &mut Criterion,
    axis: &str,
    values: &[usize],
    sizes: impl Fn(usize) -> Sizes,
) {
    sweep(criterion, axis, values, |group, value| {
        sizes(value).case().bench(group, &value.to_string());
    });
}

/// New tokens after a prompt of `context`, whose own pass is not timed.
fn decoding(group: &mut BenchmarkGroup<'_, WallTime>, context: usize) {
    let sizes = Sizes {
        context: context + NEW_TOKENS + 1,
        ..BASE
    };
    let mut model = None;
    group.throughput(Throughput::Elements(NEW_TOKENS as u64));
    group.bench_function(context.to_string(), |bencher| {
        let model = model.get_or_insert_with(|| {
            let architecture = Architecture::resolve(&sizes.model(), sizes.vocabulary);
            architecture.expect("sizes").init(1, &Device::flex())
        });
        bencher.iter_custom(|n| (0..n).map(|_| time_to_decode(model, context)).sum());
    });
}

fn time_to_decode(model: &LanguageModel, context: usize) -> Duration {
    let prompt = (0..context).map(|i| (i * 97 % BASE.vocabulary) as u32);
    let config = GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens: NEW_TOKENS + 1,
        ..GenerateConfig::default()
    };
    let mut first = None;
    let mut last = Instant::now();
    let mut on_token = |_| {
        last = Instant::now();
        first.get_or_insert(last);
        Decision::Continue
    };
    generate(
        model,
        &[prompt.collect()],
        &config,
        &Special::default(),
        Method::Cached,
        &mut on_token,
    )
    .expect("generated");
    last - first.expect("a token")
}

fn scaling(criterion: &mut Criterion) {
    let contexts = [64, 128, 256, 512, 1024, 2048, 4096, 8192];
    training(criterion, "context", &contexts, |context| Sizes {
        context,
        batch: 1,
        ..BASE
    });
    sweep(criterion, "decode", &contexts, decoding);
    training(criterion, "batch", &[1, 2, 4, 8, 16, 32], |batch| Sizes {
        batch,
        ..BASE
    });
    training(criterion, "width", &[64, 128, 256, 512, 1024], |width| {
        Sizes { width, ..BASE }
    });
    training(criterion, "depth", &[1, 2, 4, 8, 16], |depth| Sizes {
        depth,
        ..BASE
    });
    let vocabularies = [64, 256, 1024, 4096, 16_384, 65_536];
    training(criterion, "vocabulary", &vocabularies, |vocabulary| Sizes {
        vocabulary,
        ..BASE
    });
}

#[global_allocator]
static ALLOCATOR: llm_core::memory::HugePages = llm_core::memory::HugePages;

fn main() {
    keep_large_buffers();
    threads::start(None).expect("nothing ran before");
    let mut criterion = Criterion::default().configure_from_args();
    scaling(&mut criterion);
    criterion.final_summary();
}
