//! The Flex implementations together, and what they share: slices of tensors, chunks of fixed size.
//!
//! Work is cut into chunks of [`CHUNK_ROWS`] rows whatever the number of threads, and partial sums are added in the order of the chunks,
//! so results have the same bits on any number of threads.

use burn::backend::Flex;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Element, Shape};
use bytemuck::Pod;

use super::{
    ActivationKind, AttentionOptions, CrossEntropyOptions, Kernels, activation, attention,
    cross_entropy, embedding, layer_norm, linear, rms_norm, rope, swiglu,
};

/// Rows in one unit of parallel work.
pub(super) const CHUNK_ROWS: usize = 16;

/// A contiguous f32 tensor of `values`.
pub(super) fn from_vec(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}

/// The tensor itself when it is contiguous, else a copy.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    // `to_contiguous` takes a reference and would add an owner of the buffer, and with it a copy on the next write.
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The values of a contiguous f32 tensor.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .expect("made contiguous and checked to be f32")
}

/// The values of a contiguous tensor, to be written: copied first when someone else holds them too.
pub(super) fn values_mut<E: Element + Pod>(tensor: &mut FlexTensor) -> &mut [E] {
    // A view into a larger buffer is not all of it.
    let (start, end) = tensor
        .layout()
        .contiguous_offsets()
        .expect("made contiguous");
    &mut tensor.storage_mut::<E>()[start..end]
}

/// Whether the fast paths apply: they are for f32 alone.
pub(super) fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|t| t.dtype() == DType::F32)
}

/// The ids of an integer tensor.
pub(super) fn ids(targets: &FlexTensor) -> Vec<usize> {
    let targets = targets.to_contiguous();
    match targets.dtype() {
        DType::I64 => targets
            .as_slice::<i64>()
            .expect("contiguous")
            .iter()
            .map(|&i| i as usize)
            .collect(),
        DType::I32 => targets
            .as_slice::<i32>()
            .expect("contiguous")
            .iter()
            .map(|&i| i as usize)
            .collect(),
        DType::U32 => targets
            .as_slice::<u32>()
            .expect("contiguous")
            .iter()
            .map(|&i| i as usize)
            .collect(),
        other => panic!("ids of type {other:?}; use a 32 or 64 bit integer"),
    }
}

/// Product of all axes but the last, and the last.
pub(crate) fn rows_and_width(tensor: &FlexTensor) -> (usize, usize) {
    let shape = tensor.layout().shape();
    let width = shape[shape.num_dims() - 1];
    (shape.num_elements() / width.max(1), width)
}

/// Sums vectors of one length in the order given.
pub(super) fn add_in_order(parts: Vec<Vec<f32>>, width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    total
}

impl Kernels for Flex {
    fn linear_forward(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        if !all_f32(&[&x, &weight]) {
            return linear::composed::forward::<Self>(x, weight, bias);
        }
        linear::flex::forward(x, weight, bias)
    }

    fn linear_backward_x(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&weight, &grad]) {
            return linear::composed::backward_x::<Self>(weight, grad);
        }
        linear::flex::backward_x(weight, grad)
    }

    fn linear_backward_weight(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&x, &grad]) {
            return linear::composed::backward_weight::<Self>(x, grad);
        }
        linear::flex::backward_weight(x, grad)
    }

    fn linear_backward_bias(grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&grad]) {
            return linear::composed::backward_bias::<Self>(grad);
        }
        linear::flex::backward_bias(grad)
    }

    fn rms_norm_forward(x: FlexTensor, gamma: FlexTensor, eps: f64) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &gamma]) {
            return rms_norm::composed::forward::<Self>(x, gamma, eps);
        }
        rms_norm::flex::forward(x, gamma, eps)
    }

    fn rms_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        rstd: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &gamma, &grad]) {
            return rms_norm::composed::backward::<Self>(x, gamma, rstd, grad);
        }
        rms_norm::flex::backward(x, gamma, rstd, grad)
    }

    fn layer_norm_forward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        eps: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &gamma, &beta]) {
            return layer_norm::composed::forward::<Self>(x, gamma, beta, eps);
        }
        layer_norm::flex::forward(x, gamma, beta, eps)
    }

    fn layer_norm_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        mean: FlexTensor,
        rstd: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !all_f32(&[&x, &gamma, &grad]) {
            return layer_norm::composed::backward::<Self>(x, gamma, mean, rstd, grad);
        }
        layer_norm::flex::backward(x, gamma, mean, rstd, grad)
    }

    fn cross_entropy_forward(
        logits: FlexTensor,
        targets: FlexTensor,
        options: CrossEntropyOptions,
        want_gradient: bool,
    ) -> (FlexTensor, Option<FlexTensor>) {
        if !all_f32(&[&logits]) {
            return cross_entropy::composed::forward::<Self>(
                logits,
                targets,
                options,
                want_gradient,
            );
        }
        cross_entropy::flex::forward(logits, targets, options, want_gradient)
    }

    fn cross_entropy_backward(gradient: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&gradient, &grad]) {
            return cross_entropy::composed::backward::<Self>(gradient, grad);
        }
        cross_entropy::flex::backward(gradient, grad)
    }

    fn attention_forward(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        options: AttentionOptions,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&q, &k, &v]) {
            return attention::composed::forward::<Self>(q, k, v, options);
        }
        attention::flex::forward(q, k, v, options)
    }

    fn attention_backward(
        qkv: [FlexTensor; 3],
        out: FlexTensor,
        log_sums: FlexTensor,
        grad: FlexTensor,
        options: AttentionOptions,
    ) -> [FlexTensor; 3] {
        if !all_f32(&[&qkv[0], &grad]) {
            return attention::composed::backward::<Self>(qkv, out, grad, options);
        }
        attention::flex::backward(qkv, out, log_sums, grad, options)
    }

    fn rotate_half_forward(x: FlexTensor, cos: FlexTensor, sin: FlexTensor) -> FlexTensor {
        if !all_f32(&[&x, &cos, &sin]) {
            return rope::composed::forward::<Self>(x, cos, sin);
        }
        rope::flex::forward(x, cos, sin)
    }

    fn lookup_backward(total: FlexTensor, ids: FlexTensor, grad: FlexTensor) -> FlexTensor {
        if !all_f32(&[&total, &grad]) {
            return embedding::composed::backward::<Self>(total, ids, grad);
        }
        embedding::flex::backward(total, ids, grad)
    }

    fn activation_forward(x: FlexTensor, kind: ActivationKind) -> FlexTensor {
        if !all_f32(&[&x]) {
            return activation::composed::forward::<Self>(x, kind);
        }
        activation::flex::forward(x, kind)
    }

    fn activation_backward(x: FlexTensor, grad: FlexTensor, kind: ActivationKind) -> FlexTensor {
        if !all_f32(&[&x, &grad]) {
            return activation::composed::backward::<Self>(x, grad, kind);
        }
        activation::flex::backward(x, grad, kind)
    }

    fn swiglu_forward(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        if !all_f32(&[&gate, &up]) {
            return swiglu::composed::forward::<Self>(gate, up);
        }
        swiglu::flex::forward(gate, up)
    }

    fn swiglu_backward(
        gate: FlexTensor,
        up: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32(&[&gate, &up, &grad]) {
            return swiglu::composed::backward::<Self>(gate, up, grad);
        }
        swiglu::flex::backward(gate, up, grad)
    }
}
