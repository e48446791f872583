//! Weights outside of tensors, and products with them.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::module::Param;
use burn::prelude::*;
use burn::tensor::DType;

use crate::kernels::flex::{contiguous, rows_and_width, values};
use crate::kernels::matmul::{self, Matrix};
use crate::kernels::matvec::{MOST_ROWS, Product, few_rows};

/// The f32 values of a parameter, shared with the model.
#[derive(Clone, Debug)]
pub struct Weights(FlexTensor);

impl Weights {
    /// The values of `parameter`; `None` when they are not f32 on the CPU.
    pub fn of<const D: usize>(parameter: &Param<Tensor<D>>) -> Option<Self> {
        let tensor = parameter.val();
        if tensor.dtype() != DType::F32 {
            return None;
        }
        let tensor = tensor.try_into_primitive::<Flex>().ok()?;
        Some(Self(contiguous(tensor)))
    }

    /// The values of a bias, if there is one; `None` when they are not f32 on the CPU.
    pub fn of_bias(bias: Option<&Param<Tensor<1>>>) -> Option<Option<Self>> {
        bias.map_or(Some(None), |bias| Self::of(bias).map(Some))
    }

    /// Row after row.
    pub(super) fn values(&self) -> &[f32] {
        values(&self.0)
    }

    /// One row of a matrix.
    pub(super) fn row(&self, index: usize) -> &[f32] {
        let (_, width) = self.size();
        &self.values()[index * width..][..width]
    }

    /// Rows and width of a matrix.
    pub(super) fn size(&self) -> (usize, usize) {
        rows_and_width(&self.0)
    }
}

/// `y = x · Wᵀ + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[d_out, d_in]`.
    pub weight: Weights,
    /// `[d_out]`.
    pub bias: Option<Weights>,
}

impl Linear {
    /// Width of the output.
    pub fn d_out(&self) -> usize {
        self.weight.size().0
    }
}

/// Products of one `x [rows, d_in]`, into buffers that are made as large as the outputs, `[rows, d_out]` each.
pub(super) fn multiply<const N: usize>(
    x: &[f32],
    rows: usize,
    products: [(&Linear, &mut Vec<f32>); N],
) {
    let products = products.map(|(linear, y)| {
        y.resize(rows * linear.d_out(), 0.0);
        let (w, bias) = (linear.weight.values(), linear.bias.as_ref());
        let bias = bias.map(Weights::values);
        Product { w, bias, y }
    });
    if rows <= MOST_ROWS {
        return few_rows(x, rows, products);
    }
    let d_in = x.len() / rows;
    for Product { w, bias, y } in products {
        let d_out = w.len() / d_in;
        let w = Matrix::rows(w, d_out, d_in).transposed();
        matmul::multiply(Matrix::rows(x, rows, d_in), w, bias.into(), y);
    }
}
