//! Attention of Flex in blocks of query rows: no matrix of all scores, and no tensor is transposed.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::Shape;
use rayon::prelude::*;

use super::{AttentionOptions, DropoutMask};
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
        sizes.options.check(sizes.batch, sizes.s, sizes.t);
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

    fn query_rows<'a>(&self, x: &'a [f32], rows: &Range<usize>) -> Matrix<'a> {
        let stride = self.heads * self.d;
        Matrix::strided(&x[rows.start * stride..], rows.len(), self.d, stride)
    }

    fn key_rows<'a>(&self, x: &'a [f32], rows: &Range<usize>) -> Matrix<'a> {
        let stride = self.kv_heads * self.d;
        Matrix::strided(&x[rows.start * stride..], rows.len(), self.d, stride)
    }

    /// The keys that query `i` of a sequence sees.
    fn visible(&self, sequence: usize, i: usize) -> Range<usize> {
        self.options.visible(sequence, i, self.s, self.t)
    }

    /// The keys that any query of the block sees.
    fn keys_of(&self, sequence: usize, block: &Range<usize>) -> Range<usize> {
        let seen = block.clone().map(|i| self.visible(sequence, i));
        seen.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
            .unwrap_or(0..0)
    }

    /// The factors of dropout of query `i` of a head from one key on.
    fn factors(&self, head: Head, i: usize, key: usize) -> Option<Factors> {
        let mask = self.options.dropout?;
        let row = (head.sequence * self.heads + head.head) * self.s + i;
        let first = (row * self.t + key) as u64;
        Some(Factors { mask, first })
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let s = self.s;
        (0..s)
            .step_by(BLOCK)
            .map(move |start| start..(start + BLOCK).min(s))
    }
}

/// A query head of one sequence of the batch.
#[derive(Clone, Copy)]
struct Head {
    sequence: usize,
    head: usize,
}

/// Factors of dropout of one query's probabilities.
#[derive(Clone, Copy)]
struct Factors {
    mask: DropoutMask,
    /// Number of the first of them.
    first: u64,
}

impl Factors {
    #[inline(always)]
    fn multiply(self, row: &mut [f32]) {
        for (index, value) in (self.first..).zip(row) {
            *value *= self.mask.factor(index);
        }
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
            let head = Head {
                sequence: batch,
                head,
            };
            forward_head(&sizes, head, q, k, v)
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
            window,
            ..AttentionOptions::causal(1.0 / (heads.d_head as f64).sqrt())
        },
    };
    let all: Vec<Vec<f32>> = (0..sizes.heads)
        .into_par_iter()
        .map(|head| {
            let kv_head = head / sizes.group();
            let q = sizes.query(q, 0, head);
            forward_head(
                &sizes,
                Head { sequence: 0, head },
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
fn forward_head(
    sizes: &Sizes,
    head: Head,
    q: &[f32],
    k: &[f32],
    v: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let scale = sizes.options.scale as f32;
    let mut out = vec![0.0; sizes.s * sizes.d];
    let mut log_sums = vec![0.0; sizes.s * 2];
    let mut scores = Vec::new();
    for block in sizes.blocks() {
        let keys = sizes.keys_of(head.sequence, &block);
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
            let seen = sizes.visible(head.sequence, i);
            let (from, to) = (seen.start - keys.start, seen.end - keys.start);
            let end = padded_end(from, to, n);
            row[..from].fill(0.0);
            row[to..end].fill(f32::NEG_INFINITY);
            row[end..].fill(0.0);
            let (max, log_sum) = vectorized(
                #[inline(always)]
                || {
                    let sums = softmax(&mut row[from..end], scale);
                    if let Some(factors) = sizes.factors(head, i, keys.start + from) {
                        factors.multiply(&mut row[from..to]);
                    }
                    sums
                },
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
                let head = Head {
                    sequence: batch,
                    head,
                };
                dq.extend(backward_head(
                    &sizes, head, inputs, log_sums, &mut dk, &mut dv,
                ));
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
    head: Head,
    [q, k, v, out, grad]: [&[f32]; 5],
    log_sums: &[f32],
    dk: &mut [f32],
    dv: &mut [f32],
) -> Vec<f32> {
    let (scale, d, stride) = (sizes.options.scale as f32, sizes.d, sizes.heads * sizes.d);
    let mut dq = vec![0.0; sizes.s * d];
    let (mut p, mut ds) = (Vec::new(), Vec::new());
    for block in sizes.blocks() {
        let keys = sizes.keys_of(head.sequence, &block);
        let n = keys.len();
        p.resize(block.len() * n, 0.0);
        ds.resize(block.len() * n, 0.0);
        let (q_block, grad_block) = (sizes.query_rows(q, &block), sizes.query_rows(grad, &block));
        let (k_block, v_block) = (sizes.key_rows(k, &keys), sizes.key_rows(v, &keys));
        multiply_here(q_block, k_block.transposed(), Onto::Zero, &mut p, n);
        multiply_here(grad_block, v_block.transposed(), Onto::Zero, &mut ds, n);
        for ((p, ds), i) in p
            .chunks_exact_mut(n)
            .zip(ds.chunks_exact_mut(n))
            .zip(block.clone())
        {
            let seen = sizes.visible(head.sequence, i);
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
                    let factors = sizes.factors(head, i, keys.start + from);
                    if let Some(factors) = factors {
                        factors.multiply(&mut ds[from..to]);
                    }
                    let (seen, ds) = (&mut p[from..end], &mut ds[from..end]);
                    softmax_backward(seen, ds, dot(out, grad), scale, log_sum);
                    // The values were mixed by what dropout had left.
                    if let Some(factors) = factors {
                        factors.multiply(&mut p[from..to]);
                    }
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
