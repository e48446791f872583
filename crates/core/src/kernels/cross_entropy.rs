//! Cross-entropy of logits against target ids, without a second buffer of the logits' size.
//!
//! Forward overwrites the logits with `softmax - one_hot`, the gradient; backward scales it in place.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::{Int, Tensor};

use super::{Kernels, Routed};

/// Loss of every row in nats: `-ln softmax(logits)[target]`.
///
/// # Shapes
/// - `logits`: `[rows, vocab]`
/// - `targets`: `[rows]`, ids below `vocab`
/// - output: `[rows]`
///
/// # Panics
/// When a target is not below `vocab`, on Flex.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Routed>::cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

pub(super) mod composed {
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{Backend, FloatDType, TensorMetadata};
    use burn::tensor::{IndexingUpdateOp, Shape};

    pub(in crate::kernels) fn forward<B: Backend>(
        logits: FloatTensor<B>,
        targets: IntTensor<B>,
        want_gradient: bool,
    ) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let rows = logits.shape()[0];
        let targets = B::int_reshape(targets, Shape::new([rows, 1]));
        let shifted = B::float_sub(logits.clone(), B::float_max_dim(logits, 1));
        let log_sum = B::float_log(B::float_sum_dim(B::float_exp(shifted.clone()), 1));
        let log_softmax = B::float_sub(shifted, log_sum);
        let picked = B::float_gather(1, log_softmax.clone(), targets.clone());
        let loss = B::float_neg(B::float_reshape(picked, Shape::new([rows])));
        let gradient = want_gradient.then(|| {
            let softmax = B::float_exp(log_softmax);
            let dtype: FloatDType = softmax.dtype().into();
            let minus_one = B::float_neg(B::float_ones(
                Shape::new([rows, 1]),
                &softmax.device(),
                dtype,
            ));
            B::float_scatter(1, softmax, targets, minus_one, IndexingUpdateOp::Add)
        });
        (loss, gradient)
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        softmax_minus_one_hot: FloatTensor<B>,
        grad: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let rows = grad.shape()[0];
        B::float_mul(
            softmax_minus_one_hot,
            B::float_reshape(grad, Shape::new([rows, 1])),
        )
    }
}

pub(super) mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::Shape;
    use rayon::prelude::*;

    use crate::kernels::flex::{contiguous, from_vec, ids, rows_and_width, values};
    use crate::kernels::simd::vectorized;
    use crate::kernels::softmax::{log_sum_exp, softmax};

    pub(in crate::kernels) fn forward(
        logits: FlexTensor,
        targets: FlexTensor,
        want_gradient: bool,
    ) -> (FlexTensor, Option<FlexTensor>) {
        let (rows, vocab) = rows_and_width(&logits);
        let targets = ids(&targets);
        assert!(
            targets.iter().all(|&t| t < vocab),
            "a target id is not below the vocabulary size {vocab}"
        );
        let mut loss = vec![0.0; rows];
        let mut logits = contiguous(logits);
        if !want_gradient {
            let rows = values(&logits)
                .par_chunks_exact(vocab)
                .zip(&targets)
                .zip(&mut loss);
            rows.for_each(|((row, &target), loss)| {
                let (max, log_sum) = log_sum_exp(row);
                *loss = log_sum + (max - row[target]);
            });
            return (from_vec(loss, Shape::new([targets.len()])), None);
        }
        if logits.bytes().len() != rows * vocab * size_of::<f32>() {
            // A view into a larger buffer: give it a buffer of its own.
            logits = from_vec(values(&logits).to_vec(), Shape::new([rows, vocab]));
        }
        // Copies first when someone else still holds the logits.
        let buffer = logits.storage_mut::<f32>();
        buffer
            .par_chunks_exact_mut(vocab)
            .zip(&targets)
            .zip(&mut loss)
            .for_each(|((row, &target), loss)| {
                let logit = row[target];
                let (max, log_sum) = vectorized(
                    #[inline(always)]
                    || softmax(row, 1.0),
                );
                *loss = log_sum + (max - logit);
                row[target] -= 1.0;
            });
        (from_vec(loss, Shape::new([rows])), Some(logits))
    }

    pub(in crate::kernels) fn backward(
        softmax_minus_one_hot: FlexTensor,
        grad: FlexTensor,
    ) -> FlexTensor {
        let (_, vocab) = rows_and_width(&softmax_minus_one_hot);
        let grad = contiguous(grad);
        let mut gradient = contiguous(softmax_minus_one_hot);
        let rows = gradient
            .storage_mut::<f32>()
            .par_chunks_exact_mut(vocab)
            .zip(values(&grad));
        rows.for_each(|(row, grad)| row.iter_mut().for_each(|x| *x *= grad));
        gradient
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl<B: Kernels> Backward<B, 1> for CrossEntropyBackward {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::cross_entropy_backward(ops.state, grad));
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    // The parts leave the buffer with one owner, so that the kernel may write into it.
    let (logits, node) = logits.into_parts();
    match CrossEntropyBackward
        .prepare::<C>([node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let (loss, gradient) = B::cross_entropy_forward(logits, targets, true);
            prep.finish(gradient.expect("asked for"), loss)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::cross_entropy_forward(logits, targets, false).0),
    }
}
