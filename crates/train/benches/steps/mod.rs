//! Optimizer steps of one model as a criterion benchmark: batch, forward, backward, clipping, AdamW.
//!
//! The model is made when criterion first runs it, so that a process in which the filter chooses one benchmark holds one model. After
//! the benchmark a JSON line on stdout tells the minor page faults of a step.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::prelude::*;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};
use llm_core::random::{RandomKey, Stream};
use llm_data::TokenShard;
use llm_models::{Architecture, ModelConfig};
use llm_train::{Settings, TrainingSteps};

/// Steps in which buffers are taken for the first time: their page faults don't count.
const FIRST_STEPS: u64 = 3;

/// What is trained.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Sizes; `max_seq_len` is the window.
    pub(crate) model: ModelConfig,
    /// Number of tokens in the vocabulary.
    pub(crate) vocab_size: usize,
    /// Windows in a step.
    pub(crate) batch_size: usize,
}

impl Case {
    /// Measures steps on random tokens, in tokens a second.
    pub(crate) fn bench(&self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
        let seq = self.model.max_seq_len.expect("every case has a window");
        let mut settings = Settings::default();
        settings.train.batch_size = self.batch_size;
        let text = random_text(self.vocab_size);
        let mut steps = None;
        let mut faults = Faults::default();
        group.throughput(Throughput::Elements((self.batch_size * seq) as u64));
        group.bench_function(name, |bencher| {
            let steps = steps.get_or_insert_with(|| self.start(&settings, &text));
            bencher.iter_custom(|n| faults.count(n, &mut *steps));
        });
        faults.print(name);
    }

    fn start<'a>(&self, settings: &'a Settings, text: &'a TokenShard) -> impl FnMut(u64) + use<'a> {
        let architecture = Architecture::resolve(&self.model, self.vocab_size).expect("sizes");
        let model = architecture.init(1, &Device::flex().autodiff());
        let mut steps = TrainingSteps::new(model, settings, text).expect("settings");
        move |index| {
            black_box(steps.step(black_box(index)).expect("finite numbers"));
        }
    }
}

fn random_text(vocab_size: usize) -> TokenShard {
    let key = RandomKey::new(1, Stream::Weights);
    let tokens = (0..100_000).map(|i| (key.uniform(i) * vocab_size as f64) as u32);
    TokenShard::from_tokens(tokens.collect())
}

/// Steps so far, and the page faults of those after the first.
#[derive(Debug, Default)]
struct Faults {
    steps: u64,
    counted_steps: u64,
    faults: u64,
}

impl Faults {
    /// Takes `n` more steps and returns their time.
    fn count(&mut self, n: u64, mut step: impl FnMut(u64)) -> Duration {
        let before = minor_faults();
        let began = Instant::now();
        for index in self.steps..self.steps + n {
            step(index);
        }
        let elapsed = began.elapsed();
        if let (Some(before), Some(after)) = (before, minor_faults())
            && self.steps >= FIRST_STEPS
        {
            self.counted_steps += n;
            self.faults += after - before;
        }
        self.steps += n;
        elapsed
    }

    fn print(&self, name: &str) {
        if self.counted_steps > 0 {
            let value = self.faults as f64 / self.counted_steps as f64;
            println!(r#"{{"name":"{name}","value":{value},"unit":"page faults/step"}}"#);
        }
    }
}

/// Page faults of this process that needed no file, where Linux tells: the tenth field of `/proc/self/stat`, the eighth after the name.
fn minor_faults() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(7)?.parse().ok()
}
