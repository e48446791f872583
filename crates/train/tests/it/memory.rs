//! A long run takes no more memory than a short one.

use std::process::Command;

use burn::prelude::*;
use llm_core::memory::resident_bytes;
use llm_data::TokenShard;
use llm_models::{Architecture, ModelConfig};
use llm_train::{Event, Run, Settings, Start, train};

const ALONE: &str = "LLM_MEMORY_TEST_ALONE";

/// Other tests of the same process would be counted too, so the test runs itself again in a process of its own.
///
/// The allocator takes one to two of a hundred of these ten megabytes more until it settles, after some 13,000 steps. Keeping as little as 64 bytes of
/// every step would add 6 %.
#[test]
fn memory_does_not_grow() {
    if std::env::var_os(ALONE).is_some() {
        return train_for_long();
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "memory::memory_does_not_grow", "--nocapture"])
        .env(ALONE, "1")
        // Each thread has memory of its own, which it takes when it first works.
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn train_for_long() {
    let sizes = ModelConfig {
        d_model: Some(8),
        d_ff: Some(8),
        n_layers: Some(1),
        n_heads: Some(1),
        max_seq_len: Some(4),
        ..ModelConfig::default()
    };
    let model = Architecture::resolve(&sizes, 5)
        .expect("sizes")
        .init(1, &Device::flex().autodiff());
    let text = TokenShard::from_tokens((0..500).map(|i| i * i % 5).collect());
    let mut settings = Settings::default();
    settings.train.max_steps = 10_000;
    settings.train.batch_size = 1;
    settings.train.eval_windows = 4;
    settings.train.sample_every = 500;
    settings.train.sample_tokens = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let mut resident = Vec::new();
    let run = Run {
        folder: folder.path(),
        training: &text,
        validation: &text,
        special: Default::default(),
        sample_prompt: vec![0],
        write_extras: &|_| Ok(()),
        interrupted: &|| false,
        on_event: &mut |event| {
            if let Event::Step(record) = event
                && [1000, 10_000].contains(&record.step)
            {
                resident.push(resident_bytes().expect("this system tells") as f64);
            }
        },
    };
    train(Start::Fresh(Box::new(model)), &settings, run).expect("trained");
    let [early, late] = resident[..] else {
        panic!("{resident:?}")
    };
    assert!(
        late < 1.03 * early,
        "{early} bytes after 1,000 steps, {late} after 10,000"
    );
}
