//! Rotary positions in the rotate-half layout of Hugging Face: dimension `i` pairs with dimension `i + d/2`.
//!
//! Source: Su et al. 2021, "RoFormer", equation 34, with the pairs laid out in halves. The gradient is the rotation by the opposite
//! angle.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Tape, Value};

/// Rotates every pair `(x[i], x[i + d/2])` by its angle: `(a cos - b sin, b cos + a sin)`.
///
/// # Shapes
/// - `x`: `[batch, seq, heads, d]` with an even `d`
/// - `cos`, `sin`: `[batch or 1, seq, d / 2]`, without gradient
pub fn rotate_half(x: Tensor<4>, cos: Tensor<3>, sin: Tensor<3>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Routed>::rotate_half(
        x.into_dispatch(),
        cos.into_dispatch(),
        sin.into_dispatch(),
    ))
}

impl Tape {
    /// [`rotate_half`], which keeps the tables that all rotations of a pass share.
    pub(crate) fn rotate_half(&mut self, x: Value, tables: Value) -> Value {
        let operation = Operation {
            inputs: vec![x],
            keeps: vec![tables],
            ..Operation::default()
        };
        self.push(operation, x.rows, x.width)
    }
}

pub(super) mod composed {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, TensorMetadata};
    use burn::tensor::{Shape, Slice};

    pub(in crate::kernels) fn forward<B: Backend>(
        x: FloatTensor<B>,
        cos: FloatTensor<B>,
        sin: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let (shape, angles) = (x.shape(), cos.shape());
        let half = shape[3] / 2;
        let per_head = |t| B::float_reshape(t, Shape::new([angles[0], angles[1], 1, half]));
        let (cos, sin) = (per_head(cos), per_head(sin));
        let part = |from: usize, to: usize| {
            let whole = |n: usize| Slice::new(0, Some(n as isize), 1);
            let last = Slice::new(from as isize, Some(to as isize), 1);
            B::float_slice(
                x.clone(),
                &[whole(shape[0]), whole(shape[1]), whole(shape[2]), last],
            )
        };
        let (a, b) = (part(0, half), part(half, 2 * half));
        let first = B::float_sub(
            B::float_mul(a.clone(), cos.clone()),
            B::float_mul(b.clone(), sin.clone()),
        );
        let second = B::float_add(B::float_mul(b, cos), B::float_mul(a, sin));
        B::float_cat(vec![first, second], 3)
    }
}

pub(crate) mod flex {
    use burn::backend::flex::FlexTensor;
    use rayon::prelude::*;

    use crate::kernels::flex::{CHUNK_ROWS, contiguous, from_vec, values};
    use crate::kernels::simd::vectorized;
    use crate::output::in_chunks;

    pub(in crate::kernels) fn forward(
        x: FlexTensor,
        cos: FlexTensor,
        sin: FlexTensor,
    ) -> FlexTensor {
        let shape = x.layout().shape().clone();
        let [seq, heads, d] = [shape[1], shape[2], shape[3]];
        let half = d / 2;
        let shared = cos.layout().shape()[0] == 1;
        let (x, cos, sin) = (contiguous(x), contiguous(cos), contiguous(sin));
        let (cos, sin) = (values(&cos), values(&sin));
        let width = heads * d;
        let chunk = CHUNK_ROWS * width;
        let inputs = values(&x).par_chunks(chunk).enumerate();
        let (y, _) = in_chunks(shape.num_elements(), chunk, inputs, |(i, x), y| {
            let rows = y.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for (row, (y, x)) in (i * CHUNK_ROWS..).zip(rows) {
                let at = if shared { row % seq } else { row } * half;
                let (cos, sin) = (&cos[at..at + half], &sin[at..at + half]);
                vectorized(
                    #[inline(always)]
                    || {
                        for (y, x) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                            rotate(y.split_at_mut(half), x.split_at(half), cos, sin);
                        }
                    },
                );
            }
        });
        from_vec(y, shape)
    }

    /// Rotates the heads of `x [tokens, heads * d]` where they are, by `cos` and `sin` `[tokens, d / 2]`.
    pub(crate) fn rotate_rows(x: &mut [f32], d: usize, cos: &[f32], sin: &[f32]) {
        let half = d / 2;
        let width = x.len() / (cos.len() / half);
        let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
        for (row, (cos, sin)) in x.chunks_exact_mut(width).zip(angles) {
            for head in row.chunks_exact_mut(d) {
                let (first, second) = head.split_at_mut(half);
                for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    }

    /// The halves of one head.
    #[inline(always)]
    fn rotate(
        (first, second): (&mut [f32], &mut [f32]),
        (a, b): (&[f32], &[f32]),
        cos: &[f32],
        sin: &[f32],
    ) {
        let y = first.iter_mut().zip(second);
        for ((first, second), ((a, b), (cos, sin))) in
            y.zip(a.iter().zip(b).zip(cos.iter().zip(sin)))
        {
            *first = a * cos - b * sin;
            *second = b * cos + a * sin;
        }
    }
}

#[derive(Debug)]
struct RotateHalfBackward;

impl<B: Kernels> Backward<B, 1> for RotateHalfBackward {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (cos, sin) = ops.state;
        if let Some(node) = node {
            grads.register::<B>(
                node.id,
                B::rotate_half_forward(grad, cos, B::float_neg(sin)),
            );
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    cos: FloatTensor<Autodiff<B, C>>,
    sin: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (cos, sin) = (cos.into_primitive(), sin.into_primitive());
    match RotateHalfBackward
        .prepare::<C>([x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let y = B::rotate_half_forward(x.into_primitive(), cos.clone(), sin.clone());
            prep.finish((cos, sin), y)
        }
        OpsKind::UnTracked(prep) => {
            prep.finish(B::rotate_half_forward(x.into_primitive(), cos, sin))
        }
    }
}
