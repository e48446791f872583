//! One optimizer step, in tokens a second.
//!
//! The models are those of `xtask/peers/torch_train.py`.

#![expect(clippy::print_stdout, reason = "page faults are a result")]

mod steps;

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use llm_core::memory::keep_large_buffers;
use llm_core::threads;
use llm_models::{Family, ModelConfig};

use crate::steps::Case;

/// Names and what is trained.
fn cases() -> [(&'static str, Case); 5] {
    let sizes = |family, n_layers, n_heads, d_model, max_seq_len| ModelConfig {
        family,
        n_layers: Some(n_layers),
        n_heads: Some(n_heads),
        d_model: Some(d_model),
        max_seq_len: Some(max_seq_len),
        tie_embeddings: (family == Family::Llama).then_some(true),
        bias: (family == Family::Gpt2).then_some(true),
        ..ModelConfig::default()
    };
    let case = |model, vocab_size, batch_size| Case {
        model,
        vocab_size,
        batch_size,
    };
    let (gpt2, llama) = (Family::Gpt2, Family::Llama);
    [
        ("char-small", case(sizes(gpt2, 4, 4, 128, 64), 65, 12)),
        ("char-base", case(sizes(gpt2, 6, 6, 384, 256), 65, 8)),
        ("llama-base", case(sizes(llama, 6, 6, 384, 256), 65, 8)),
        (
            "gpt2-124m-t64",
            case(sizes(gpt2, 12, 12, 768, 64), 50_304, 4),
        ),
        (
            "gpt2-124m-t512",
            case(sizes(gpt2, 12, 12, 768, 512), 50_304, 1),
        ),
    ]
}

fn training(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(6));
    for (name, case) in cases() {
        case.bench(&mut group, name);
    }
    group.finish();
}

#[global_allocator]
static ALLOCATOR: llm_core::memory::HugePages = llm_core::memory::HugePages;

fn main() {
    keep_large_buffers();
    threads::start(None).expect("nothing ran before");
    let mut criterion = Criterion::default().configure_from_args();
    training(&mut criterion);
    criterion.final_summary();
}
