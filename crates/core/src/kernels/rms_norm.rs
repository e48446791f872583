//! Root mean square norm: `y = x * rsqrt(mean(x²) + eps) * gamma` over the last axis.
//!
//! Source: Zhang, Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Parameter, Tape, Value};

/// RMSNorm over the last axis of `x`, scaled by `gamma [width]`.
pub fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, eps: f64) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Routed>::rms_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        eps,
    ))
}

impl Tape {
    /// [`rms_norm`], which keeps the reciprocal root of every row.
    pub(crate) fn rms_norm(&mut self, x: Value, parameters: &[Parameter]) -> Value {
        let operation = Operation {
            inputs: vec![x],
            parameters: parameters.to_vec(),
            keeps: vec![x],
            keeps_more: x.rows,
            ..Operation::default()
        };
        self.push(operation, x.rows, x.width)
    }
}

pub(super) mod composed {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, TensorMetadata};
    use burn::tensor::Shape;

    pub(in crate::kernels) fn forward<B: Backend>(
        x: FloatTensor<B>,
        gamma: FloatTensor<B>,
        eps: f64,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let shape = x.shape();
        let (rows, width) = super::super::flatten(&shape);
        let x = B::float_reshape(x, Shape::new([rows, width]));
        let mean_square = B::float_mean_dim(B::float_mul(x.clone(), x.clone()), 1);
        let rstd = B::float_recip(B::float_sqrt(B::float_add_scalar(mean_square, eps.into())));
        let gamma = B::float_reshape(gamma, Shape::new([1, width]));
        let y = B::float_mul(B::float_mul(x, rstd.clone()), gamma);
        (B::float_reshape(y, shape), rstd)
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        x: FloatTensor<B>,
        gamma: FloatTensor<B>,
        rstd: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let shape = x.shape();
        let (rows, width) = super::super::flatten(&shape);
        let flat = |t| B::float_reshape(t, Shape::new([rows, width]));
        let (normed, grad) = (B::float_mul(flat(x), rstd.clone()), flat(grad));
        let d_gamma = B::float_sum_dim(B::float_mul(grad.clone(), normed.clone()), 0);
        let scaled = B::float_mul(grad, B::float_reshape(gamma, Shape::new([1, width])));
        let along = B::float_mean_dim(B::float_mul(scaled.clone(), normed.clone()), 1);
        let dx = B::float_mul(B::float_sub(scaled, B::float_mul(normed, along)), rstd);
        (
            B::float_reshape(dx, shape),
            B::float_reshape(d_gamma, Shape::new([width])),
        )
    }
}

pub(crate) mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::Shape;
    use rayon::prelude::*;

    use crate::kernels::flex::{
        CHUNK_ROWS, add_in_order, contiguous, from_vec, rows_and_width, values,
    };
    use crate::kernels::simd::{dot, sum_of, vectorized};
    use crate::output::in_chunks;

    pub(in crate::kernels) fn forward(
        x: FlexTensor,
        gamma: FlexTensor,
        eps: f64,
    ) -> (FlexTensor, FlexTensor) {
        let shape = x.layout().shape().clone();
        let (x, gamma) = (contiguous(x), contiguous(gamma));
        let (rows, width) = rows_and_width(&x);
        let gamma = values(&gamma);
        let chunk = CHUNK_ROWS * width;
        let inputs = values(&x).par_chunks(chunk);
        let (y, rstd) = in_chunks(rows * width, chunk, inputs, |x, y| {
            let rows = y.chunks_exact_mut(width).zip(x.chunks_exact(width));
            rows.map(|(y, x)| {
                vectorized(
                    #[inline(always)]
                    || forward_row(y, x, gamma, eps as f32),
                )
            })
            .collect::<Vec<_>>()
        });
        let rstd = rstd.concat();
        (from_vec(y, shape), from_vec(rstd, Shape::new([rows, 1])))
    }

    /// One row of `y`; the reciprocal root.
    #[inline(always)]
    pub(crate) fn forward_row(y: &mut [f32], x: &[f32], gamma: &[f32], eps: f32) -> f32 {
        let rstd = 1.0 / (dot(x, x) / x.len() as f32 + eps).sqrt();
        for ((y, x), gamma) in y.iter_mut().zip(x).zip(gamma) {
            *y = x * rstd * gamma;
        }
        rstd
    }

    pub(in crate::kernels) fn backward(
        x: FlexTensor,
        gamma: FlexTensor,
        rstd: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let shape = x.layout().shape().clone();
        let (x, gamma, grad) = (contiguous(x), contiguous(gamma), contiguous(grad));
        let (rows, width) = rows_and_width(&x);
        let gamma = values(&gamma);
        let chunk = CHUNK_ROWS * width;
        let inputs = (
            values(&x).par_chunks(chunk),
            values(&grad).par_chunks(chunk),
            values(&rstd).par_chunks(CHUNK_ROWS),
        );
        let inputs = inputs.into_par_iter();
        let (dx, d_gamma) = in_chunks(rows * width, chunk, inputs, |(x, grad, rstd), dx| {
            let mut d_gamma = vec![0.0; width];
            let rows = dx
                .chunks_exact_mut(width)
                .zip(x.chunks_exact(width))
                .zip(grad.chunks_exact(width));
            for (((dx, x), grad), &rstd) in rows.zip(rstd) {
                vectorized(
                    #[inline(always)]
                    || backward_row([dx, &mut d_gamma], [x, gamma, grad], rstd),
                );
            }
            d_gamma
        });
        (
            from_vec(dx, shape),
            from_vec(add_in_order(d_gamma, width), Shape::new([width])),
        )
    }

    /// One row of `dx`; adds to the gradient by `gamma`.
    #[inline(always)]
    fn backward_row([dx, d_gamma]: [&mut [f32]; 2], [x, gamma, grad]: [&[f32]; 3], rstd: f32) {
        let along = sum_of(
            [grad, gamma, x],
            #[inline(always)]
            |[grad, gamma, x]| grad * gamma * x,
        );
        let along = along * rstd / x.len() as f32;
        for ((dx, d_gamma), ((x, gamma), grad)) in dx
            .iter_mut()
            .zip(d_gamma)
            .zip(x.iter().zip(gamma).zip(grad))
        {
            let normed = x * rstd;
            *d_gamma += grad * normed;
            *dx = (grad * gamma - normed * along) * rstd;
        }
    }
}

#[derive(Debug)]
struct RmsNormBackward;

impl<B: Kernels> Backward<B, 2> for RmsNormBackward {
    type State = (NodeId, NodeId, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [x_node, gamma_node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (x, gamma, rstd) = ops.state;
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        let gamma: FloatTensor<B> = checkpointer.retrieve_node_output(gamma);
        let (dx, d_gamma) = B::rms_norm_backward(x, gamma, rstd, grad);
        if let Some(node) = x_node {
            grads.register::<B>(node.id, dx);
        }
        if let Some(node) = gamma_node {
            grads.register::<B>(node.id, d_gamma);
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    eps: f64,
) -> FloatTensor<Autodiff<B, C>> {
    match RmsNormBackward
        .prepare::<C>([x.node(), gamma.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let (x_id, gamma_id) = (prep.checkpoint(&x), prep.checkpoint(&gamma));
            let (y, rstd) = B::rms_norm_forward(x.into_primitive(), gamma.into_primitive(), eps);
            prep.finish((x_id, gamma_id, rstd), y)
        }
        OpsKind::UnTracked(prep) => {
            prep.finish(B::rms_norm_forward(x.into_primitive(), gamma.into_primitive(), eps).0)
        }
    }
}
