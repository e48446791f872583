//! What the kernels are made of, on its own: matrix products against plain sums in f64, each value within the bound that rounding to
//! nearest allows, and `exp` on every kind of number.

use proptest::collection::vec;
use proptest::num::f32::{ANY, NORMAL, SUBNORMAL, ZERO};
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::for_all;
use crate::gradient_check::normal;
use crate::kernels::exp::exp;
use crate::kernels::matmul::{self, Matrix, Onto, multiply, multiply_here};
use crate::kernels::matvec::{self, MOST_ROWS, few_rows};
use crate::kernels::simd::vectorized;

/// A product of `m × k` and `k × n` values; rows lie `gap` values further apart than they are long.
#[derive(Clone, Debug)]
struct Product {
    m: usize,
    k: usize,
    n: usize,
    gap: usize,
    transposed: [bool; 2],
    scale: f32,
    seed: u64,
}

fn products(rows: impl Strategy<Value = usize>) -> impl Strategy<Value = Product> {
    let size = || {
        const EDGES: [usize; 12] = [1, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 67];
        prop_oneof![3 => select(&EDGES[..]), 1 => 1usize..=140]
    };
    let scale = select(&[1.0f32, 1e4, 1e15, 1e-18, 1e-40][..]);
    let transposed = [any::<bool>(), any::<bool>()];
    (
        rows,
        size(),
        size(),
        0usize..4,
        transposed,
        scale,
        0u64..1 << 32,
    )
        .prop_map(|(m, k, n, gap, transposed, scale, seed)| Product {
            m,
            k,
            n,
            gap,
            transposed,
            scale,
            seed,
        })
}

/// Numbers of a matrix of `rows` that begin `stride` values apart.
fn numbers(product: &Product, which: u64, rows: usize, stride: usize) -> Vec<f32> {
    normal(product.seed + which, rows * stride)
        .into_iter()
        .map(|v| v as f32 * product.scale)
        .collect()
}

/// Every value of `out` against the sum in f64, within `k + 2` roundings of the sum of the terms' sizes. Numbers below the normal ones
/// have no relative precision, and may be lost.
fn check(
    product: &Product,
    out: impl Fn(usize, usize) -> f32,
    terms: impl Fn(usize, usize) -> Vec<f64>,
) -> Result<(), TestCaseError> {
    for i in 0..product.m {
        for j in 0..product.n {
            let terms = terms(i, j);
            let (sum, size) = terms.iter().fold((0.0, 0.0), |(sum, size), term| {
                (sum + term, size + term.abs())
            });
            let roundings = terms.len() as f64 + 2.0;
            let allowed =
                roundings * (f64::from(f32::EPSILON) * size + f64::from(f32::MIN_POSITIVE));
            let off = (f64::from(out(i, j)) - sum).abs();
            prop_assert!(
                off <= allowed,
                "value {i}, {j} is {}, not {sum}: {off:e} off, more than {allowed:e}",
                out(i, j)
            );
        }
    }
    Ok(())
}

#[test]
fn products_of_any_layout_are_right_to_rounding() {
    let draws = (products(1usize..=67), any::<bool>());
    for_all(128, draws, |(product, add)| {
        let &Product { m, k, n, gap, .. } = product;
        let layout = |rows: usize, columns: usize, transposed: bool| {
            let (rows, columns) = if transposed {
                (columns, rows)
            } else {
                (rows, columns)
            };
            (rows, columns, columns + gap)
        };
        let (a_rows, a_columns, a_stride) = layout(m, k, product.transposed[0]);
        let (b_rows, b_columns, b_stride) = layout(k, n, product.transposed[1]);
        let (a, b) = (
            numbers(product, 0, a_rows, a_stride),
            numbers(product, 1, b_rows, b_stride),
        );
        let matrix = |values, rows, columns, stride, transposed| {
            let matrix = Matrix::strided(values, rows, columns, stride);
            if transposed {
                matrix.transposed()
            } else {
                matrix
            }
        };
        let left = matrix(&a, a_rows, a_columns, a_stride, product.transposed[0]);
        let right = matrix(&b, b_rows, b_columns, b_stride, product.transposed[1]);
        let at = |values: &[f32], i: usize, j: usize, stride: usize, transposed: bool| {
            f64::from(if transposed {
                values[j * stride + i]
            } else {
                values[i * stride + j]
            })
        };
        let before = numbers(product, 2, m, n + gap);
        let terms = |i: usize, j: usize| -> Vec<f64> {
            (0..k)
                .map(|c| {
                    at(&a, i, c, a_stride, product.transposed[0])
                        * at(&b, c, j, b_stride, product.transposed[1])
                })
                .chain(add.then(|| f64::from(before[i * (n + gap) + j])))
                .collect()
        };
        let mut out = before.clone();
        let onto = if *add { Onto::Out } else { Onto::Zero };
        multiply_here(left, right, onto, &mut out, n + gap);
        check(product, |i, j| out[i * (n + gap) + j], terms)?;
        let between = |out: &[f32]| -> Vec<u32> {
            let rest = out.chunks(n + gap).flat_map(|row| &row[n..]);
            rest.map(|v| v.to_bits()).collect()
        };
        prop_assert_eq!(
            between(&out),
            between(&before),
            "values between the rows changed"
        );

        let mut dense: Vec<f32> = before
            .chunks(n + gap)
            .flat_map(|row| row[..n].to_vec())
            .collect();
        multiply(left, right, onto, &mut dense);
        check(product, |i, j| dense[i * n + j], terms)?;

        let row = if *add {
            Onto::Row(&before[..n])
        } else {
            Onto::Zero
        };
        let fresh = matmul::product(left, right, row);
        check(
            product,
            |i, j| fresh[i * n + j],
            |i, j| {
                let mut terms = terms(i, j);
                if *add {
                    terms[k] = f64::from(before[j]);
                }
                terms
            },
        )
    });
}

#[test]
fn products_of_few_rows_are_right_to_rounding() {
    for_all(128, products(1usize..=MOST_ROWS), |product| {
        let &Product { m, k, n, .. } = product;
        let (x, w) = (numbers(product, 0, m, k), numbers(product, 1, n, k));
        let mut y = vec![f32::NAN; m * n];
        let few = matvec::Product {
            w: &w,
            bias: None,
            y: &mut y,
        };
        few_rows(&x, m, [few]);
        check(
            product,
            |i, j| y[i * n + j],
            |i, j| {
                let terms = x[i * k..][..k].iter().zip(&w[j * k..][..k]);
                terms.map(|(x, w)| f64::from(*x) * f64::from(*w)).collect()
            },
        )
    });
}

/// Relative error 2.5e-7 where the result is a normal number, and the same bits in vector code.
#[test]
fn exp_of_any_number_is_right_and_finite() {
    let number = prop_oneof![-90f32..90.0, NORMAL | SUBNORMAL | ZERO, ANY];
    for_all(512, vec(number, 1..70), |x| {
        let mut y = vec![0.0; x.len()];
        vectorized(
            #[inline(always)]
            || exp_of(x, &mut y),
        );
        for (&x, &y) in x.iter().zip(&y) {
            prop_assert_eq!(exp(x).to_bits(), y.to_bits(), "vector code, exp({})", x);
            prop_assert!(y.is_finite() != x.is_nan(), "exp({x}) is {y}");
            let exact = f64::from(x).exp();
            match x {
                -87.3..88.0 => prop_assert!(
                    (f64::from(y) - exact).abs() <= 2.5e-7 * exact,
                    "exp({x}) is {y}, not {exact}"
                ),
                ..-87.3 => prop_assert_eq!(y, 0.0, "exp({})", x),
                88.0.. => prop_assert!(y > 1.6e38, "exp({x}) is {y}"),
                _ => {}
            }
        }
        Ok(())
    });
}

#[inline(always)]
fn exp_of(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = exp(x);
    }
}
