//! Activation functions, element by element, with their derivatives.
//!
//! Sources: Hendrycks, Gimpel 2016, "Gaussian Error Linear Units" (exact form and tanh form, section 2); Elfwing et al. 2018 (SiLU).

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch};
use burn::tensor::Tensor;

use super::{Kernels, Routed};
use crate::tape::{Operation, Tape, Value};

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    /// `x Φ(x)` with the normal distribution function.
    Gelu,
    /// `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x / (1 + e⁻ˣ)`, also called swish.
    Silu,
    /// `max(x, 0)`.
    Relu,
}

/// `√(2/π)` of the tanh form.
const TANH_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh form.
const TANH_CUBIC: f64 = 0.044715;

/// Applies the activation to every element.
pub fn activation<const D: usize>(x: Tensor<D>, kind: ActivationKind) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Routed>::activation(x.into_dispatch(), kind))
}

impl Tape {
    /// [`activation`].
    pub(crate) fn activation(&mut self, x: Value) -> Value {
        let operation = Operation {
            inputs: vec![x],
            keeps: vec![x],
            ..Operation::default()
        };
        self.push(operation, x.rows, x.width)
    }
}

pub(super) mod composed {
    use burn::backend::Backend;
    use burn::backend::tensor::FloatTensor;

    use super::{ActivationKind, TANH_CUBIC, TANH_SCALE};

    /// `tanh(√(2/π) (x + 0.044715 x³))`.
    fn inner_tanh<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        let cubic = B::float_mul_scalar(
            B::float_mul(B::float_mul(x.clone(), x.clone()), x.clone()),
            TANH_CUBIC.into(),
        );
        B::float_tanh(B::float_mul_scalar(
            B::float_add(x, cubic),
            TANH_SCALE.into(),
        ))
    }

    /// `Φ(x)`.
    fn normal_cdf<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        let erf = B::float_erf(B::float_mul_scalar(
            x,
            std::f64::consts::FRAC_1_SQRT_2.into(),
        ));
        B::float_mul_scalar(B::float_add_scalar(erf, 1.0.into()), 0.5.into())
    }

    /// `1 - x`.
    fn one_minus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_add_scalar(B::float_neg(x), 1.0.into())
    }

    pub(in crate::kernels) fn forward<B: Backend>(
        x: FloatTensor<B>,
        kind: ActivationKind,
    ) -> FloatTensor<B> {
        match kind {
            ActivationKind::Gelu => B::float_mul(x.clone(), normal_cdf::<B>(x)),
            ActivationKind::GeluTanh => {
                let half = B::float_mul_scalar(x.clone(), 0.5.into());
                B::float_mul(half, B::float_add_scalar(inner_tanh::<B>(x), 1.0.into()))
            }
            ActivationKind::Silu => B::float_mul(x.clone(), B::sigmoid(x)),
            ActivationKind::Relu => B::relu(x),
        }
    }

    pub(in crate::kernels) fn backward<B: Backend>(
        x: FloatTensor<B>,
        grad: FloatTensor<B>,
        kind: ActivationKind,
    ) -> FloatTensor<B> {
        let derivative = match kind {
            ActivationKind::Gelu => {
                let square = B::float_mul(x.clone(), x.clone());
                let bell = B::float_exp(B::float_mul_scalar(square, (-0.5).into()));
                let density =
                    B::float_mul_scalar(bell, (1.0 / std::f64::consts::TAU.sqrt()).into());
                B::float_add(normal_cdf::<B>(x.clone()), B::float_mul(x, density))
            }
            ActivationKind::GeluTanh => {
                let tanh = inner_tanh::<B>(x.clone());
                let square = B::float_mul(x.clone(), x.clone());
                let slope = B::float_mul_scalar(square, (3.0 * TANH_CUBIC * TANH_SCALE).into());
                let slope = B::float_add_scalar(slope, TANH_SCALE.into());
                let sech = one_minus::<B>(B::float_mul(tanh.clone(), tanh.clone()));
                let second = B::float_mul(B::float_mul(x, sech), slope);
                B::float_mul_scalar(
                    B::float_add(B::float_add_scalar(tanh, 1.0.into()), second),
                    0.5.into(),
                )
            }
            ActivationKind::Silu => {
                let sigmoid = B::sigmoid(x.clone());
                let rest = B::float_mul(x, one_minus::<B>(sigmoid.clone()));
                B::float_mul(sigmoid, B::float_add_scalar(rest, 1.0.into()))
            }
            ActivationKind::Relu => return B::relu_backward(B::relu(x), grad),
        };
        B::float_mul(grad, derivative)
    }
}

pub(crate) mod flex {
    use burn::backend::flex::FlexTensor;
    use rayon::prelude::*;

    use super::{ActivationKind, TANH_CUBIC, TANH_SCALE};
    use crate::kernels::exp::{exp, sigmoid, tanh};
    use crate::kernels::flex::{contiguous, from_vec, values};
    use crate::kernels::simd::vectorized;
    use crate::output::in_chunks;

    /// Elements that one thread takes at a time.
    pub(in crate::kernels) const CHUNK: usize = 4096;

    #[inline(always)]
    fn inner_tanh(x: f32) -> f32 {
        tanh(TANH_SCALE as f32 * (x + TANH_CUBIC as f32 * x * x * x))
    }

    fn normal_cdf(x: f32) -> f32 {
        0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
    }

    fn gelu(x: f32) -> f32 {
        x * normal_cdf(x)
    }

    #[inline(always)]
    fn gelu_tanh(x: f32) -> f32 {
        0.5 * x * (1.0 + inner_tanh(x))
    }

    #[inline(always)]
    pub(in crate::kernels) fn silu(x: f32) -> f32 {
        x * sigmoid(x)
    }

    #[inline(always)]
    pub(in crate::kernels) fn silu_derivative(x: f32) -> f32 {
        let sigmoid = sigmoid(x);
        sigmoid * (1.0 + x * (1.0 - sigmoid))
    }

    #[inline(always)]
    fn relu(x: f32) -> f32 {
        x.max(0.0)
    }

    /// `y = f(x)`.
    #[inline(always)]
    fn map_values(y: &mut [f32], x: &[f32], f: &impl Fn(f32) -> f32) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }

    /// `dx = grad · f'(x)`.
    #[inline(always)]
    fn chain(dx: &mut [f32], x: &[f32], grad: &[f32], derivative: &impl Fn(f32) -> f32) {
        for ((dx, &x), g) in dx.iter_mut().zip(x).zip(grad) {
            *dx = g * derivative(x);
        }
    }

    fn map(x: FlexTensor, f: impl Fn(f32) -> f32 + Sync) -> FlexTensor {
        let shape = x.layout().shape().clone();
        let x = contiguous(x);
        let inputs = values(&x).par_chunks(CHUNK);
        let (y, _) = in_chunks(shape.num_elements(), CHUNK, inputs, |x, y| {
            vectorized(
                #[inline(always)]
                || map_values(y, x, &f),
            );
        });
        from_vec(y, shape)
    }

    fn map_gradient(
        x: FlexTensor,
        grad: FlexTensor,
        derivative: impl Fn(f32) -> f32 + Sync,
    ) -> FlexTensor {
        let shape = x.layout().shape().clone();
        let (x, grad) = (contiguous(x), contiguous(grad));
        let inputs = values(&x).par_chunks(CHUNK);
        let inputs = inputs.zip(values(&grad).par_chunks(CHUNK));
        let (dx, _) = in_chunks(shape.num_elements(), CHUNK, inputs, |(x, grad), dx| {
            vectorized(
                #[inline(always)]
                || chain(dx, x, grad, &derivative),
            );
        });
        from_vec(dx, shape)
    }

    /// `x = f(x)`.
    #[inline(always)]
    fn change_values(x: &mut [f32], f: &impl Fn(f32) -> f32) {
        for x in x {
            *x = f(*x);
        }
    }

    fn change(x: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
        x.par_chunks_mut(CHUNK).for_each(|x| {
            vectorized(
                #[inline(always)]
                || change_values(x, &f),
            );
        });
    }

    pub(in crate::kernels) fn forward(x: FlexTensor, kind: ActivationKind) -> FlexTensor {
        match kind {
            ActivationKind::Gelu => map(x, gelu),
            ActivationKind::GeluTanh => map(x, gelu_tanh),
            ActivationKind::Silu => map(x, silu),
            ActivationKind::Relu => map(x, relu),
        }
    }

    /// [`forward`] of values where they are.
    pub(crate) fn in_place(x: &mut [f32], kind: ActivationKind) {
        match kind {
            ActivationKind::Gelu => change(x, gelu),
            ActivationKind::GeluTanh => change(x, gelu_tanh),
            ActivationKind::Silu => change(x, silu),
            ActivationKind::Relu => change(x, relu),
        }
    }

    pub(in crate::kernels) fn backward(
        x: FlexTensor,
        grad: FlexTensor,
        kind: ActivationKind,
    ) -> FlexTensor {
        match kind {
            ActivationKind::Gelu => {
                let height = (1.0 / std::f64::consts::TAU.sqrt()) as f32;
                map_gradient(x, grad, |x| normal_cdf(x) + x * height * exp(-0.5 * x * x))
            }
            ActivationKind::GeluTanh => {
                const SCALE: f32 = TANH_SCALE as f32;
                const CUBIC: f32 = TANH_CUBIC as f32;
                map_gradient(
                    x,
                    grad,
                    #[inline(always)]
                    |x| {
                        // The derivative is 0 or 1 far inside these bounds; beyond them the square could be infinite, times zero.
                        let x = x.clamp(-100.0, 100.0);
                        let tanh = inner_tanh(x);
                        0.5 * (1.0
                            + tanh
                            + x * (1.0 - tanh * tanh) * SCALE * (1.0 + 3.0 * CUBIC * x * x))
                    },
                )
            }
            ActivationKind::Silu => map_gradient(x, grad, silu_derivative),
            ActivationKind::Relu => map_gradient(
                x,
                grad,
                #[inline(always)]
                |x| if x > 0.0 { 1.0 } else { 0.0 },
            ),
        }
    }
}

#[derive(Debug)]
struct ActivationBackward;

impl<B: Kernels> Backward<B, 1> for ActivationBackward {
    type State = (NodeId, ActivationKind);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (x, kind) = ops.state;
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::activation_backward(x, grad, kind));
        }
    }
}

pub(super) fn routed<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    kind: ActivationKind,
) -> FloatTensor<Autodiff<B, C>> {
    match ActivationBackward
        .prepare::<C>([x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (prep.checkpoint(&x), kind);
            prep.finish(state, B::activation_forward(x.into_primitive(), kind))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::activation_forward(x.into_primitive(), kind)),
    }
}
