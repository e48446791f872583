//! One optimizer step, in tokens a second: batch, forward, backward, clipping, AdamW.
//!
//! The models are those of `xtask/peers/torch_train.py`.

use std::hint::black_box;
use std::time::Duration;

use burn::prelude::*;
use criterion::{Criterion, SamplingMode, Throughput};
use llm_core::memory::keep_large_buffers;
use llm_core::random::{RandomKey, Stream};
use llm_core::threads;
use llm_data::TokenShard;
use llm_models::{Architecture, Family, ModelConfig};
use llm_train::{Settings, TrainingSteps};

const VOCAB: usize = 65;

struct Case {
    name: &'static str,
    model: ModelConfig,
    batch_size: usize,
}

fn cases() -> [Case; 3] {
    let base = ModelConfig {
        n_layers: Some(6),
        n_heads: Some(6),
        d_model: Some(384),
        max_seq_len: Some(256),
        ..ModelConfig::default()
    };
    [
        Case {
            name: "char-small",
            model: ModelConfig {
                family: Family::Gpt2,
                n_layers: Some(4),
                n_heads: Some(4),
                d_model: Some(128),
                max_seq_len: Some(64),
                bias: Some(true),
                ..ModelConfig::default()
            },
            batch_size: 12,
        },
        Case {
            name: "char-base",
            model: ModelConfig {
                family: Family::Gpt2,
                bias: Some(true),
                ..base.clone()
            },
            batch_size: 8,
        },
        Case {
            name: "llama-base",
            model: ModelConfig {
                family: Family::Llama,
                d_ff: Some(1024),
                tie_embeddings: Some(true),
                ..base
            },
            batch_size: 8,
        },
    ]
}

fn training(criterion: &mut Criterion) {
    let key = RandomKey::new(1, Stream::Weights);
    let tokens = (0..100_000).map(|i| (key.uniform(i) * VOCAB as f64) as u32);
    let text = TokenShard::from_tokens(tokens.collect());
    let mut group = criterion.benchmark_group("train");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_secs(2))
        .measurement_time(Duration::from_secs(8));
    for case in cases() {
        let mut settings = Settings::default();
        settings.train.batch_size = case.batch_size;
        let architecture = Architecture::resolve(&case.model, VOCAB).expect("sizes");
        let model = architecture.init(1, &Device::flex().autodiff());
        let mut steps = TrainingSteps::new(model, &settings, &text).expect("settings");
        let mut index = 0;
        group.throughput(Throughput::Elements(steps.tokens_per_step()));
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| {
                let result = steps.step(black_box(index)).expect("finite numbers");
                index += 1;
                result
            });
        });
    }
    group.finish();
}

fn main() {
    keep_large_buffers();
    threads::start(None).expect("nothing ran before");
    let mut criterion = Criterion::default().configure_from_args();
    training(&mut criterion);
    criterion.final_summary();
}
