//! `y = x · Wᵀ + b` with the weight stored as rows of outputs, as Hugging Face's `Linear` and GGUF store it.
//!
//! The gradient by the weight comes out in the weight's own layout, so that optimizers pass over both in memory order.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Parameter, Tape, Value};

/// `x · weightᵀ + bias` for every row of `x`.
///
/// # Shapes
/// - `x`: `[rows, d_in]`
/// - `weight`: `[d_out, d_in]`
/// - `bias`: `[d_out]`
/// - output: `[rows, d_out]`
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as Routed>::linear_with_bias(x, weight, bias.into_dispatch()),
        None => <Dispatch as Routed>::linear(x, weight),
    })
}

impl Tape {
    /// [`linear`] with a weight `[d_out, x.width]`, and a bias or none.
    pub(crate) fn linear(&mut self, x: Value, d_out: usize, parameters: &[Parameter]) -> Value {
        let d_out = d_out as u64;
        let operation = Operation {
            inputs: vec![x],
            parameters: parameters.to_vec(),
            keeps: vec![x],
            flops: x.len().saturating_mul(2 * d_out),
            ..Operation::default()
        };
        self.push(operation, x.rows, d_out)
    }
}

pub(super) mod composed {
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Backend, TensorMetadata};
    use burn::tensor::Shape;

    pub(in crate::kernels) fn forward<B: Backend>(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        let y = B::float_matmul(x, B::float_transpose(weight));
        match bias {
            Some(bias) => {
                let d_out = bias.shape()[0];
                B::float_add(y, B::float_reshape(bias, Shape::new([1, d_out])))
            }
            None => y,
        }
    }

    pub(in crate::kernels) fn backward_x<B: Backend>(
        weight: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        B::float_matmul(grad, weight)
    }

    pub(in crate::kernels) fn backward_weight<B: Backend>(
        x: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        B::float_matmul(B::float_transpose(grad), x)
    }

    pub(in crate::kernels) fn backward_bias<B: Backend>(grad: FloatTensor<B>) -> FloatTensor<B> {
        let d_out = grad.shape()[1];
        B::float_reshape(B::float_sum_dim(grad, 0), Shape::new([d_out]))
    }
}

pub(super) mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::Shape;
    use rayon::prelude::*;

    use crate::kernels::flex::{add_in_order, contiguous, from_vec, rows_and_width, values};
    use crate::kernels::matmul::{Matrix, Onto, product};
    use crate::kernels::matvec::{MOST_ROWS, Product, few_rows};
    use crate::kernels::simd::vectorized;

    /// Rows summed by one thread before the partial sums are added in order.
    const BIAS_CHUNK: usize = 128;

    pub(in crate::kernels) fn forward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
    ) -> FlexTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        let ((rows, d_in), (d_out, _)) = (rows_and_width(&x), rows_and_width(&weight));
        let bias = bias.map(contiguous);
        if (1..=MOST_ROWS).contains(&rows) && d_in > 0 {
            let mut y = vec![0.0; rows * d_out];
            let product = Product {
                w: values(&weight),
                bias: bias.as_ref().map(values),
                y: &mut y,
            };
            few_rows(values(&x), rows, [product]);
            return from_vec(y, Shape::new([rows, d_out]));
        }
        let w = Matrix::rows(values(&weight), d_out, d_in).transposed();
        let bias = Onto::from(bias.as_ref().map(values));
        let y = product(Matrix::rows(values(&x), rows, d_in), w, bias);
        from_vec(y, Shape::new([rows, d_out]))
    }

    pub(in crate::kernels) fn backward_x(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (weight, grad) = (contiguous(weight), contiguous(grad));
        let ((d_out, d_in), (rows, _)) = (rows_and_width(&weight), rows_and_width(&grad));
        let dy = Matrix::rows(values(&grad), rows, d_out);
        let w = Matrix::rows(values(&weight), d_out, d_in);
        let dx = product(dy, w, Onto::Zero);
        from_vec(dx, Shape::new([rows, d_in]))
    }

    pub(in crate::kernels) fn backward_weight(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        let (x, grad) = (contiguous(x), contiguous(grad));
        let ((rows, d_in), (_, d_out)) = (rows_and_width(&x), rows_and_width(&grad));
        let dy = Matrix::rows(values(&grad), rows, d_out).transposed();
        let dw = product(dy, Matrix::rows(values(&x), rows, d_in), Onto::Zero);
        from_vec(dw, Shape::new([d_out, d_in]))
    }

    pub(in crate::kernels) fn backward_bias(grad: FlexTensor) -> FlexTensor {
        let grad = contiguous(grad);
        let (_, d_out) = rows_and_width(&grad);
        let parts = values(&grad)
            .par_chunks(BIAS_CHUNK * d_out)
            .map(|rows| {
                let mut sum = vec![0.0; d_out];
                vectorized(
                    #[inline(always)]
                    || add_rows(&mut sum, rows),
                );
                sum
            })
            .collect();
        from_vec(add_in_order(parts, d_out), Shape::new([d_out]))
    }

    #[inline(always)]
    fn add_rows(sum: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sum.len()) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

#[derive(Debug)]
struct LinearBackward;

/// `x` and `weight`, to be fetched from the checkpointer.
type State = (NodeId, NodeId);

/// The three gradients, each only where its node wants one.
fn register<B: Kernels>(
    state: State,
    grad: FloatTensor<B>,
    nodes: [Option<NodeId>; 3],
    grads: &mut Gradients,
    checkpointer: &mut Checkpointer,
) {
    let [x_node, weight_node, bias_node] = nodes;
    if let Some(node) = bias_node {
        grads.register::<B>(node, B::linear_backward_bias(grad.clone()));
    }
    let x: FloatTensor<B> = checkpointer.retrieve_node_output(state.0);
    let weight: FloatTensor<B> = checkpointer.retrieve_node_output(state.1);
    if let Some(node) = weight_node {
        grads.register::<B>(node, B::linear_backward_weight(x, grad.clone()));
    }
    if let Some(node) = x_node {
        grads.register::<B>(node, B::linear_backward_x(weight, grad));
    }
}

impl<B: Kernels> Backward<B, 2> for LinearBackward {
    type State = State;
    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight] = ops.parents.map(|parent| parent.map(|node| node.id));
        register::<B>(ops.state, grad, [x, weight, None], grads, checkpointer);
    }
}

impl<B: Kernels> Backward<B, 3> for LinearBackward {
    type State = State;
    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|parent| parent.map(|node| node.id));
        register::<B>(ops.state, grad, nodes, grads, checkpointer);
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    macro_rules! record {
        ($nodes:expr, $bias:expr) => {
            match LinearBackward
                .prepare::<C>($nodes)
                .compute_bound()
                .stateful()
            {
                OpsKind::Tracked(mut prep) => {
                    let state = (prep.checkpoint(&x), prep.checkpoint(&weight));
                    prep.finish(
                        state,
                        B::linear_forward(x.into_primitive(), weight.into_primitive(), $bias),
                    )
                }
                OpsKind::UnTracked(prep) => prep.finish(B::linear_forward(
                    x.into_primitive(),
                    weight.into_primitive(),
                    $bias,
                )),
            }
        };
    }
    match bias {
        Some(bias) => record!(
            [x.node(), weight.node(), bias.node()],
            Some(bias.into_primitive())
        ),
        None => record!([x.node(), weight.node()], None),
    }
}
