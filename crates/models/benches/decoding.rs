//! Greedy generation of a GPT-2 of 124 M random parameters, in tokens a second.
//!
//! - `prefill`: tokens of a prompt of 512, up to the choice of the first new token. Only the last position has logits.
//! - `decode`: new tokens after a prompt of 32, which counts in the time.
//!
//! The work is that of `xtask/peers/hf_generate.py`.

use std::hint::black_box;
use std::time::Duration;

use burn::prelude::*;
use criterion::{Criterion, SamplingMode, Throughput};
use llm_core::memory::keep_large_buffers;
use llm_core::threads;
use llm_models::LanguageModel;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use llm_models::presets::Preset;

/// `[name, prompt tokens, new tokens, tokens that count]`.
const CASES: [(&str, usize, usize, u64); 2] = [("prefill", 512, 1, 512), ("decode", 32, 128, 128)];

fn work(model: &LanguageModel, prompt_tokens: usize, new_tokens: usize) -> usize {
    let prompt = (0..prompt_tokens).map(|i| (i * 97 % 50_257) as u32);
    let config = GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens: new_tokens,
        ..GenerateConfig::default()
    };
    let prompts = [prompt.collect()];
    let special = Special::default();
    let mut go_on = |_| Decision::Continue;
    let out = generate(
        model,
        &prompts,
        &config,
        &special,
        Method::Cached,
        &mut go_on,
    );
    out.expect("generated")[0].tokens.len()
}

fn decoding(criterion: &mut Criterion) {
    let architecture = Preset::find("gpt2-124m").expect("a preset").architecture();
    let model = architecture.init(1, &Device::flex());
    for (name, prompt_tokens, new_tokens, counted) in CASES {
        let mut group = criterion.benchmark_group(name);
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(10))
            .throughput(Throughput::Elements(counted));
        group.bench_function("gpt2-124m", |bencher| {
            bencher.iter(|| {
                let new = work(&model, black_box(prompt_tokens), new_tokens);
                assert_eq!(new, new_tokens, "stopped early");
            });
        });
        group.finish();
    }
}

#[global_allocator]
static ALLOCATOR: llm_core::memory::HugePages = llm_core::memory::HugePages;

fn main() {
    keep_large_buffers();
    threads::start(None).expect("nothing ran before");
    let mut criterion = Criterion::default().configure_from_args();
    decoding(&mut criterion);
    criterion.final_summary();
}
