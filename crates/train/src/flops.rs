//! How much arithmetic a training step is, and how much a device can do: what model FLOP utilisation is a quotient of.
//!
//! Counted as in Chowdhery et al. 2022, "PaLM", appendix B, <https://arxiv.org/abs/2204.02311>: the products of the model, forward and
//! backward, and nothing that is computed again or beside them. Of attention only the pairs of tokens are counted that a causal model,
//! and its window, look at.

use std::time::{Duration, Instant};

use burn::prelude::*;
use llm_core::layers::{Initializer, ProjectionConfig};
use llm_core::tape::Purpose;
use llm_models::Architecture;

/// Floating-point operations of a training step over `sequences` windows of `seq` tokens, a multiplication and an addition being two.
pub fn step_flops(architecture: &Architecture, sequences: u64, seq: usize) -> f64 {
    let window = architecture.record(Purpose::Training, 1, seq);
    // As numbers with a point: sizes that nobody trains must not overflow before they are refused.
    sequences as f64 * window.flops() as f64
}

/// Floating-point operations a second that `device` reaches in a product of square matrices in f32, on all threads: the best of several
/// sizes. Takes a small part of a second.
pub fn peak_flops(device: &Device) -> f64 {
    /// A product that takes so long is large enough.
    const LONG_ENOUGH: Duration = Duration::from_millis(4);
    const TRIES: usize = 3;
    let device = device.clone().without_autodiff();
    let mut best = 0.0f64;
    for size in [256, 512, 1024, 2048, 4096] {
        let config = ProjectionConfig {
            d_in: size,
            d_out: size,
            bias: false,
            std: 0.02,
        };
        let projection = config.init(&mut Initializer::new(0), &device);
        let x = Tensor::<2>::ones([size, size], &device);
        let product = || {
            let began = Instant::now();
            // One number is read, so that a device that works on while we go on is waited for.
            let corner = projection.forward(x.clone()).slice([0..1, 0..1]);
            let _ = corner.into_data();
            began.elapsed()
        };
        // The first fills the weights and finds its code.
        product();
        let fastest = (0..TRIES).map(|_| product()).min().unwrap_or_default();
        let work = 2.0 * (size as f64).powi(3);
        best = best.max(work / fastest.as_secs_f64().max(1e-9));
        if fastest > LONG_ENOUGH {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_models::ModelConfig;

    fn gpt2(tie_embeddings: bool) -> Architecture {
        let config = ModelConfig {
            preset: Some("gpt2-124m".to_owned()),
            tie_embeddings: Some(tie_embeddings),
            ..ModelConfig::default()
        };
        Architecture::resolve(&config, 50257).expect("a preset")
    }

    /// The count of the paper, with the factor of causal attention: `6 N + 6 L H Q (T + 1)` a token.
    #[test]
    fn gpt2_is_counted_as_in_the_paper() {
        let (layers, d, vocabulary, seq) = (12.0, 768.0, 50257.0, 1024u32);
        let n = layers * 12.0 * d * d + vocabulary * d;
        let a_token = 6.0 * n + 6.0 * layers * d * (f64::from(seq) + 1.0);
        let expected = 2.0 * f64::from(seq) * a_token;
        let found = step_flops(&gpt2(true), 2, seq as usize);
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn a_head_of_its_own_changes_nothing() {
        assert_eq!(
            step_flops(&gpt2(true), 1, 64),
            step_flops(&gpt2(false), 1, 64)
        );
    }

    #[test]
    fn a_device_computes_something() {
        let peak = peak_flops(&Device::flex());
        assert!((1e8..1e15).contains(&peak), "{peak}");
    }
}
