//! Products of a few rows with large matrices, as decoding has them: bound by reading the matrices, which are read once.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows up to which this is the way; above them the `gemm` crate, which packs the matrix first, is quicker.
pub(crate) const MOST_ROWS: usize = 32;

/// Rows of `x` at a time: more would read `x` more slowly than the matrix comes from memory.
const BLOCK: usize = 4;

/// Rows of a matrix in one unit of parallel work.
const CHUNK: usize = 64;

/// Products and sums below which one thread does all.
const PARALLEL_FROM: usize = 1 << 15;

/// `y = x · wᵀ + bias` with an `x` that several products share.
pub(crate) struct Product<'a> {
    /// `[d_out, d_in]`.
    pub(crate) w: &'a [f32],
    /// `[d_out]`.
    pub(crate) bias: Option<&'a [f32]>,
    /// `[rows, d_out]`, overwritten.
    pub(crate) y: &'a mut [f32],
}

/// Computes `products` of `x [rows, d_in]`, at most [`MOST_ROWS`] rows, as one piece of parallel work.
///
/// The bits of a row depend neither on the rows beside it nor on the number of threads.
pub(crate) fn few_rows<'a>(
    x: &[f32],
    rows: usize,
    products: impl IntoIterator<Item = Product<'a>>,
) {
    assert!(!x.is_empty() && x.len().is_multiple_of(rows));
    let d_in = x.len() / rows;
    let mut tasks = Vec::new();
    let mut work = 0;
    for Product { w, bias, y } in products {
        work += rows * w.len();
        let d_out = w.len() / d_in;
        let y = y.chunks_exact_mut(d_out.max(1)).take(rows);
        let mut y: Vec<_> = y.map(|y| y.chunks_mut(CHUNK)).collect();
        for (i, w) in w.chunks(CHUNK * d_in).enumerate() {
            tasks.push(Task {
                x,
                d_in,
                w,
                bias: bias.map(|bias| &bias[i * CHUNK..]),
                y: y.iter_mut().filter_map(Iterator::next).collect(),
            });
        }
    }
    let run = |task: Task<'_>| Arch::new().dispatch(task);
    if work < PARALLEL_FROM {
        tasks.into_iter().for_each(run);
    } else {
        tasks.into_par_iter().for_each(run);
    }
}

/// Inner products of all rows of `x` with some rows of a matrix, which stay in a near cache.
struct Task<'a> {
    x: &'a [f32],
    d_in: usize,
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    /// For each row of `x` the outputs of these rows of the matrix.
    y: Vec<&'a mut [f32]>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (w, bias) = (self.w, self.bias);
        let blocks = self.x.chunks(BLOCK * self.d_in);
        for (x, y) in blocks.zip(self.y.chunks_mut(BLOCK)) {
            match y.len() {
                1 => rows::<S, 1>(simd, x, w, bias, y),
                2 => rows::<S, 2>(simd, x, w, bias, y),
                3 => rows::<S, 3>(simd, x, w, bias, y),
                _ => rows::<S, BLOCK>(simd, x, w, bias, y),
            }
        }
    }
}

/// `R` rows of `x`, one row of the matrix after the other: one stream is read from memory faster than several side by side.
#[inline(always)]
fn rows<S: Simd, const R: usize>(
    simd: S,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [&mut [f32]],
) {
    let d_in = x.len() / R;
    let x: [&[f32]; R] = std::array::from_fn(|r| &x[r * d_in..][..d_in]);
    for (i, w) in w.chunks_exact(d_in).enumerate() {
        let [sums] = block(simd, x, [w]);
        let bias = bias.map_or(0.0, |bias| bias[i]);
        for (y, sum) in y.iter_mut().zip(sums) {
            y[i] = sum + bias;
        }
    }
}

/// All inner products of `R` vectors with `W` vectors.
#[inline(always)]
pub(super) fn block<S: Simd, const R: usize, const W: usize>(
    simd: S,
    x: [&[f32]; R],
    w: [&[f32]; W],
) -> [[f32; R]; W] {
    let mut sums = [[simd.splat_f32s(0.0); R]; W];
    let x = x.map(
        #[inline(always)]
        |x| S::as_simd_f32s(x),
    );
    let w = w.map(
        #[inline(always)]
        |w| S::as_simd_f32s(w),
    );
    let n = w[0].0.len();
    let (whole_x, whole_w) = (
        x.map(
            #[inline(always)]
            |(whole, _)| &whole[..n],
        ),
        w.map(
            #[inline(always)]
            |(whole, _)| &whole[..n],
        ),
    );
    for i in 0..n {
        for (sums, w) in sums.iter_mut().zip(whole_w) {
            for (sum, x) in sums.iter_mut().zip(whole_x) {
                *sum = simd.mul_add_e_f32s(w[i], x[i], *sum);
            }
        }
    }
    let mut totals = [[0.0; R]; W];
    for ((totals, sums), (_, w)) in totals.iter_mut().zip(sums).zip(w) {
        for ((total, sum), (_, x)) in totals.iter_mut().zip(sums).zip(x) {
            let tail: f32 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            *total = simd.reduce_sum_f32s(sum) + tail;
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_rows_and_sizes_that_fill_no_register() {
        for rows in (1..=9).chain([16, 19, MOST_ROWS]) {
            for (d_in, d_out) in [(1, 1), (5, 3), (16, 4), (37, 67), (64, 131)] {
                // Whole numbers: the order of their sum does not matter.
                let numbers = |n: usize, salt: usize| -> Vec<f32> {
                    (0..n)
                        .map(|i| ((i * 37 + salt) % 23) as f32 - 11.0)
                        .collect()
                };
                let (x, w) = (numbers(rows * d_in, 1), numbers(d_out * d_in, 2));
                let mut expected = Vec::new();
                for x in x.chunks(d_in) {
                    let dots = w
                        .chunks(d_in)
                        .map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum());
                    expected.extend::<Vec<f32>>(dots.collect());
                }
                let (bias, mut plain, mut shifted) = (
                    numbers(d_out, 3),
                    vec![f32::NAN; rows * d_out],
                    vec![f32::NAN; rows * d_out],
                );
                let products = [(None, &mut plain), (Some(&bias[..]), &mut shifted)];
                few_rows(
                    &x,
                    rows,
                    products.map(|(bias, y)| Product { w: &w, bias, y }),
                );
                assert_eq!(plain, expected, "{rows} × {d_in} × {d_out}");
                let expected = expected.chunks(d_out).flat_map(|y| y.iter().zip(&bias));
                let expected: Vec<f32> = expected.map(|(y, bias)| y + bias).collect();
                assert_eq!(shifted, expected, "{rows} × {d_in} × {d_out} with bias");
            }
        }
    }
}
