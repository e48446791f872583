//! Gradients of every layer, by its inputs and by its parameters: fused = composed = finite differences.

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;

use super::*;
use crate::gradient_check::{check, normal};

/// Replaces the parameters one after the other by slices of a flat vector.
struct Fill {
    values: Tensor<1>,
    used: usize,
}

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (start, len) = (self.used, parameter.lazy_shape().num_elements());
        self.used += len;
        let shape = parameter.lazy_shape().dims::<D>();
        let value = self
            .values
            .clone()
            .slice(s![start..start + len])
            .reshape(shape);
        Param::initialized(parameter.id, value)
    }
}

struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0 += parameter.lazy_shape().num_elements();
    }
}

/// Checks `forward(layer, x)` with `x` a flat vector of `inputs` numbers; every parameter of the layer is an input too.
#[track_caller]
fn check_layer<M: Module>(
    name: &str,
    layer: &M,
    inputs: usize,
    forward: impl Fn(&M, Tensor<1>) -> Tensor<1>,
) {
    let mut count = Count(0);
    layer.visit(&mut count);
    let f = |t: &[Tensor<1>]| {
        let filled = layer.clone().map(&mut Fill {
            values: t[0].clone(),
            used: 0,
        });
        forward(&filled, t[1].clone())
    };
    let parameters = normal(11, count.0).into_iter().map(|v| v * 0.5).collect();
    check(name, &f, &[parameters, normal(12, inputs)]);
}

#[test]
fn projections_agree() {
    let mut init = Initializer::new(1);
    for bias in [false, true] {
        let layer = ProjectionConfig {
            d_in: 4,
            d_out: 3,
            bias,
            std: 1.0,
        }
        .init(&mut init, &Device::flex());
        check_layer("projection", &layer, 2 * 3 * 4, |l, x| {
            l.forward(x.reshape([2, 3, 4])).reshape([18])
        });
    }
}

#[test]
fn norms_agree() {
    let (mut init, device) = (Initializer::new(1), Device::flex());
    let rms = RmsNormConfig::new(5).init(&mut init, &device);
    check_layer("RMSNorm", &rms, 15, |l, x| {
        l.forward(x.reshape([3, 5])).reshape([15])
    });
    let biased = LayerNormConfig {
        width: 5,
        bias: true,
        eps: 1e-5,
    }
    .init(&mut init, &device);
    check_layer("LayerNorm", &biased, 15, |l, x| {
        l.forward(x.reshape([3, 5])).reshape([15])
    });
    let plain = LayerNormConfig {
        width: 5,
        bias: false,
        eps: 1e-5,
    }
    .init(&mut init, &device);
    check_layer("LayerNorm without bias", &plain, 15, |l, x| {
        l.forward(x.reshape([3, 5])).reshape([15])
    });
}

#[test]
fn feed_forward_blocks_agree() {
    let (mut init, device) = (Initializer::new(1), Device::flex());
    for activation in [
        ActivationKind::Gelu,
        ActivationKind::GeluTanh,
        ActivationKind::Silu,
        ActivationKind::Relu,
    ] {
        let config = FeedForwardConfig {
            d_model: 4,
            d_ff: 6,
            bias: true,
            activation,
            std: 1.0,
            out_std: 1.0,
        };
        let layer = config.init(&mut init, &device);
        check_layer("feed-forward", &layer, 8, |l, x| {
            l.forward(x.reshape([1, 2, 4])).reshape([8])
        });
    }
    let gated = SwiGluConfig {
        bias: true,
        d_model: 4,
        d_ff: 6,
        std: 1.0,
        out_std: 1.0,
    }
    .init(&mut init, &device);
    check_layer("SwiGLU", &gated, 8, |l, x| {
        l.forward(x.reshape([1, 2, 4])).reshape([8])
    });
}

#[test]
fn embeddings_agree() {
    let (mut init, device) = (Initializer::new(1), Device::flex());
    let tokens = TokenEmbeddingConfig {
        vocab_size: 5,
        d_model: 3,
        std: 1.0,
    }
    .init(&mut init, &device);
    // The tied head uses the same vectors again.
    check_layer("tied embedding", &tokens, 12, |l, x| {
        let ids = Tensor::<2, Int>::from_ints([[4, 0], [4, 2]], &x.device());
        let hidden = l.forward(ids).reshape([4, 3]) + x.reshape([4, 3]);
        l.logits(hidden).reshape([20])
    });
    let positions = LearnedPositionsConfig {
        max_seq_len: 6,
        d_model: 3,
        std: 1.0,
    }
    .init(&mut init, &device);
    check_layer("learned positions", &positions, 12, |l, x| {
        let vectors = l.forward(&Positions::new(1, 4, &[0]));
        (vectors * x.reshape([1, 4, 3])).reshape([12])
    });
}

#[test]
fn attention_agrees_for_every_kind_of_pass() {
    let (mut init, device) = (Initializer::new(1), Device::flex());
    let rope = RopeConfig {
        d_head: 4,
        theta: 50.0,
        max_seq_len: 16,
        scaling: None,
    }
    .init();
    for (n_kv_heads, window, dropout, padding) in [
        (4, None, 0.0, vec![0, 0]),
        (2, Some(2), 0.0, vec![0, 0]),
        (1, None, 0.3, vec![0, 0]),
        (2, Some(3), 0.0, vec![0, 2]),
    ] {
        let config = AttentionConfig {
            d_model: 6,
            n_heads: 4,
            n_kv_heads,
            d_head: 4,
            window,
            qkv_bias: true,
            out_bias: true,
            dropout,
            std: 1.0,
            out_std: 1.0,
        };
        let layer = config.init(&mut init, &device);
        check_layer("attention", &layer, 2 * 5 * 6, |l, x| {
            let key = (dropout > 0.0).then(|| DropoutKey::new(1, 2, 3));
            let mut pass = Pass::padded(5, padding.clone()).with_dropout(key);
            pass.set_rope(&rope, &x.device(), x.dtype());
            l.forward(x.reshape([2, 5, 6]), &mut pass, 0).reshape([60])
        });
    }
}

#[test]
fn dropout_agrees() {
    let key = DropoutKey::new(1, 2, 3);
    check(
        "dropout",
        &|t| key.apply(t[0].clone(), 0.4, 0, 0),
        &[normal(1, 50)],
    );
}
