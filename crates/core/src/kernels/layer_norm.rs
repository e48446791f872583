//! Layer norm: `y = (x - mean(x)) * rsqrt(var(x) + eps) * gamma + beta` over the last axis, with the biased variance.
//!
//! Source: Ba, Kiros, Hinton 2016, "Layer Normalization", equation 4.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Parameter, Tape, Value};

/// LayerNorm over the last axis of `x`, scaled by `gamma [width]` and shifted by `beta [width]`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Routed>::layer_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        eps,
    ))
}

impl Tape {
    /// [`layer_norm`], which keeps the mean and the reciprocal root of every row.
    pub(crate) fn layer_norm(&mut self, x: Value, parameters: &[Parameter]) -> Value {
        let operation = Operation {
            inputs: vec![x],
            parameters: parameters.to_vec(),
            keeps: vec![x],
            keeps_more: x.rows.saturating_mul(2),
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
        beta: FloatTensor<B>,
        eps: f64,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let shape = x.shape();
        let (rows, width) = super::super::flatten(&shape);
        let row = |t| B::float_reshape(t, Shape::new([1, width]));
        let x = B::float_reshape(x, Shape::new([rows, width]));
        let mean = B::float_mean_dim(x.clone(), 1);
        let centred = B::float_sub(x, mean.clone());
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
        let rstd = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, eps.into())));
        let normed = B::float_mul(centred, rstd.clone());
        let y = B::float_add(B::float_mul(normed, row(gamma)), row(beta));
        (B::float_reshape(y, shape), mean, rstd)
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        x: FloatTensor<B>,
        gamma: FloatTensor<B>,
        mean: FloatTensor<B>,
        rstd: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
        let shape = x.shape();
        let (rows, width) = super::super::flatten(&shape);
        let flat = |t| B::float_reshape(t, Shape::new([rows, width]));
        let vector = |t| B::float_reshape(t, Shape::new([width]));
        let normed = B::float_mul(B::float_sub(flat(x), mean), rstd.clone());
        let grad = flat(grad);
        let d_beta = B::float_sum_dim(grad.clone(), 0);
        let d_gamma = B::float_sum_dim(B::float_mul(grad.clone(), normed.clone()), 0);
        let scaled = B::float_mul(grad, B::float_reshape(gamma, Shape::new([1, width])));
        let average = B::float_mean_dim(scaled.clone(), 1);
        let along = B::float_mean_dim(B::float_mul(scaled.clone(), normed.clone()), 1);
        let dx = B::float_sub(B::float_sub(scaled, average), B::float_mul(normed, along));
        (
            B::float_reshape(B::float_mul(dx, rstd), shape),
            vector(d_gamma),
            vector(d_beta),
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
    use crate::kernels::simd::{dot, sum, sum_of, vectorized};
    use crate::output::in_chunks;

    pub(in crate::kernels) fn forward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        eps: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let shape = x.layout().shape().clone();
        let (x, gamma, beta) = (contiguous(x), contiguous(gamma), contiguous(beta));
        let (rows, width) = rows_and_width(&x);
        let (gamma, beta) = (values(&gamma), values(&beta));
        let chunk = CHUNK_ROWS * width;
        let inputs = values(&x).par_chunks(chunk);
        let (y, moments) = in_chunks(rows * width, chunk, inputs, |x, y| {
            let rows = y.chunks_exact_mut(width).zip(x.chunks_exact(width));
            rows.map(|(y, x)| {
                vectorized(
                    #[inline(always)]
                    || forward_row(y, x, gamma, beta, eps as f32),
                )
            })
            .collect::<Vec<_>>()
        });
        let (mean, rstd) = moments.into_iter().flatten().unzip();
        let column = |v| from_vec(v, Shape::new([rows, 1]));
        (from_vec(y, shape), column(mean), column(rstd))
    }

    /// One row of `y`; its mean and reciprocal root.
    #[inline(always)]
    pub(crate) fn forward_row(
        y: &mut [f32],
        x: &[f32],
        gamma: &[f32],
        beta: &[f32],
        eps: f32,
    ) -> (f32, f32) {
        let width = x.len() as f32;
        let mean = sum(x) / width;
        let squares = sum_of(
            [x],
            #[inline(always)]
            |[x]| (x - mean) * (x - mean),
        );
        let rstd = 1.0 / (squares / width + eps).sqrt();
        for ((y, x), (gamma, beta)) in y.iter_mut().zip(x).zip(gamma.iter().zip(beta)) {
            *y = (x - mean) * rstd * gamma + beta;
        }
        (mean, rstd)
    }

    pub(in crate::kernels) fn backward(
        x: FlexTensor,
        gamma: FlexTensor,
        mean: FlexTensor,
        rstd: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let shape = x.layout().shape().clone();
        let (x, gamma, grad) = (contiguous(x), contiguous(gamma), contiguous(grad));
        let (rows, width) = rows_and_width(&x);
        let gamma = values(&gamma);
        let chunk = CHUNK_ROWS * width;
        let inputs = (
            values(&x).par_chunks(chunk),
            values(&grad).par_chunks(chunk),
            values(&mean).par_chunks(CHUNK_ROWS),
            values(&rstd).par_chunks(CHUNK_ROWS),
        );
        let inputs = inputs.into_par_iter();
        let (dx, sums) = in_chunks(rows * width, chunk, inputs, |(x, grad, mean, rstd), dx| {
            // Gamma's gradient, then beta's.
            let mut sums = vec![0.0; 2 * width];
            let (d_gamma, d_beta) = sums.split_at_mut(width);
            let rows = dx
                .chunks_exact_mut(width)
                .zip(x.chunks_exact(width))
                .zip(grad.chunks_exact(width));
            for (((dx, x), grad), (&mean, &rstd)) in rows.zip(mean.iter().zip(rstd)) {
                vectorized(
                    #[inline(always)]
                    || backward_row([dx, d_gamma, d_beta], [x, gamma, grad], mean, rstd),
                );
            }
            sums
        });
        let mut d_gamma = add_in_order(sums, 2 * width);
        let d_beta = d_gamma.split_off(width);
        let vector = |v| from_vec(v, Shape::new([width]));
        (from_vec(dx, shape), vector(d_gamma), vector(d_beta))
    }

    /// One row of `dx`; adds to the gradients by `gamma` and `beta`.
    #[inline(always)]
    fn backward_row(
        [dx, d_gamma, d_beta]: [&mut [f32]; 3],
        [x, gamma, grad]: [&[f32]; 3],
        mean: f32,
        rstd: f32,
    ) {
        let width = x.len() as f32;
        let average = dot(grad, gamma) / width;
        let along = sum_of(
            [grad, gamma, x],
            #[inline(always)]
            |[grad, gamma, x]| grad * gamma * (x - mean),
        );
        let along = along * rstd / width;
        let sums = d_gamma.iter_mut().zip(d_beta);
        for ((dx, (d_gamma, d_beta)), ((x, gamma), grad)) in
            dx.iter_mut().zip(sums).zip(x.iter().zip(gamma).zip(grad))
        {
            let normed = (x - mean) * rstd;
            *d_gamma += grad * normed;
            *d_beta += grad;
            *dx = (grad * gamma - average - normed * along) * rstd;
        }
    }
}

#[derive(Debug)]
struct LayerNormBackward;

impl<B: Kernels> Backward<B, 3> for LayerNormBackward {
    type State = (NodeId, NodeId, FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let parents = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (x, gamma, mean, rstd) = ops.state;
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        let gamma: FloatTensor<B> = checkpointer.retrieve_node_output(gamma);
        let (dx, d_gamma, d_beta) = B::layer_norm_backward(x, gamma, mean, rstd, grad);
        for (node, gradient) in parents.into_iter().zip([dx, d_gamma, d_beta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    beta: FloatTensor<Autodiff<B, C>>,
    eps: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = [x.node(), gamma.node(), beta.node()];
    let beta = beta.into_primitive();
    match LayerNormBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let (x_id, gamma_id) = (prep.checkpoint(&x), prep.checkpoint(&gamma));
            let (y, mean, rstd) =
                B::layer_norm_forward(x.into_primitive(), gamma.into_primitive(), beta, eps);
            prep.finish((x_id, gamma_id, mean, rstd), y)
        }
        OpsKind::UnTracked(prep) => prep
            .finish(B::layer_norm_forward(x.into_primitive(), gamma.into_primitive(), beta, eps).0),
    }
}
