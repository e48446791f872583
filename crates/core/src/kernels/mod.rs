//! Fused operations, where Burn's compositions of small ones are slow or keep too much for the backward pass.
//!
//! Three layers, one file per operation:
//! 1. [`Kernels`]: forward and backward on a backend's own tensors. The default bodies compose Burn operations and run on every backend
//!    and float type; they are the oracle. Flex overrides them with passes over `&[f32]`.
//! 2. `Routed`: what Burn's dispatch calls. Plain backends forward to [`Kernels`]; under autodiff each operation registers one
//!    gradient, written once for all backends.
//! 3. The functions re-exported here, on `Tensor`.
//!
//! A new operation is a new file with `composed`, `flex` and `gradient` modules, two lines in [`Kernels`] and one in `Routed`.

pub(crate) mod activation;
mod adamw;
pub(crate) mod attention;
pub(crate) mod attention_row;
mod cross_entropy;
mod dropout_mask;
mod embedding;
mod exp;
pub(crate) mod flex;
pub(crate) mod layer_norm;
mod linear;
pub(crate) mod matmul;
pub(crate) mod matvec;
mod orthogonalize;
pub(crate) mod rms_norm;
pub(crate) mod rope;
pub(crate) mod simd;
mod softmax;
mod sum_of_squares;
pub(crate) mod swiglu;

pub use activation::{ActivationKind, activation};
pub use adamw::{AdamWStep, adamw};
pub use attention::{AttentionOptions, attention};
pub use cross_entropy::{CrossEntropyOptions, cross_entropy};
pub use dropout_mask::DropoutMask;
pub use embedding::embedding;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use orthogonalize::orthogonalize;
pub use rms_norm::rms_norm;
pub use rope::rotate_half;
pub use softmax::{arg_max, log_sum_exp, softmax_in_place};
pub use sum_of_squares::sum_of_squares;
pub use swiglu::swiglu;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, backend_extension};
use burn::tensor::Shape;

/// Forward and backward passes on a backend's tensors. See the [module](self).
///
/// `rows` below are all axes but the last, flattened.
pub trait Kernels: Backend {
    /// `x · weightᵀ + bias`: `x [rows, d_in]`, `weight [d_out, d_in]`, `bias [d_out]` → `[rows, d_out]`.
    fn linear_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        linear::composed::forward::<Self>(x, weight, bias)
    }

    /// Gradient by `x`: `grad [rows, d_out]` → `[rows, d_in]`.
    fn linear_backward_x(weight: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::composed::backward_x::<Self>(weight, grad)
    }

    /// Gradient by `weight`: `[d_out, d_in]`.
    fn linear_backward_weight(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::composed::backward_weight::<Self>(x, grad)
    }

    /// Gradient by `bias`: `[d_out]`.
    fn linear_backward_bias(grad: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::composed::backward_bias::<Self>(grad)
    }

    /// `x * rsqrt(mean(x²) + eps) * gamma` and the reciprocal root `[rows, 1]`.
    fn rms_norm_forward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        eps: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        rms_norm::composed::forward::<Self>(x, gamma, eps)
    }

    /// Gradients by `x` and `gamma`.
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        rstd: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        rms_norm::composed::backward::<Self>(x, gamma, rstd, grad)
    }

    /// `(x - mean) * rsqrt(var + eps) * gamma + beta`, the mean and the reciprocal root, each `[rows, 1]`.
    fn layer_norm_forward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        layer_norm::composed::forward::<Self>(x, gamma, beta, eps)
    }

    /// Gradients by `x`, `gamma` and `beta`.
    fn layer_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        rstd: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        layer_norm::composed::backward::<Self>(x, gamma, mean, rstd, grad)
    }

    /// Loss of each row in nats, `[rows]`, of `logits [rows, vocab]`, and with `want_gradient` also the gradient by the logits.
    ///
    /// Takes the logits by value: a backend may overwrite them with the gradient.
    fn cross_entropy_forward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: CrossEntropyOptions,
        want_gradient: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        cross_entropy::composed::forward::<Self>(logits, targets, options, want_gradient)
    }

    /// `gradient * grad[:, None]`.
    fn cross_entropy_backward(
        gradient: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        cross_entropy::composed::backward::<Self>(gradient, grad)
    }

    /// Attention of `q [batch, s, heads, d]` over `k, v [batch, t, kv_heads, d]`, and of each softmax what this
    /// backend's own backward pass reads, and nothing else.
    fn attention_forward(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attention::composed::forward::<Self>(q, k, v, options)
    }

    /// Gradients by `q`, `k` and `v`.
    fn attention_backward(
        qkv: [FloatTensor<Self>; 3],
        out: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> [FloatTensor<Self>; 3] {
        let _ = log_sums;
        attention::composed::backward::<Self>(qkv, out, grad, options)
    }

    /// Rotates the halves of the last axis of `x [batch, s, heads, d]` by the angles of `cos, sin [batch or 1, s, d / 2]`.
    fn rotate_half_forward(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rope::composed::forward::<Self>(x, cos, sin)
    }

    /// The rows of `table [n, width]` at `ids [rows]`.
    fn lookup_forward(table: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        Self::float_select(table, 0, ids)
    }

    /// `total [n, width]` with the rows of `grad [rows, width]` added at `ids`.
    fn lookup_backward(
        total: FloatTensor<Self>,
        ids: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        embedding::composed::backward::<Self>(total, ids, grad)
    }

    /// The activation, element by element.
    fn activation_forward(x: FloatTensor<Self>, kind: ActivationKind) -> FloatTensor<Self> {
        activation::composed::forward::<Self>(x, kind)
    }

    /// `grad * f'(x)`.
    fn activation_backward(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        kind: ActivationKind,
    ) -> FloatTensor<Self> {
        activation::composed::backward::<Self>(x, grad, kind)
    }

    /// `silu(gate) * up`, element by element.
    fn swiglu_forward(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::composed::forward::<Self>(gate, up)
    }

    /// Gradients by `gate` and `up`.
    fn swiglu_backward(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        swiglu::composed::backward::<Self>(gate, up, grad)
    }
}

/// The operations as Burn's dispatch routes them. Arguments as in [`Kernels`].
#[backend_extension(
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "gpu"),
    Autodiff
)]
pub(crate) trait Routed: Backend {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    fn linear_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, eps: f64) -> FloatTensor<Self>;
    fn layer_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f64,
    ) -> FloatTensor<Self>;
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: CrossEntropyOptions,
    ) -> FloatTensor<Self>;
    fn embedding(table: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self>;
    fn attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self>;
    fn rotate_half(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn activation(x: FloatTensor<Self>, kind: ActivationKind) -> FloatTensor<Self>;
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl<B: Kernels, C: CheckpointStrategy> Routed for Autodiff<B, C> {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::routed::<B, C>(x, weight, None)
    }
    fn linear_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        linear::routed::<B, C>(x, weight, Some(bias))
    }
    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        rms_norm::routed::<B, C>(x, gamma, eps)
    }
    fn layer_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f64,
    ) -> FloatTensor<Self> {
        layer_norm::routed::<B, C>(x, gamma, beta, eps)
    }
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        options: CrossEntropyOptions,
    ) -> FloatTensor<Self> {
        cross_entropy::routed::<B, C>(logits, targets, options)
    }
    fn embedding(table: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        embedding::routed::<B, C>(table, ids)
    }
    fn attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        attention::routed::<B, C>(q, k, v, options)
    }
    fn rotate_half(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rope::routed::<B, C>(x, cos, sin)
    }
    fn activation(x: FloatTensor<Self>, kind: ActivationKind) -> FloatTensor<Self> {
        activation::routed::<B, C>(x, kind)
    }
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::routed::<B, C>(gate, up)
    }
}

macro_rules! forward_to_kernels {
    ($backend:ty) => {
        impl Routed for $backend {
            fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::linear_forward(x, weight, None)
            }
            fn linear_with_bias(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                Self::linear_forward(x, weight, Some(bias))
            }
            fn rms_norm(
                x: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                eps: f64,
            ) -> FloatTensor<Self> {
                Self::rms_norm_forward(x, gamma, eps).0
            }
            fn layer_norm(
                x: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                eps: f64,
            ) -> FloatTensor<Self> {
                Self::layer_norm_forward(x, gamma, beta, eps).0
            }
            fn cross_entropy(
                logits: FloatTensor<Self>,
                targets: IntTensor<Self>,
                options: CrossEntropyOptions,
            ) -> FloatTensor<Self> {
                Self::cross_entropy_forward(logits, targets, options, false).0
            }
            fn embedding(table: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
                Self::lookup_forward(table, ids)
            }
            fn attention(
                q: FloatTensor<Self>,
                k: FloatTensor<Self>,
                v: FloatTensor<Self>,
                options: AttentionOptions,
            ) -> FloatTensor<Self> {
                Self::attention_forward(q, k, v, options).0
            }
            fn rotate_half(
                x: FloatTensor<Self>,
                cos: FloatTensor<Self>,
                sin: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                Self::rotate_half_forward(x, cos, sin)
            }
            fn activation(x: FloatTensor<Self>, kind: ActivationKind) -> FloatTensor<Self> {
                Self::activation_forward(x, kind)
            }
            fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::swiglu_forward(gate, up)
            }
        }
    };
}

forward_to_kernels!(burn::backend::Flex);

#[cfg(feature = "ndarray")]
#[expect(
    deprecated,
    reason = "the reference backend is kept upstream for exactly this use: cross-checks"
)]
mod ndarray {
    use super::*;
    impl Kernels for burn::backend::NdArray {}
    forward_to_kernels!(burn::backend::NdArray);
}

/// `Cube` is every GPU runtime, with or without fusion; the composed bodies work for both.
#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    impl Kernels for burn::backend::Cube {}
    forward_to_kernels!(burn::backend::Cube);
}

/// Product of all axes but the last, and the last.
fn flatten(shape: &Shape) -> (usize, usize) {
    let width = shape[shape.num_dims() - 1];
    (shape.num_elements() / width.max(1), width)
}

#[cfg(test)]
mod tests;
