//! Every kernel as a [`Call`]: sizes, the layout of the inputs and their values.
//!
//! In f32 a call takes the fused path of Flex, in f64 the composed one, on the same numbers.

use burn::prelude::*;
use burn::tensor::{DType, FloatDType};

use crate::gradient_check::normal;
use crate::kernels::*;
use crate::random::{RandomKey, Stream};

/// A kernel with its sizes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Linear {
        rows: usize,
        d_in: usize,
        d_out: usize,
        bias: bool,
    },
    RmsNorm {
        rows: usize,
        width: usize,
    },
    LayerNorm {
        rows: usize,
        width: usize,
    },
    CrossEntropy {
        rows: usize,
        vocab: usize,
        options: CrossEntropyOptions,
    },
    Attention {
        batch: usize,
        s: usize,
        t: usize,
        kv_heads: usize,
        group: usize,
        d: usize,
        causal: bool,
        window: Option<usize>,
        /// Tokens of a document, when documents are kept apart.
        document: Option<usize>,
        dropout: Option<f64>,
    },
    RotateHalf {
        batch: usize,
        angles: Angles,
        seq: usize,
        heads: usize,
        half: usize,
    },
    Activation {
        rows: usize,
        width: usize,
        kind: ActivationKind,
    },
    SwiGlu {
        rows: usize,
        width: usize,
    },
    AdamW {
        rows: usize,
        width: usize,
        step: u64,
    },
    SumOfSquares {
        rows: usize,
        width: usize,
    },
    Orthogonalize {
        rows: usize,
        width: usize,
    },
}

/// Whether all sequences of a batch are at the same positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Angles {
    Shared,
    OfEachSequence,
}

/// How an input lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum View {
    /// In a buffer of its own.
    Whole,
    /// In the middle of a buffer that is NaN elsewhere.
    Inside,
    /// With two axes exchanged, its output and therefore the gradient that comes back too.
    Swapped,
}

/// What the inputs hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// Normal numbers.
    Normal,
    /// Normal numbers times this.
    Scaled(f64),
    /// This everywhere.
    Same(f64),
    /// Zeros, ones, values of ±10⁴, ±10⁻⁴⁰ (denormal in f32) and normal numbers, side by side.
    Mixed,
}

/// One use of a kernel.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) kernel: Kernel,
    pub(super) view: View,
    pub(super) values: Values,
    pub(super) seed: u64,
}

impl Kernel {
    /// Number of values of each input.
    fn lengths(self) -> Vec<usize> {
        match self {
            Kernel::Linear {
                rows,
                d_in,
                d_out,
                bias,
            } => {
                let mut lengths = vec![rows * d_in, d_out * d_in];
                lengths.extend(bias.then_some(d_out));
                lengths
            }
            Kernel::RmsNorm { rows, width } => vec![rows * width, width],
            Kernel::LayerNorm { rows, width } => vec![rows * width, width, width],
            Kernel::CrossEntropy { rows, vocab, .. } => vec![rows * vocab],
            Kernel::Attention {
                batch,
                s,
                t,
                kv_heads,
                group,
                d,
                ..
            } => {
                let keys = batch * t * kv_heads * d;
                vec![batch * s * kv_heads * group * d, keys, keys]
            }
            Kernel::RotateHalf {
                batch,
                seq,
                heads,
                half,
                ..
            } => vec![batch * seq * heads * 2 * half],
            Kernel::AdamW { rows, width, .. } => vec![rows * width; 4],
            Kernel::SwiGlu { rows, width } => vec![rows * width; 2],
            Kernel::Activation { rows, width, .. }
            | Kernel::SumOfSquares { rows, width }
            | Kernel::Orthogonalize { rows, width } => vec![rows * width],
        }
    }

    /// Whether it is part of the graph of gradients.
    fn has_gradient(self) -> bool {
        !matches!(
            self,
            Kernel::AdamW { .. } | Kernel::SumOfSquares { .. } | Kernel::Orthogonalize { .. }
        )
    }

    /// How far a fused value may be from the composed one, relative to the largest value of its tensor or to 1 if that is larger.
    ///
    /// An f32 carries 6e-8; sums of a few hundred terms and the polynomial of `exp` cost about two digits more.
    pub(super) fn tolerance(self) -> f64 {
        match self {
            // Summed in f64.
            Kernel::SumOfSquares { .. } => 1e-12,
            // Five iterations, each of which multiplies what is small, rounding too, by 3.4.
            Kernel::Orthogonalize { .. } => 1e-4,
            _ => 1e-5,
        }
    }
}

/// As f32 has them: both precisions see the same numbers.
fn rounded(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    values.into_iter().map(|v| f64::from(v as f32)).collect()
}

impl Call {
    /// The inputs, each a flat vector.
    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let lengths = self.kernel.lengths();
        (0..)
            .zip(lengths)
            .map(|(which, len)| {
                let normal = normal(self.seed.wrapping_add(which), len);
                let values: Vec<f64> = match self.values {
                    Values::Normal => normal,
                    Values::Scaled(scale) => normal.iter().map(|v| v * scale).collect(),
                    Values::Same(value) => vec![value; len],
                    Values::Mixed => normal.iter().map(|&v| mixed(v)).collect(),
                };
                let values = values.into_iter().map(|v| self.suited(which, v));
                rounded(values)
            })
            .collect()
    }

    /// `value` as the kernel takes it for that input.
    fn suited(&self, which: u64, value: f64) -> f64 {
        match (self.kernel, self.values) {
            // The second moment is no negative number.
            (Kernel::AdamW { .. }, _) if which == 3 => value.abs(),
            // Into the curves on both sides, and not so near to zero that a finite difference would cross the kink of ReLU.
            (Kernel::Activation { .. }, Values::Normal) => 3.0 * value + 0.01 * value.signum(),
            _ => value,
        }
    }

    fn shaped<const D: usize>(&self, flat: &Tensor<1>, shape: [usize; D]) -> Tensor<D> {
        match self.view {
            View::Whole => flat.clone().reshape(shape),
            View::Inside => self.vector(flat).reshape(shape),
            View::Swapped => {
                let mut swapped = shape;
                swapped.swap(D / 2 - 1, D / 2);
                flat.clone().reshape(swapped).swap_dims(D / 2 - 1, D / 2)
            }
        }
    }

    fn vector(&self, flat: &Tensor<1>) -> Tensor<1> {
        if self.view != View::Inside {
            return flat.clone();
        }
        let len = flat.dims()[0];
        let edge = Tensor::full([3], f32::NAN, (&flat.device(), flat.dtype()));
        Tensor::cat(vec![edge.clone(), flat.clone(), edge], 0).slice(s![3..3 + len])
    }

    fn flat<const D: usize>(&self, y: Tensor<D>) -> Tensor<1> {
        let len = y.shape().num_elements();
        match self.view {
            View::Swapped if D > 1 => y.swap_dims(D / 2 - 1, D / 2).reshape([len]),
            _ => y.reshape([len]),
        }
    }

    /// The kernel on flat inputs, its output flat.
    fn apply(&self, x: &[Tensor<1>]) -> Tensor<1> {
        let (device, dtype) = (x[0].device(), x[0].dtype());
        match self.kernel {
            Kernel::Linear {
                rows, d_in, d_out, ..
            } => {
                let bias = x.get(2).map(|bias| self.vector(bias));
                let (x, weight) = (
                    self.shaped(&x[0], [rows, d_in]),
                    self.shaped(&x[1], [d_out, d_in]),
                );
                self.flat(linear(x, weight, bias))
            }
            Kernel::RmsNorm { rows, width } => {
                let gamma = self.vector(&x[1]);
                self.flat(rms_norm(
                    self.shaped(&x[0], [rows, width]),
                    gamma,
                    eps(width),
                ))
            }
            Kernel::LayerNorm { rows, width } => {
                let (gamma, beta) = (self.vector(&x[1]), self.vector(&x[2]));
                let x = self.shaped(&x[0], [rows, width]);
                self.flat(layer_norm(x, gamma, beta, eps(width)))
            }
            Kernel::CrossEntropy {
                rows,
                vocab,
                options,
            } => {
                let targets: Vec<i64> = (0..rows as u64)
                    .map(|row| (self.seed.wrapping_add(row * 7) % vocab as u64) as i64)
                    .collect();
                let targets = Tensor::from_data(TensorData::new(targets, [rows]), &device);
                cross_entropy(self.shaped(&x[0], [rows, vocab]), targets, options)
            }
            Kernel::Attention {
                batch,
                s,
                t,
                kv_heads,
                group,
                d,
                causal,
                window,
                document,
                dropout,
            } => {
                // The borders of each sequence lie elsewhere.
                let first_of = |sequence: usize, length: usize| {
                    (t - s..t).map(move |key| key.saturating_sub((key + sequence) % length) as u32)
                };
                let options = AttentionOptions {
                    scale: 1.0 / (d as f64).sqrt(),
                    causal,
                    window,
                    first_keys: document.map(|length| {
                        let sequences = 0..batch;
                        sequences.flat_map(|b| first_of(b, length)).collect()
                    }),
                    dropout: dropout.map(|p| {
                        let key = RandomKey::new(self.seed, Stream::Dropout);
                        DropoutMask::new(key, p)
                    }),
                };
                let q = self.shaped(&x[0], [batch, s, kv_heads * group, d]);
                let [k, v] = [1, 2].map(|i| self.shaped(&x[i], [batch, t, kv_heads, d]));
                self.flat(attention(q, k, v, options))
            }
            Kernel::RotateHalf {
                batch,
                angles,
                seq,
                heads,
                half,
            } => {
                let shape = [if angles == Angles::Shared { 1 } else { batch }, seq, half];
                let table = |function: fn(f64) -> f64| {
                    let angles = normal(self.seed.wrapping_add(50), shape.iter().product());
                    let values = rounded(angles.into_iter().map(function));
                    Tensor::<3>::from_data(TensorData::new(values, shape), (&device, dtype))
                };
                let x = self.shaped(&x[0], [batch, seq, heads, 2 * half]);
                self.flat(rotate_half(x, table(f64::cos), table(f64::sin)))
            }
            Kernel::Activation { rows, width, kind } => {
                self.flat(activation(self.shaped(&x[0], [rows, width]), kind))
            }
            Kernel::SwiGlu { rows, width } => {
                let [gate, up] = [0, 1].map(|i| self.shaped(&x[i], [rows, width]));
                self.flat(swiglu(gate, up))
            }
            Kernel::AdamW { rows, width, step } => {
                let [p, g, m, v] = [0, 1, 2, 3].map(|i| self.shaped(&x[i], [rows, width]));
                let step = AdamWStep {
                    learning_rate: 0.01,
                    betas: [0.9, 0.99],
                    eps: 1e-8,
                    weight_decay: 0.1,
                    step,
                    gradient_scale: 0.5,
                };
                let (p, [m, v]) = adamw(p, g, [m, v], &step);
                Tensor::cat([p, m, v].map(|x| self.flat(x)).to_vec(), 0)
            }
            Kernel::SumOfSquares { rows, width } => {
                let sum = sum_of_squares(self.shaped(&x[0], [rows, width]));
                Tensor::from_data(TensorData::from([sum]), (&device, DType::F64))
            }
            Kernel::Orthogonalize { rows, width } => {
                self.flat(orthogonalize(self.shaped(&x[0], [rows, width])))
            }
        }
    }

    /// The factors of the output's values in the sum whose gradients are taken.
    pub(super) fn upstream(&self, len: usize) -> Vec<f64> {
        rounded(normal(self.seed.wrapping_add(99), len))
    }

    /// The output, and the gradients by all inputs of the sum of its values times [`Call::upstream`].
    pub(super) fn run(&self, inputs: &[Vec<f64>], dtype: DType) -> Vec<Vec<f64>> {
        if !self.kernel.has_gradient() {
            return vec![self.output(inputs, dtype)];
        }
        let device = Device::flex().autodiff();
        let inputs: Vec<Tensor<1>> = inputs
            .iter()
            .map(|x| tensor(x, &device, dtype).require_grad())
            .collect();
        let y = self.apply(&inputs);
        let upstream = tensor(&self.upstream(y.dims()[0]), &device, dtype);
        let gradients = (y.clone() * upstream).sum().backward();
        let gradient = |x: &Tensor<1>| values(x.grad(&gradients).expect("every input is used"));
        std::iter::once(values(y.inner()))
            .chain(inputs.iter().map(gradient))
            .collect()
    }

    /// The output alone, computed as without training.
    pub(super) fn output(&self, inputs: &[Vec<f64>], dtype: DType) -> Vec<f64> {
        let device = Device::flex();
        let inputs: Vec<Tensor<1>> = inputs.iter().map(|x| tensor(x, &device, dtype)).collect();
        values(self.apply(&inputs))
    }

    /// The derivative of the sum whose gradients are taken, along `directions`, by a central difference of the composed form.
    pub(super) fn slope(&self, inputs: &[Vec<f64>], directions: &[Vec<f64>]) -> f64 {
        const STEP: f64 = 1e-5;
        let moved = |by: f64| {
            let inputs: Vec<Vec<f64>> = inputs
                .iter()
                .zip(directions)
                .map(|(x, d)| x.iter().zip(d).map(|(x, d)| x + by * d).collect())
                .collect();
            let y = self.output(&inputs, DType::F64);
            let upstream = self.upstream(y.len());
            y.iter().zip(upstream).map(|(y, w)| y * w).sum::<f64>()
        };
        if self.kernel.has_gradient() {
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        } else {
            0.0
        }
    }
}

/// Small enough to matter nowhere but in narrow rows, whose values may be as good as equal and amplify rounding.
fn eps(width: usize) -> f64 {
    if width < 15 { 0.1 } else { 1e-5 }
}

/// A normal number to itself or to one of the edges.
fn mixed(normal: f64) -> f64 {
    const EDGES: [f64; 8] = [0.0, -0.0, 1.0, -1.0, 1e4, -1e4, 1e-40, -1e-40];
    // The digits behind the first three have nothing to do with the size.
    match (normal.abs() * 1e6) as usize % 12 {
        edge @ 0..8 => EDGES[edge],
        _ => normal,
    }
}

fn tensor(values: &[f64], device: &Device, dtype: DType) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (device, dtype))
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor
        .cast(FloatDType::F64)
        .into_data()
        .try_to_vec()
        .expect("f64")
}
