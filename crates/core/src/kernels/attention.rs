//! Scaled dot-product attention: causal or not, grouped-query, sliding-window, forward and backward.
//!
//! On Flex it runs in blocks of query rows over the keys that they can see, and the backward pass computes the probabilities again from
//! the saved largest scores and logs of the softmax sums, so no `[seq, seq]` buffer is kept.
//!
//! Sources: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 (grouped queries); Beltagy et al. 2020 (sliding window); the
//! recomputation follows Dao et al. 2022, "FlashAttention", algorithm 4.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{DropoutMask, Kernels, Routed};
use crate::tape::{Operation, Tape, Value};

pub(crate) mod flex;

/// What a query sees.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionOptions {
    /// Factor of the scores, usually `1 / √d`.
    pub scale: f64,
    /// Whether the queries are the last of the keys' positions and see none after their own.
    pub causal: bool,
    /// How many of the newest visible keys a causal query sees, its own included.
    pub window: Option<usize>,
    /// For each causal query, `[batch, s]` row-major, the first key that it may see, at most its own; `None` for the first of all.
    pub first_keys: Option<Arc<[u32]>>,
    /// Which probabilities are dropped, numbered as `[batch, heads, s, t]`.
    pub dropout: Option<DropoutMask>,
}

impl AttentionOptions {
    /// Causal attention without any of the rest.
    pub fn causal(scale: f64) -> Self {
        Self {
            scale,
            causal: true,
            window: None,
            first_keys: None,
            dropout: None,
        }
    }

    /// The keys that query `i` of `s` of a sequence of the batch sees among `t`.
    fn visible(&self, sequence: usize, i: usize, s: usize, t: usize) -> Range<usize> {
        if !self.causal {
            return 0..t;
        }
        let end = i + t - s + 1;
        let start = end.saturating_sub(self.window.unwrap_or(end));
        let first = match &self.first_keys {
            Some(first_keys) => first_keys[sequence * s + i] as usize,
            None => 0,
        };
        start.max(first)..end
    }

    /// # Panics
    /// When the first keys are not those of causal queries, or one lies behind its query.
    fn check(&self, batch: usize, s: usize, t: usize) {
        assert!(!self.causal || t >= s, "{s} queries but {t} keys");
        let Some(first_keys) = &self.first_keys else {
            return;
        };
        assert!(self.causal, "first keys without an order");
        assert_eq!(first_keys.len(), batch * s, "first keys of {batch} × {s}");
        let visible = |(at, &first): (usize, &u32)| first as usize <= at % s + t - s;
        assert!(
            first_keys.iter().enumerate().all(visible),
            "a query that sees nothing"
        );
    }
}

/// Attention without padding.
///
/// # Shapes
/// - `q`: `[batch, s, heads, d]`
/// - `k`, `v`: `[batch, t, kv_heads, d]`, `heads` a multiple of `kv_heads`, `t ≥ s` when causal
/// - output: `[batch, s, heads, d]`
///
/// # Panics
/// When the shapes and the options do not fit together.
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: AttentionOptions) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Routed>::attention(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        options,
    ))
}

impl Tape {
    /// Causal [`attention`] of heads of `d_head`, which keeps its output and two numbers for each query of each head.
    ///
    /// Heads are computed each on its own and put together then, so that what a pass makes is there twice for a moment.
    pub(crate) fn attention(
        &mut self,
        [q, k, v]: [Value; 3],
        d_head: usize,
        window: Option<usize>,
    ) -> Value {
        let heads = q.width / d_head as u64;
        let sums = q.rows.saturating_mul(2 * heads);
        let window = window.map_or(self.seq(), |window| self.seq().min(window as u64));
        // The first queries see 1, 2, …, the others a whole window.
        let seen = window * (window + 1) / 2 + (self.seq() - window) * window;
        let operation = Operation {
            inputs: vec![q, k, v],
            keeps: vec![q, k, v],
            keeps_more: sums,
            scratch: [
                q.len().saturating_add(sums),
                q.len().saturating_add(k.len()).saturating_add(v.len()),
            ],
            // Scores, and the mean of the values.
            flops: seen
                .saturating_mul(self.batch())
                .saturating_mul(4 * q.width),
            ..Operation::default()
        };
        self.push_kept(operation, q.rows, q.width)
    }
}

pub(super) mod composed {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, FloatDType, TensorMetadata, get_device_settings};
    use burn::tensor::{Shape, TensorData};
    use rayon::prelude::*;

    use super::{AttentionOptions, DropoutMask};

    /// `[batch, s, heads, d]` as `[batch, kv_heads, heads / kv_heads, s, d]`.
    fn grouped<B: Backend>(x: FloatTensor<B>, kv_heads: usize) -> FloatTensor<B> {
        let shape = x.shape();
        let (batch, s, heads, d) = (shape[0], shape[1], shape[2], shape[3]);
        let x = B::float_swap_dims(x, 1, 2);
        B::float_reshape(x, Shape::new([batch, kv_heads, heads / kv_heads, s, d]))
    }

    /// The way back: `[batch, kv_heads, group, s, d]` as `[batch, s, heads, d]`.
    fn ungrouped<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        let shape = x.shape();
        let heads = shape[1] * shape[2];
        let x = B::float_reshape(x, Shape::new([shape[0], heads, shape[3], shape[4]]));
        B::float_swap_dims(x, 1, 2)
    }

    /// `[batch, kv_heads, group, s, t]`.
    fn probabilities<B: Backend>(
        q: FloatTensor<B>,
        k: FloatTensor<B>,
        options: &AttentionOptions,
    ) -> FloatTensor<B> {
        let device = q.device();
        let scores = B::float_matmul(q, B::float_transpose(k));
        let scores = B::float_mul_scalar(scores, options.scale.into());
        let shape = scores.shape();
        let (batch, s, t) = (shape[0], shape[3], shape[4]);
        options.check(batch, s, t);
        let rows = if options.first_keys.is_some() {
            batch
        } else {
            1
        };
        let hidden: Vec<bool> = (0..rows * s)
            .flat_map(|row| {
                let visible = options.visible(row / s, row % s, s, t);
                (0..t).map(move |j| !visible.contains(&j))
            })
            .collect();
        // GPUs have no booleans of their own and take them only as the numbers that they keep them in.
        let bool_dtype = get_device_settings::<B>(&device).bool_dtype;
        let hidden = TensorData::new(hidden, [rows, 1, 1, s, t]).convert_dtype(bool_dtype.into());
        let hidden = B::bool_from_data(hidden, &device);
        let scores = B::float_mask_fill(
            scores,
            B::bool_expand(hidden, shape),
            f32::NEG_INFINITY.into(),
        );
        B::softmax(scores, 4)
    }

    /// `x [batch, kv_heads, group, s, t]` with its dropped values at 0 and the others made larger.
    fn dropped<B: Backend>(x: FloatTensor<B>, mask: Option<DropoutMask>) -> FloatTensor<B> {
        let Some(mask) = mask else {
            return x;
        };
        let (device, dtype, shape) = (x.device(), x.dtype(), x.shape());
        let factors: Vec<f32> = (0..shape.num_elements())
            .into_par_iter()
            .with_min_len(4096)
            .map(|i| mask.factor(i as u64))
            .collect();
        let factors = TensorData::new(factors, shape).convert_dtype(dtype);
        B::float_mul(x, B::float_from_data(factors, &device))
    }

    pub(in crate::kernels) fn forward<B: Backend>(
        q: FloatTensor<B>,
        k: FloatTensor<B>,
        v: FloatTensor<B>,
        options: AttentionOptions,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let (device, dtype): (_, FloatDType) = (q.device(), q.dtype().into());
        let kv_heads = k.shape()[2];
        let p = probabilities::<B>(
            grouped::<B>(q, kv_heads),
            grouped::<B>(k, kv_heads),
            &options,
        );
        let p = dropped::<B>(p, options.dropout);
        let out = ungrouped::<B>(B::float_matmul(p, grouped::<B>(v, kv_heads)));
        // This backward pass computes the probabilities from the scores and needs no sums.
        (out, B::float_zeros(Shape::new([1]), &device, dtype))
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        [q, k, v]: [FloatTensor<B>; 3],
        out: FloatTensor<B>,
        grad: FloatTensor<B>,
        options: AttentionOptions,
    ) -> [FloatTensor<B>; 3] {
        let kv_heads = k.shape()[2];
        let [q, k, v, out, grad] = [q, k, v, out, grad].map(|x| grouped::<B>(x, kv_heads));
        let p = probabilities::<B>(q.clone(), k.clone(), &options);
        let delta = B::float_sum_dim(B::float_mul(out, grad.clone()), 4);
        let dp = B::float_matmul(grad.clone(), B::float_transpose(v));
        let dp = dropped::<B>(dp, options.dropout);
        let ds = B::float_mul(p.clone(), B::float_sub(dp, delta));
        let ds = B::float_mul_scalar(ds, options.scale.into());
        let dq = B::float_matmul(ds.clone(), k);
        let group_sum = |x| B::float_sum_dim(x, 2);
        let dk = group_sum(B::float_matmul(B::float_transpose(ds), q));
        let p = dropped::<B>(p, options.dropout);
        let dv = group_sum(B::float_matmul(B::float_transpose(p), grad));
        [dq, dk, dv].map(ungrouped::<B>)
    }
}

#[derive(Debug)]
struct AttentionBackward;

impl<B: Kernels> Backward<B, 3> for AttentionBackward {
    type State = (
        [NodeId; 3],
        FloatTensor<B>,
        FloatTensor<B>,
        AttentionOptions,
    );

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let parents = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (ids, out, log_sums, options) = ops.state;
        let qkv = ids.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let gradients = B::attention_backward(qkv, out, log_sums, grad, options);
        for (node, gradient) in parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    q: FloatTensor<Autodiff<B, C>>,
    k: FloatTensor<Autodiff<B, C>>,
    v: FloatTensor<Autodiff<B, C>>,
    options: AttentionOptions,
) -> FloatTensor<Autodiff<B, C>> {
    match AttentionBackward
        .prepare::<C>([q.node(), k.node(), v.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let ids = [&q, &k, &v].map(|x| prep.checkpoint(x));
            let [q, k, v] = [q, k, v].map(|x| x.into_primitive());
            let (out, log_sums) = B::attention_forward(q, k, v, options.clone());
            prep.finish((ids, out.clone(), log_sums, options), out)
        }
        OpsKind::UnTracked(prep) => {
            let [q, k, v] = [q, k, v].map(|x| x.into_primitive());
            prep.finish(B::attention_forward(q, k, v, options).0)
        }
    }
}
