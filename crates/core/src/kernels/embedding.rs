//! Rows of a table by their ids, and a gradient that is added to where a tied head has left its own.
//!
//! With a vocabulary of fifty thousand the gradient of the table is as large as the rest of a small model's: a second one, and the sum of
//! both, would be the peak of a training step.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Dispatch, FloatDType, TensorMetadata};
use burn::tensor::{Int, Tensor};

use super::{Kernels, Routed};
use crate::tape::{Operation, Parameter, Tape, Value};

/// The rows of `table [n, width]` at `ids [rows]`, each below `n`: `[rows, width]`.
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Routed>::embedding(
        table.into_dispatch(),
        ids.into_dispatch(),
    ))
}

impl Tape {
    /// `rows` of [`embedding`], of `width` values.
    pub(crate) fn embedding(&mut self, table: Parameter, rows: u64, width: usize) -> Value {
        let operation = Operation {
            parameters: vec![table],
            ..Operation::default()
        };
        self.push(operation, rows, width as u64)
    }
}

pub(super) mod composed {
    use burn::backend::Backend;
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::tensor::IndexingUpdateOp;

    pub(in crate::kernels) fn backward<B: Backend>(
        total: FloatTensor<B>,
        ids: IntTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        B::float_select_assign(total, 0, ids, grad, IndexingUpdateOp::Add)
    }
}

pub(super) mod flex {
    use burn::backend::flex::FlexTensor;

    use crate::kernels::flex::{contiguous, ids, rows_and_width, values, values_mut};

    /// Adds the rows of `grad` to those of `total`, in the order of the rows.
    pub(in crate::kernels) fn backward(
        total: FlexTensor,
        indices: FlexTensor,
        grad: FlexTensor,
    ) -> FlexTensor {
        let (_, width) = rows_and_width(&grad);
        let grad = contiguous(grad);
        let mut total = contiguous(total);
        let buffer: &mut [f32] = values_mut(&mut total);
        for (id, row) in ids(&indices).into_iter().zip(values(&grad).chunks(width)) {
            let total = &mut buffer[id * width..][..width];
            total.iter_mut().zip(row).for_each(|(total, x)| *total += x);
        }
        total
    }
}

#[derive(Debug)]
struct EmbeddingBackward;

impl<B: Kernels> Backward<B, 1> for EmbeddingBackward {
    /// The table, to find the gradient that it has already, and the ids.
    type State = (FloatTensor<Autodiff<B>>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (table, ids) = ops.state;
        if let Some(node) = node {
            let total = grads.remove::<B>(&table).unwrap_or_else(|| {
                let dtype: FloatDType = grad.dtype().into();
                B::float_zeros(table.shape(), &grad.device(), dtype)
            });
            grads.register::<B>(node.id, B::lookup_backward(total, ids, grad));
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    table: FloatTensor<Autodiff<B, C>>,
    ids: IntTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match EmbeddingBackward
        .prepare::<C>([table.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let rows = B::lookup_forward(table.clone().into_primitive(), ids.clone());
            prep.finish((table, ids), rows)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::lookup_forward(table.into_primitive(), ids)),
    }
}
