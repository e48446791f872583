//! The gate of SwiGLU, `silu(gate) * up`, in one pass forward and one backward.
//!
//! Source: Shazeer 2020, "GLU Variants Improve Transformer", equation 6.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Tape, Value};

/// `silu(gate) * up`, element by element.
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    let (gate, up) = (gate.into_dispatch(), up.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Routed>::swiglu(gate, up))
}

impl Tape {
    /// [`swiglu`].
    pub(crate) fn swiglu(&mut self, gate: Value, up: Value) -> Value {
        let operation = Operation {
            inputs: vec![gate, up],
            keeps: vec![gate, up],
            ..Operation::default()
        };
        self.push(operation, gate.rows, gate.width)
    }
}

pub(super) mod composed {
    use burn::backend::Backend;
    use burn::backend::tensor::FloatTensor;

    use crate::kernels::activation::{ActivationKind, composed};

    pub(in crate::kernels) fn forward<B: Backend>(
        gate: FloatTensor<B>,
        up: FloatTensor<B>,
    ) -> FloatTensor<B> {
        B::float_mul(composed::forward::<B>(gate, ActivationKind::Silu), up)
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        gate: FloatTensor<B>,
        up: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> (FloatTensor<B>, FloatTensor<B>) {
        let open = composed::forward::<B>(gate.clone(), ActivationKind::Silu);
        let d_open = B::float_mul(grad.clone(), up);
        (
            composed::backward::<B>(gate, d_open, ActivationKind::Silu),
            B::float_mul(grad, open),
        )
    }
}

pub(crate) mod flex {
    use burn::backend::flex::FlexTensor;
    use rayon::prelude::*;

    use crate::kernels::activation::flex::{CHUNK, silu, silu_derivative};
    use crate::kernels::flex::{contiguous, from_vec, values, values_mut};
    use crate::kernels::simd::vectorized;
    use crate::output::in_chunks;

    pub(in crate::kernels) fn forward(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        let shape = gate.layout().shape().clone();
        let (gate, up) = (contiguous(gate), contiguous(up));
        let inputs = values(&gate).par_chunks(CHUNK);
        let inputs = inputs.zip(values(&up).par_chunks(CHUNK));
        let (y, _) = in_chunks(shape.num_elements(), CHUNK, inputs, |(gate, up), y| {
            y.copy_from_slice(up);
            vectorized(
                #[inline(always)]
                || open(y, gate),
            );
        });
        from_vec(y, shape)
    }

    /// `up = silu(gate) * up`.
    pub(crate) fn in_place(gate: &[f32], up: &mut [f32]) {
        let chunks = up.par_chunks_mut(CHUNK).zip(gate.par_chunks(CHUNK));
        chunks.for_each(|(up, gate)| {
            vectorized(
                #[inline(always)]
                || open(up, gate),
            );
        });
    }

    #[inline(always)]
    fn open(up: &mut [f32], gate: &[f32]) {
        for (up, &gate) in up.iter_mut().zip(gate) {
            *up *= silu(gate);
        }
    }

    pub(in crate::kernels) fn backward(
        gate: FlexTensor,
        up: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let shape = gate.layout().shape().clone();
        let (gate, up, mut grad) = (contiguous(gate), contiguous(up), contiguous(grad));
        // The gradient by `up` takes the place of `grad`, which no one else holds as a rule.
        let inputs = (
            values(&gate).par_chunks(CHUNK),
            values(&up).par_chunks(CHUNK),
            values_mut::<f32>(&mut grad).par_chunks_mut(CHUNK),
        );
        let inputs = inputs.into_par_iter();
        let (d_gate, _) = in_chunks(
            shape.num_elements(),
            CHUNK,
            inputs,
            |(gate, up, grad), d_gate| {
                vectorized(
                    #[inline(always)]
                    || chain(d_gate, gate, up, grad),
                );
            },
        );
        (from_vec(d_gate, shape), grad)
    }

    /// `grad` becomes the gradient by `up`.
    #[inline(always)]
    fn chain(d_gate: &mut [f32], gate: &[f32], up: &[f32], grad: &mut [f32]) {
        let inputs = gate.iter().zip(up);
        for ((d_gate, grad), (&gate, up)) in d_gate.iter_mut().zip(grad).zip(inputs) {
            *d_gate = *grad * up * silu_derivative(gate);
            *grad *= silu(gate);
        }
    }
}

#[derive(Debug)]
struct SwiGluBackward;

impl<B: Kernels> Backward<B, 2> for SwiGluBackward {
    type State = [NodeId; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let parents = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let [gate, up] = ops
            .state
            .map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let (d_gate, d_up) = B::swiglu_backward(gate, up, grad);
        for (node, gradient) in parents.into_iter().zip([d_gate, d_up]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    gate: FloatTensor<Autodiff<B, C>>,
    up: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    match SwiGluBackward
        .prepare::<C>([gate.node(), up.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = [&gate, &up].map(|x| prep.checkpoint(x));
            let y = B::swiglu_forward(gate.into_primitive(), up.into_primitive());
            prep.finish(state, y)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::swiglu_forward(
            gate.into_primitive(),
            up.into_primitive(),
        )),
    }
}
