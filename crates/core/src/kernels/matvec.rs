//! Products of a few rows with a large matrix, as decoding has them: bound by reading the matrix, which is read once.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows up to which this is the way; above them the `gemm` crate, which packs the matrix first, is quicker.
pub(super) const MOST_ROWS: usize = 8;

/// Rows of the matrix in one unit of parallel work.
const CHUNK: usize = 64;

/// `x · wᵀ`: `x [rows, d_in]`, `w [d_out, d_in]` → `[rows, d_out]`, for at most [`MOST_ROWS`] rows.
pub(super) fn few_rows(x: &[f32], rows: usize, w: &[f32], d_in: usize) -> Vec<f32> {
    assert!((1..=MOST_ROWS).contains(&rows) && x.len() == rows * d_in);
    if d_in == 0 {
        return Vec::new();
    }
    let d_out = w.len() / d_in;
    // Outputs of one row of the matrix side by side.
    let mut y = vec![0.0; d_out * rows];
    y.par_chunks_mut(CHUNK * rows)
        .zip(w.par_chunks(CHUNK * d_in))
        .for_each(|(y, w)| {
            let dots = Dots { x, w, d_in, y };
            match rows {
                1 => dots.run::<1, 4>(),
                2 => dots.run::<2, 4>(),
                3 => dots.run::<3, 4>(),
                4 => dots.run::<4, 4>(),
                5 => dots.run::<5, 2>(),
                6 => dots.run::<6, 2>(),
                7 => dots.run::<7, 2>(),
                _ => dots.run::<8, 2>(),
            }
        });
    if rows == 1 {
        return y;
    }
    (0..rows)
        .flat_map(|row| y[row..].iter().step_by(rows))
        .copied()
        .collect()
}

/// Inner products of all rows of `x` with some rows of the matrix, into `y [matrix rows, rows of x]`.
struct Dots<'a> {
    x: &'a [f32],
    w: &'a [f32],
    d_in: usize,
    y: &'a mut [f32],
}

impl Dots<'_> {
    /// With `R` rows of `x` and `W` rows of the matrix at a time.
    fn run<const R: usize, const W: usize>(self) {
        struct Run<'a, const R: usize, const W: usize>(Dots<'a>);

        impl<const R: usize, const W: usize> WithSimd for Run<'_, R, W> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Dots { x, w, d_in, y } = self.0;
                let x: [&[f32]; R] = std::array::from_fn(|r| &x[r * d_in..][..d_in]);
                let whole = w.len() / d_in / W * W;
                let (first, rest) = y.split_at_mut(whole * R);
                for (y, w) in first.chunks_exact_mut(W * R).zip(w.chunks_exact(W * d_in)) {
                    let w: [&[f32]; W] = std::array::from_fn(|i| &w[i * d_in..][..d_in]);
                    block(simd, x, w, y);
                }
                for (y, w) in rest
                    .chunks_exact_mut(R)
                    .zip(w[whole * d_in..].chunks_exact(d_in))
                {
                    block(simd, x, [w], y);
                }
            }
        }

        Arch::new().dispatch(Run::<R, W>(self));
    }
}

/// All inner products of `R` vectors with `W` vectors.
#[inline(always)]
fn block<S: Simd, const R: usize, const W: usize>(
    simd: S,
    x: [&[f32]; R],
    w: [&[f32]; W],
    y: &mut [f32],
) {
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
    for ((y, sums), (_, w)) in y.chunks_exact_mut(R).zip(sums).zip(w) {
        for ((y, sum), (_, x)) in y.iter_mut().zip(sums).zip(x) {
            let tail: f32 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            *y = simd.reduce_sum_f32s(sum) + tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_rows_and_sizes_that_fill_no_register() {
        for rows in 1..=MOST_ROWS {
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
                assert_eq!(
                    few_rows(&x, rows, &w, d_in),
                    expected,
                    "{rows} × {d_in} × {d_out}"
                );
            }
        }
    }
}
