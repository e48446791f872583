//! Safe products of f32 matrices over the `gemm` crate, which picks AVX-512, AVX2 or NEON code at run time.

use gemm::Parallelism;
use rayon::prelude::*;

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

    /// The columns from `first` on, `n` of them.
    fn columns(self, first: usize, n: usize) -> Self {
        assert!(first + n <= self.n_columns, "columns of a matrix");
        Self {
            values: &self.values[first * self.column_stride..],
            n_columns: n,
            ..self
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

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Onto<'a> {
    /// Nothing.
    Zero,
    /// Each row of the output to these values.
    Row(&'a [f32]),
    /// Each value of the output to itself.
    Out,
}

impl Onto<'_> {
    /// That of the columns from `first` on, `n` of them.
    fn columns(self, first: usize, n: usize) -> Self {
        match self {
            Self::Row(row) => Onto::Row(&row[first..][..n]),
            other => other,
        }
    }
}

impl<'a> From<Option<&'a [f32]>> for Onto<'a> {
    fn from(bias: Option<&'a [f32]>) -> Self {
        bias.map_or(Self::Zero, Self::Row)
    }
}

/// Below this many products of two numbers the split costs more than it brings.
const PARALLEL_FROM: usize = 1 << 16;

/// Columns of a strip: the rows that the AVX-512 kernel of `gemm` has in its registers.
const STRIP: usize = 64;

/// `a · b` on all threads, `[a rows, b columns]`, onto nothing or a row.
///
/// # Panics
/// When `onto` is [`Onto::Out`]: there is no output yet.
#[expect(
    unsafe_code,
    reason = "the output is not filled with zeros first: a product writes all of it"
)]
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, onto: Onto<'_>) -> Vec<f32> {
    assert!(!matches!(onto, Onto::Out), "there is no output yet");
    let len = output_len(a, b);
    let mut out = Vec::with_capacity(len);
    let place = Output::of(&mut out.spare_capacity_mut()[..len], b.n_columns);
    // SAFETY: there is room for `len` values, and none is read before it is written, as `onto` is not the output. Without columns in
    // `a`, gemm writes zeros.
    unsafe {
        split(a, b, onto, place);
        out.set_len(len);
    }
    out
}

/// `out = onto + a · b` on all threads. `out` is `[a rows, b columns]`.
#[expect(
    unsafe_code,
    reason = "the parts of the output are written in parallel"
)]
pub(crate) fn multiply(a: Matrix<'_>, b: Matrix<'_>, onto: Onto<'_>, out: &mut [f32]) {
    assert_eq!(out.len(), output_len(a, b), "output of a matrix product");
    let place = Output::of(out, b.n_columns);
    // SAFETY: `out` is all written and as large as is checked.
    unsafe { split(a, b, onto, place) };
}

/// [`multiply`] on the calling thread, into rows of `out` that begin `out_stride` values apart.
#[expect(unsafe_code, reason = "as for `multiply`")]
pub(super) fn multiply_here(
    a: Matrix<'_>,
    b: Matrix<'_>,
    onto: Onto<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let (m, n) = (a.n_rows, b.n_columns);
    assert!(
        m * n == 0 || n <= out_stride && out.len() >= (m - 1) * out_stride + n,
        "output of a matrix product is too short"
    );
    let place = Output::of(out, out_stride);
    // SAFETY: `out` is all written and as large as is checked.
    unsafe { run(a, b, onto, place, Parallelism::None) };
}

/// Values of `a · b`. A matrix without values may have any size, so it is checked.
fn output_len(a: Matrix<'_>, b: Matrix<'_>) -> usize {
    a.n_rows
        .checked_mul(b.n_columns)
        .expect("an output that can be addressed")
}

/// Where rows of an output begin.
#[derive(Clone, Copy)]
struct Output {
    start: *mut f32,
    row_stride: usize,
}

#[expect(
    unsafe_code,
    reason = "threads write columns of their own, which no slice can say"
)]
// SAFETY: a pointer alone does nothing; `split` says why its threads do not meet.
unsafe impl Sync for Output {}

impl Output {
    /// `T` is f32, or f32 that is not written yet.
    fn of<T>(values: &mut [T], row_stride: usize) -> Self {
        const { assert!(size_of::<T>() == size_of::<f32>()) };
        Self {
            start: values.as_mut_ptr().cast(),
            row_stride,
        }
    }

    fn column(self, first: usize) -> Self {
        Self {
            start: self.start.wrapping_add(first),
            ..self
        }
    }
}

/// The whole product on all threads.
///
/// When `b` is a transposed matrix, `gemm` copies it into the order of its kernel before it starts the threads, which for the weights of
/// a large model is a fifth of the time. In strips of columns that are products of their own each thread copies what it needs, and one
/// that is held up takes fewer of them. A strip's width does not depend on the threads, and so no bit of the result does.
///
/// # Safety
/// `out` has `a.n_rows` rows of `b.n_columns` values that no one else uses, and they are written when `onto` is [`Onto::Out`].
#[expect(unsafe_code, reason = "passed on to `run`")]
unsafe fn split(a: Matrix<'_>, b: Matrix<'_>, onto: Onto<'_>, out: Output) {
    let n_columns = b.n_columns;
    if a.n_rows * a.n_columns * n_columns < PARALLEL_FROM {
        // SAFETY: as required of the caller.
        return unsafe { run(a, b, onto, out, Parallelism::None) };
    }
    let transposed = b.row_stride == 1 && b.column_stride != 1;
    if !transposed || n_columns <= STRIP {
        // SAFETY: as required of the caller.
        return unsafe { run(a, b, onto, out, Parallelism::Rayon(0)) };
    }
    (0..n_columns.div_ceil(STRIP))
        .into_par_iter()
        .with_max_len(1)
        .for_each(|strip| {
            let out = &out;
            let first = strip * STRIP;
            let n = STRIP.min(n_columns - first);
            let (b, onto) = (b.columns(first, n), onto.columns(first, n));
            // SAFETY: as required of the caller, and no two strips have a column in common.
            unsafe { run(a, b, onto, out.column(first), Parallelism::None) };
        });
}

/// # Safety
/// As for [`split`].
#[expect(
    unsafe_code,
    reason = "the gemm crate takes pointers; lengths are checked here, in `Matrix::strided` and by the callers"
)]
unsafe fn run(a: Matrix<'_>, b: Matrix<'_>, onto: Onto<'_>, out: Output, parallelism: Parallelism) {
    assert_eq!(a.n_columns, b.n_rows, "inner sizes of a matrix product");
    let (m, n, k) = (a.n_rows, b.n_columns, a.n_columns);
    if m == 0 || n == 0 {
        return;
    }
    if let Onto::Row(row) = onto {
        assert_eq!(row.len(), n, "the row that a product is added to");
        for i in 0..m {
            // SAFETY: row `i` of the output has `n` values, and `row` is borrowed while the output is used by no one else.
            unsafe {
                let out = out.start.add(i * out.row_stride);
                out.copy_from_nonoverlapping(row.as_ptr(), n);
            }
        }
    }
    // SAFETY: every index that gemm forms is `row * row_stride + column * column_stride` below the lengths asserted for the two
    // slices and required of the output, whose rows do not overlap, and which is read only when it is written: by the caller or above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.start,
            1,
            out.row_stride as isize,
            !matches!(onto, Onto::Zero),
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
        multiply(a, b, Onto::Zero, &mut out);
        assert_eq!(out, expected);
        multiply(a, b, Onto::Out, &mut out);
        assert!(out.iter().zip(&expected).all(|(o, e)| *o == 2.0 * e));
        let mut spaced = vec![-1.0; 5 * 4];
        multiply_here(a, b, Onto::Zero, &mut spaced, 4);
        assert!(
            spaced
                .chunks(4)
                .zip(expected.chunks(3))
                .all(|(s, e)| &s[..3] == e && s[3] == -1.0)
        );
    }

    /// Of both routes: one product of the library, and strips.
    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let numbers: Vec<f32> = (0..300 * 500)
            .map(|i| ((i * 7919) % 1013) as f32 * 0.013 - 6.0)
            .collect();
        let a = Matrix::rows(&numbers, 300, 500);
        let square = Matrix::rows(&numbers, 300, 300);
        for (a, b) in [(a, a.transposed()), (a.transposed(), square)] {
            let run_on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .expect("threads");
                pool.install(|| product(a, b, Onto::Zero))
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

    #[test]
    fn nothing_multiplied_is_zero_or_the_row() {
        let (a, b) = (Matrix::rows(&[], 3, 0), Matrix::rows(&[], 0, 2));
        assert_eq!(product(a, b, Onto::Zero), [0.0; 6]);
        assert_eq!(product(a, b, Onto::Row(&[1.0, 2.0])), [1.0, 2.0].repeat(3));
    }

    #[test]
    fn strips_are_the_columns_of_the_whole_product() {
        let numbers: Vec<f32> = (0..70 * 90).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
        for n in [STRIP + 1, 2 * STRIP, 2 * STRIP + 1] {
            let a = Matrix::rows(&numbers, 33, 45);
            let b = Matrix::rows(&numbers, n, 45).transposed();
            let bias = &numbers[7..][..n];
            let expected = plain(a, b);
            let rows = expected.chunks(n).map(|row| row.iter().zip(bias));
            let with_bias: Vec<f32> = rows.flatten().map(|(y, bias)| y + bias).collect();
            assert_eq!(product(a, b, Onto::Zero), expected);
            assert_eq!(product(a, b, Onto::Row(bias)), with_bias);
            let mut out = with_bias.clone();
            multiply(a, b, Onto::Out, &mut out);
            let twice = with_bias.iter().zip(&expected).map(|(x, y)| x + y);
            assert_eq!(out, twice.collect::<Vec<_>>());
        }
    }
}
