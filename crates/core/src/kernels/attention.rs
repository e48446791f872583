//! Scaled dot-product attention: causal or not, grouped-query, sliding-window, forward and backward.
//!
//! On Flex it runs in blocks of query rows over the keys that they can see, and the backward pass computes the probabilities again from
//! the saved largest scores and logs of the softmax sums, so no `[seq, seq]` buffer is kept.
//!
//! Sources: Vaswani et al. 2017, equation 1; Ainslie et al. 2023 (grouped queries); Beltagy et al. 2020 (sliding window); the
//! recomputation follows Dao et al. 2022, "FlashAttention", algorithm 4.

use std::ops::Range;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};

/// What a query sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionOptions {
    /// Factor of the scores, usually `1 / √d`.
    pub scale: f64,
    /// Whether the queries are the last of the keys' positions and see none after their own.
    pub causal: bool,
    /// How many of the newest visible keys a causal query sees, its own included.
    pub window: Option<usize>,
}

impl AttentionOptions {
    /// The keys that query `i` of `s` sees among `t`.
    fn visible(&self, i: usize, s: usize, t: usize) -> Range<usize> {
        if !self.causal {
            return 0..t;
        }
        let end = i + t - s + 1;
        end.saturating_sub(self.window.unwrap_or(end))..end
    }
}

/// Attention without dropout or padding.
///
/// # Shapes
/// - `q`: `[batch, s, heads, d]`
/// - `k`, `v`: `[batch, t, kv_heads, d]`, `heads` a multiple of `kv_heads`, `t ≥ s` when causal
/// - output: `[batch, s, heads, d]`
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, options: AttentionOptions) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Routed>::attention(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        options,
    ))
}

pub(super) mod composed {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, FloatDType, TensorMetadata, get_device_settings};
    use burn::tensor::{Shape, TensorData};

    use super::AttentionOptions;

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
        options: AttentionOptions,
    ) -> FloatTensor<B> {
        let device = q.device();
        let scores = B::float_matmul(q, B::float_transpose(k));
        let scores = B::float_mul_scalar(scores, options.scale.into());
        let shape = scores.shape();
        let (s, t) = (shape[3], shape[4]);
        let hidden: Vec<bool> = (0..s)
            .flat_map(|i| {
                let visible = options.visible(i, s, t);
                (0..t).map(move |j| !visible.contains(&j))
            })
            .collect();
        // GPUs have no booleans of their own and take them only as the numbers that they keep them in.
        let bool_dtype = get_device_settings::<B>(&device).bool_dtype;
        let hidden = TensorData::new(hidden, [1, 1, 1, s, t]).convert_dtype(bool_dtype.into());
        let hidden = B::bool_from_data(hidden, &device);
        let scores = B::float_mask_fill(
            scores,
            B::bool_expand(hidden, shape),
            f32::NEG_INFINITY.into(),
        );
        B::softmax(scores, 4)
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
            options,
        );
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
        let p = probabilities::<B>(q.clone(), k.clone(), options);
        let delta = B::float_sum_dim(B::float_mul(out, grad.clone()), 4);
        let dp = B::float_matmul(grad.clone(), B::float_transpose(v));
        let ds = B::float_mul(p.clone(), B::float_sub(dp, delta));
        let ds = B::float_mul_scalar(ds, options.scale.into());
        let dq = B::float_matmul(ds.clone(), k);
        let group_sum = |x| B::float_sum_dim(x, 2);
        let dk = group_sum(B::float_matmul(B::float_transpose(ds), q));
        let dv = group_sum(B::float_matmul(B::float_transpose(p), grad));
        [dq, dk, dv].map(ungrouped::<B>)
    }
}

pub(crate) mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::Shape;
    use rayon::prelude::*;

    use super::AttentionOptions;
    use crate::kernels::attention_row::Heads;
    use crate::kernels::exp::exp;
    use crate::kernels::flex::{contiguous, from_vec, values};
    use crate::kernels::matmul::{Matrix, Onto, multiply_here};
    use crate::kernels::simd::{LANES, dot, vectorized};
    use crate::kernels::softmax::softmax;
    use crate::output::in_chunks;

    /// Query rows whose scores are held at a time.
    const BLOCK: usize = 64;

    /// The sizes of one call.
    struct Sizes {
        batch: usize,
        s: usize,
        t: usize,
        heads: usize,
        kv_heads: usize,
        d: usize,
        options: AttentionOptions,
    }

    impl Sizes {
        fn new(q: &FlexTensor, k: &FlexTensor, options: AttentionOptions) -> Self {
            let (q, k) = (q.layout().shape(), k.layout().shape());
            let sizes = Self {
                batch: q[0],
                s: q[1],
                t: k[1],
                heads: q[2],
                kv_heads: k[2],
                d: q[3],
                options,
            };
            assert!(
                sizes.heads.is_multiple_of(sizes.kv_heads),
                "{} heads over {}",
                sizes.heads,
                sizes.kv_heads
            );
            assert!(
                !options.causal || sizes.t >= sizes.s,
                "{} queries but {} keys",
                sizes.s,
                sizes.t
            );
            sizes
        }

        fn group(&self) -> usize {
            self.heads / self.kv_heads
        }

        /// Values of one query head, rows `heads * d` apart.
        fn query<'a>(&self, x: &'a [f32], batch: usize, head: usize) -> &'a [f32] {
            &x[batch * self.s * self.heads * self.d + head * self.d..]
        }

        /// Values of one key or value head, rows `kv_heads * d` apart.
        fn key<'a>(&self, x: &'a [f32], batch: usize, kv_head: usize) -> &'a [f32] {
            &x[batch * self.t * self.kv_heads * self.d + kv_head * self.d..]
        }

        fn query_rows<'a>(&self, x: &'a [f32], rows: &std::ops::Range<usize>) -> Matrix<'a> {
            let stride = self.heads * self.d;
            Matrix::strided(&x[rows.start * stride..], rows.len(), self.d, stride)
        }

        fn key_rows<'a>(&self, x: &'a [f32], rows: &std::ops::Range<usize>) -> Matrix<'a> {
            let stride = self.kv_heads * self.d;
            Matrix::strided(&x[rows.start * stride..], rows.len(), self.d, stride)
        }

        /// The keys that any query of the block sees.
        fn keys_of(&self, block: &std::ops::Range<usize>) -> std::ops::Range<usize> {
            let first = self.options.visible(block.start, self.s, self.t);
            let last = self.options.visible(block.end - 1, self.s, self.t);
            first.start..last.end
        }

        fn blocks(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
            let s = self.s;
            (0..s)
                .step_by(BLOCK)
                .map(move |start| start..(start + BLOCK).min(s))
        }
    }

    /// Query rows of all heads that one thread puts together at a time.
    const JOINED_ROWS: usize = 32;

    /// `[batch, s, heads, d]` of `own(batch, head)`, which is `[s, d]`.
    fn join_heads<'a>(
        [batch, s, heads, d]: [usize; 4],
        own: impl Fn(usize, usize) -> &'a [f32] + Sync,
    ) -> Vec<f32> {
        let (rows, width) = (batch * s, heads * d);
        let firsts = (0..rows).into_par_iter().step_by(JOINED_ROWS);
        let (out, _) = in_chunks(rows * width, JOINED_ROWS * width, firsts, |first, out| {
            join_rows(out, first, [s, heads, d], &own);
        });
        out
    }

    /// The rows of [`join_heads`] from row `first` on.
    fn join_rows<'a>(
        out: &mut [f32],
        first: usize,
        [s, heads, d]: [usize; 3],
        own: impl Fn(usize, usize) -> &'a [f32],
    ) {
        for (row, out) in (first..).zip(out.chunks_exact_mut(heads * d)) {
            for (head, out) in out.chunks_exact_mut(d).enumerate() {
                out.copy_from_slice(&own(row / s, head)[row % s * d..][..d]);
            }
        }
    }

    pub(in crate::kernels) fn forward(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        options: AttentionOptions,
    ) -> (FlexTensor, FlexTensor) {
        let sizes = Sizes::new(&q, &k, options);
        let (q, k, v) = (contiguous(q), contiguous(k), contiguous(v));
        let heads: Vec<(Vec<f32>, Vec<f32>)> = (0..sizes.batch * sizes.heads)
            .into_par_iter()
            .map(|task| {
                let (batch, head) = (task / sizes.heads, task % sizes.heads);
                let kv_head = head / sizes.group();
                let q = sizes.query(values(&q), batch, head);
                let (k, v) = (
                    sizes.key(values(&k), batch, kv_head),
                    sizes.key(values(&v), batch, kv_head),
                );
                forward_head(&sizes, q, k, v)
            })
            .collect();
        let out = join_heads(
            [sizes.batch, sizes.s, sizes.heads, sizes.d],
            |batch, head| &heads[batch * sizes.heads + head].0,
        );
        let log_sums = heads.iter().flat_map(|(_, sums)| sums).copied().collect();
        let shape = q.layout().shape().clone();
        (
            from_vec(out, shape),
            from_vec(log_sums, Shape::new([sizes.batch, sizes.heads, sizes.s, 2])),
        )
    }

    /// [`forward`] of the newest `n` of `held` positions of one sequence, causal, on slices: `q` and `out` `[n, n_heads * d_head]`,
    /// `k` and `v` `[held, n_kv_heads * d_head]`.
    pub(crate) fn attend(
        q: &[f32],
        k: &[f32],
        v: &[f32],
        [n, held]: [usize; 2],
        heads: Heads,
        window: Option<usize>,
        out: &mut [f32],
    ) {
        let sizes = Sizes {
            batch: 1,
            s: n,
            t: held,
            heads: heads.n_heads,
            kv_heads: heads.n_kv_heads,
            d: heads.d_head,
            options: AttentionOptions {
                scale: 1.0 / (heads.d_head as f64).sqrt(),
                causal: true,
                window,
            },
        };
        let all: Vec<Vec<f32>> = (0..sizes.heads)
            .into_par_iter()
            .map(|head| {
                let kv_head = head / sizes.group();
                let q = sizes.query(q, 0, head);
                forward_head(
                    &sizes,
                    q,
                    sizes.key(k, 0, kv_head),
                    sizes.key(v, 0, kv_head),
                )
                .0
            })
            .collect();
        out.par_chunks_mut(JOINED_ROWS * sizes.heads * sizes.d)
            .enumerate()
            .for_each(|(i, out)| {
                join_rows(
                    out,
                    i * JOINED_ROWS,
                    [sizes.s, sizes.heads, sizes.d],
                    |_, head| &all[head],
                );
            });
    }

    /// Where a row of `n` scores ends for the vector loops when it is seen `from` one `to` another: they take [`LANES`] at once, and what is
    /// left of a row value by value, which takes longer than a few scores of -∞ more.
    fn padded_end(from: usize, to: usize, n: usize) -> usize {
        n.min(from + (to - from).next_multiple_of(LANES))
    }

    /// Output `[s, d]` of one head, and the largest score and the log of the softmax sum of each query, `[s, 2]`.
    ///
    /// The two stay apart: beside large scores their sum would round away the second.
    fn forward_head(sizes: &Sizes, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let scale = sizes.options.scale as f32;
        let mut out = vec![0.0; sizes.s * sizes.d];
        let mut log_sums = vec![0.0; sizes.s * 2];
        let mut scores = Vec::new();
        for block in sizes.blocks() {
            let keys = sizes.keys_of(&block);
            let n = keys.len();
            scores.resize(block.len() * n, 0.0);
            let k_block = sizes.key_rows(k, &keys);
            multiply_here(
                sizes.query_rows(q, &block),
                k_block.transposed(),
                Onto::Zero,
                &mut scores,
                n,
            );
            for (row, i) in scores.chunks_exact_mut(n).zip(block.clone()) {
                let seen = sizes.options.visible(i, sizes.s, sizes.t);
                let (from, to) = (seen.start - keys.start, seen.end - keys.start);
                let end = padded_end(from, to, n);
                row[..from].fill(0.0);
                row[to..end].fill(f32::NEG_INFINITY);
                row[end..].fill(0.0);
                let (max, log_sum) = vectorized(
                    #[inline(always)]
                    || softmax(&mut row[from..end], scale),
                );
                log_sums[i * 2..][..2].copy_from_slice(&[max, log_sum]);
            }
            let p = Matrix::rows(&scores, block.len(), n);
            let out = &mut out[block.start * sizes.d..block.end * sizes.d];
            multiply_here(p, sizes.key_rows(v, &keys), Onto::Zero, out, sizes.d);
        }
        (out, log_sums)
    }

    pub(in crate::kernels) fn backward(
        [q, k, v]: [FlexTensor; 3],
        out: FlexTensor,
        log_sums: FlexTensor,
        grad: FlexTensor,
        options: AttentionOptions,
    ) -> [FlexTensor; 3] {
        let sizes = Sizes::new(&q, &k, options);
        let [q, k, v, out, grad] = [q, k, v, out, grad].map(contiguous);
        // One task per key and value head: it owns their gradients and those of its group of query heads.
        let tasks: Vec<[Vec<f32>; 3]> = (0..sizes.batch * sizes.kv_heads)
            .into_par_iter()
            .map(|task| {
                let (batch, kv_head) = (task / sizes.kv_heads, task % sizes.kv_heads);
                let (k, v) = (
                    sizes.key(values(&k), batch, kv_head),
                    sizes.key(values(&v), batch, kv_head),
                );
                let (mut dk, mut dv) = (vec![0.0; sizes.t * sizes.d], vec![0.0; sizes.t * sizes.d]);
                let mut dq = Vec::with_capacity(sizes.group() * sizes.s * sizes.d);
                for head in kv_head * sizes.group()..(kv_head + 1) * sizes.group() {
                    let head_of = |x| sizes.query(x, batch, head);
                    let first = (batch * sizes.heads + head) * sizes.s * 2;
                    let log_sums = &values(&log_sums)[first..][..sizes.s * 2];
                    let inputs = [
                        head_of(values(&q)),
                        k,
                        v,
                        head_of(values(&out)),
                        head_of(values(&grad)),
                    ];
                    dq.extend(backward_head(&sizes, inputs, log_sums, &mut dk, &mut dv));
                }
                [dq, dk, dv]
            })
            .collect();
        let (group, per_query) = (sizes.group(), sizes.s * sizes.d);
        let dq = join_heads(
            [sizes.batch, sizes.s, sizes.heads, sizes.d],
            |batch, head| {
                let [own, ..] = &tasks[batch * sizes.kv_heads + head / group];
                &own[head % group * per_query..][..per_query]
            },
        );
        let of_keys = [sizes.batch, sizes.t, sizes.kv_heads, sizes.d];
        let dk = join_heads(of_keys, |batch, head| {
            &tasks[batch * sizes.kv_heads + head][1]
        });
        let dv = join_heads(of_keys, |batch, head| {
            &tasks[batch * sizes.kv_heads + head][2]
        });
        let (q_shape, k_shape) = (q.layout().shape().clone(), k.layout().shape().clone());
        [
            from_vec(dq, q_shape),
            from_vec(dk, k_shape.clone()),
            from_vec(dv, k_shape),
        ]
    }

    /// In place: scores `p` to probabilities, and their gradients `ds` to those of the scores before the scale.
    #[inline(always)]
    fn softmax_backward(
        p: &mut [f32],
        ds: &mut [f32],
        delta: f32,
        scale: f32,
        [max, log_sum]: [f32; 2],
    ) {
        for (p, ds) in p.iter_mut().zip(ds) {
            *p = exp(*p * scale - max - log_sum);
            *ds = *p * (*ds - delta) * scale;
        }
    }

    /// Gradient by one head's queries `[s, d]`; adds to those by its keys and values `[t, d]`.
    fn backward_head(
        sizes: &Sizes,
        [q, k, v, out, grad]: [&[f32]; 5],
        log_sums: &[f32],
        dk: &mut [f32],
        dv: &mut [f32],
    ) -> Vec<f32> {
        let (scale, d, stride) = (sizes.options.scale as f32, sizes.d, sizes.heads * sizes.d);
        let mut dq = vec![0.0; sizes.s * d];
        let (mut p, mut ds) = (Vec::new(), Vec::new());
        for block in sizes.blocks() {
            let keys = sizes.keys_of(&block);
            let n = keys.len();
            p.resize(block.len() * n, 0.0);
            ds.resize(block.len() * n, 0.0);
            let (q_block, grad_block) =
                (sizes.query_rows(q, &block), sizes.query_rows(grad, &block));
            let (k_block, v_block) = (sizes.key_rows(k, &keys), sizes.key_rows(v, &keys));
            multiply_here(q_block, k_block.transposed(), Onto::Zero, &mut p, n);
            multiply_here(grad_block, v_block.transposed(), Onto::Zero, &mut ds, n);
            for ((p, ds), i) in p
                .chunks_exact_mut(n)
                .zip(ds.chunks_exact_mut(n))
                .zip(block.clone())
            {
                let seen = sizes.options.visible(i, sizes.s, sizes.t);
                let (from, to) = (seen.start - keys.start, seen.end - keys.start);
                let end = padded_end(from, to, n);
                p[..from].fill(0.0);
                p[to..end].fill(f32::NEG_INFINITY);
                p[end..].fill(0.0);
                ds[..from].fill(0.0);
                ds[to..].fill(0.0);
                let (out, grad) = (&out[i * stride..][..d], &grad[i * stride..][..d]);
                let log_sum = [log_sums[i * 2], log_sums[i * 2 + 1]];
                vectorized(
                    #[inline(always)]
                    || {
                        let (p, ds) = (&mut p[from..end], &mut ds[from..end]);
                        softmax_backward(p, ds, dot(out, grad), scale, log_sum);
                    },
                );
            }
            let (p, ds) = (
                Matrix::rows(&p, block.len(), n),
                Matrix::rows(&ds, block.len(), n),
            );
            let dq = &mut dq[block.start * d..block.end * d];
            multiply_here(ds, k_block, Onto::Zero, dq, d);
            let held = keys.start * d..keys.end * d;
            multiply_here(
                ds.transposed(),
                q_block,
                Onto::Out,
                &mut dk[held.clone()],
                d,
            );
            multiply_here(p.transposed(), grad_block, Onto::Out, &mut dv[held], d);
        }
        dq
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
            let (out, log_sums) = B::attention_forward(q, k, v, options);
            prep.finish((ids, out.clone(), log_sums, options), out)
        }
        OpsKind::UnTracked(prep) => {
            let [q, k, v] = [q, k, v].map(|x| x.into_primitive());
            prep.finish(B::attention_forward(q, k, v, options).0)
        }
    }
}
