//! Safe products of f32 matrices over the `gemm` crate, which picks AVX-512, AVX2 or NEON code at run time.

use gemm::Parallelism;

/// A borrowed matrix with any strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub(crate) fn rows(values: &'a [f32], n_rows: usize, n_columns: usize) -> Self {
        Self::strided(values, n_rows, n_columns, n_columns)
    }

    /// Rows that begin `row_stride` values apart.
    ///
    /// # Panics
    /// When `values` is too short.
    pub(crate) fn strided(
        values: &'a [f32],
        n_rows: usize,
        n_columns: usize,
        row_stride: usize,
    ) -> Self {
        let needed = if n_rows * n_columns == 0 {
            0
        } else {
            (n_rows - 1) * row_stride + n_columns
        };
        assert!(
            values.len() >= needed,
            "{} values for {n_rows} rows of {n_columns}, {row_stride} apart",
            values.len()
        );
        Self {
            values,
            n_rows,
            n_columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same values with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            values: self.values,
            n_rows: self.n_columns,
            n_columns: self.n_rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// `out = a · b`, or with `add` `out += a · b`, on all threads. `out` is `[a rows, b columns]`.
pub(crate) fn multiply_add(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], add: bool) {
    // Below this the split costs more than it brings.
    const PARALLEL_FROM: usize = 1 << 16;
    let n_columns = b.n_columns;
    let parallelism = if a.n_rows * a.n_columns * n_columns < PARALLEL_FROM {
        Parallelism::None
    } else {
        Parallelism::Rayon(0)
    };
    run(a, b, out, n_columns, add, parallelism);
}

/// [`multiply_add`] on the calling thread, into rows of `out` that begin `out_stride` values apart.
pub(super) fn multiply_add_here(
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    add: bool,
) {
    run(a, b, out, out_stride, add, Parallelism::None);
}

#[expect(
    unsafe_code,
    reason = "the gemm crate takes pointers; lengths are checked here and in `Matrix::strided`"
)]
fn run(
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    add: bool,
    parallelism: Parallelism,
) {
    assert_eq!(a.n_columns, b.n_rows, "inner sizes of a matrix product");
    let (m, n, k) = (a.n_rows, b.n_columns, a.n_columns);
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        n <= out_stride && out.len() >= (m - 1) * out_stride + n,
        "output of a matrix product is too short"
    );
    // SAFETY: every index that gemm forms is `row * row_stride + column * column_stride` below the lengths asserted for the three
    // slices; `out` is borrowed exclusively and its rows do not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
        let at =
            |m: Matrix<'_>, i: usize, j: usize| m.values[i * m.row_stride + j * m.column_stride];
        let mut out = Vec::new();
        for i in 0..a.n_rows {
            for j in 0..b.n_columns {
                out.push((0..a.n_columns).map(|k| at(a, i, k) * at(b, k, j)).sum());
            }
        }
        out
    }

    #[test]
    fn strides_and_adding_agree_with_the_plain_loop() {
        let numbers: Vec<f32> = (0..200).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
        let a = Matrix::strided(&numbers, 5, 7, 9);
        let b = Matrix::rows(&numbers[50..], 3, 7).transposed();
        let expected = plain(a, b);
        let mut out = vec![0.0; 15];
        multiply_add(a, b, &mut out, false);
        assert_eq!(out, expected);
        multiply_add(a, b, &mut out, true);
        assert!(out.iter().zip(&expected).all(|(o, e)| *o == 2.0 * e));
        let mut spaced = vec![-1.0; 5 * 4];
        multiply_add_here(a, b, &mut spaced, 4, false);
        assert!(
            spaced
                .chunks(4)
                .zip(expected.chunks(3))
                .all(|(s, e)| &s[..3] == e && s[3] == -1.0)
        );
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let numbers: Vec<f32> = (0..300 * 500)
            .map(|i| ((i * 7919) % 1013) as f32 * 0.013 - 6.0)
            .collect();
        let (a, b) = (
            Matrix::rows(&numbers, 300, 500),
            Matrix::rows(&numbers, 300, 500).transposed(),
        );
        let run_on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("threads");
            let mut out = vec![0.0; 300 * 300];
            pool.install(|| multiply_add(a, b, &mut out, false));
            out
        };
        let one = run_on(1);
        for threads in [2, 3, 8] {
            assert!(
                run_on(threads)
                    .iter()
                    .zip(&one)
                    .all(|(x, y)| x.to_bits() == y.to_bits()),
                "{threads} threads"
            );
        }
    }
}
