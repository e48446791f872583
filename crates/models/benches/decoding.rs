//! Greedy generation of a GPT-2 of 124 M random parameters, in tokens a second.
//!
//! - `prefill`: tokens of a prompt of 512, up to the choice of the first new token. Only the last position has logits.
//! - `decode`: new tokens after a prompt of 32, which counts in the time.
//! - `decode-batch8`: the same for eight prompts side by side; the new tokens of all count.
//!
//! The work is that of `xtask/peers/hf_generate.py` and `xtask/peers/llama_cpp_generate.py`.

use std::hint::black_box;
use std::time::Duration;

use burn::prelude::*;
use criterion::{Criterion, SamplingMode, Throughput};
use llm_core::memory::keep_large_buffers;
use llm_core::threads;
use llm_models::LanguageModel;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use llm_models::presets::Preset;

/// One kind of work.
struct Case {
    name: &'static str,
    prompts: usize,
    prompt_tokens: usize,
    new_tokens: usize,
    /// Tokens that count.
    counted: u64,
}

const CASES: [Case; 3] = [
    Case {
        name: "prefill",
        prompts: 1,
        prompt_tokens: 512,
        new_tokens: 1,
        counted: 512,
    },
    Case {
        name: "decode",
        prompts: 1,
        prompt_tokens: 32,
        new_tokens: 128,
        counted: 128,
    },
    Case {
        name: "decode-batch8",
        prompts: 8,
        prompt_tokens: 32,
        new_tokens: 64,
        counted: 8 * 64,
    },
];

impl Case {
    fn run(&self, model: &LanguageModel) {
        let prompt = |number: usize| {
            let tokens = (0..self.prompt_tokens).map(|i| (i * 97 + number) % 50_257);
            tokens.map(|token| token as u32).collect()
        };
        let prompts: Vec<Vec<u32>> = (0..self.prompts).map(prompt).collect();
        let config = GenerateConfig {
            strategy: Strategy::Greedy,
            max_new_tokens: self.new_tokens,
            ..GenerateConfig::default()
        };
        let out = generate(
            model,
            black_box(&prompts),
            &config,
            &Special::default(),
            Method::Cached,
            &mut |_| Decision::Continue,
        );
        for sequence in out.expect("generated") {
            assert_eq!(sequence.tokens.len(), self.new_tokens, "stopped early");
        }
    }
}

fn decoding(criterion: &mut Criterion) {
    let mut model = None;
    for case in CASES {
        let mut group = criterion.benchmark_group(case.name);
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(6))
            .throughput(Throughput::Elements(case.counted));
        group.bench_function("gpt2-124m", |bencher| {
            let model = model.get_or_insert_with(|| {
                let architecture = Preset::find("gpt2-124m").expect("a preset").architecture();
                architecture.init(1, &Device::flex())
            });
            bencher.iter(|| case.run(model));
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
