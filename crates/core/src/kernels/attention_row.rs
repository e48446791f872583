//! Attention of a few newest tokens over the keys and values of their sequence, as decoding has it.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::matvec::block;
use super::softmax::softmax;

/// Keys that one thread takes before another helps, times the width of a head.
const PARALLEL_FROM: usize = 1 << 15;

/// Numbers of heads, and their width.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) n_heads: usize,
    /// Divides `n_heads`.
    pub(crate) n_kv_heads: usize,
    pub(crate) d_head: usize,
}

/// Causal attention of the queries `q [n, n_heads * d_head]` of the newest positions over `keys` and `values`
/// `[held, n_kv_heads * d_head]`, into `out` of the shape of `q`. With a window a query sees so many keys, its own included.
pub(crate) fn attend(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    heads: Heads,
    window: Option<usize>,
    out: &mut [f32],
) {
    let Heads {
        n_heads,
        n_kv_heads,
        d_head,
    } = heads;
    let (stride, group) = (n_kv_heads * d_head, n_heads / n_kv_heads * d_head);
    let (held, n) = (keys.len() / stride, q.len() / (n_heads * d_head));
    let run = |(task, (q, out)): (usize, (&[f32], &mut [f32]))| {
        let (row, kv_head) = (task / n_kv_heads, task % n_kv_heads);
        let end = held - n + row + 1;
        let start = end.saturating_sub(window.unwrap_or(end));
        let visible = start * stride + kv_head * d_head..end * stride;
        let (keys, values) = (&keys[visible.clone()], &values[visible]);
        for (q, out) in q.chunks_exact(d_head).zip(out.chunks_exact_mut(d_head)) {
            Arch::new().dispatch(Head {
                q,
                keys,
                values,
                stride,
                out,
            });
        }
    };
    let work = n * n_heads * held * d_head;
    if work < PARALLEL_FROM {
        let tasks = q.chunks_exact(group).zip(out.chunks_exact_mut(group));
        tasks.enumerate().for_each(run);
    } else {
        let tasks = q
            .par_chunks_exact(group)
            .zip(out.par_chunks_exact_mut(group));
        tasks.enumerate().for_each(run);
    }
}

/// One query head; keys and values begin with its own head's, and rows are `stride` apart.
struct Head<'a> {
    q: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    stride: usize,
    out: &'a mut [f32],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            q,
            keys,
            values,
            stride,
            out,
        } = self;
        let d = q.len();
        let key = |i: usize| &keys[i * stride..][..d];
        let mut scores = vec![0.0; keys.len().div_ceil(stride)];
        let (fours, rest) = scores.as_chunks_mut::<4>();
        let n_fours = fours.len();
        for (i, scores) in fours.iter_mut().enumerate() {
            let keys = std::array::from_fn(|j| key(4 * i + j));
            *scores = block::<S, 1, 4>(simd, [q], keys).map(|[score]| score);
        }
        for (i, score) in rest.iter_mut().enumerate() {
            *score = block::<S, 1, 1>(simd, [q], [key(4 * n_fours + i)])[0][0];
        }
        softmax(&mut scores, 1.0 / (d as f32).sqrt());
        out.fill(0.0);
        for (i, &p) in scores.iter().enumerate() {
            add_scaled(out, p, &values[i * stride..][..d]);
        }
    }
}

/// `out += p · values`.
#[inline(always)]
fn add_scaled(out: &mut [f32], p: f32, values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += p * value;
    }
}
