//! Numbers of a file as f32, on all threads.

use std::ops::Range;

use half::{bf16, f16};
use llm_core::output::in_chunks;
use rayon::prelude::*;
use safetensors::tensor::Dtype;

/// Values that one thread takes at a time.
const CHUNK: usize = 1 << 16;

/// Columns and rows of the rectangles in which a matrix is transposed: one stays in the nearest cache.
const RECTANGLE: [usize; 2] = [128, 32];

/// How a number is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    /// The type of weights that we read; `None` for others.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// All numbers of `bytes`.
    pub(super) fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => values(bytes, f32::from_le_bytes),
            Self::F16 => values(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => values(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        }
    }

    /// Some columns of a matrix with `n_columns`, as rows.
    pub(super) fn columns(self, bytes: &[u8], n_columns: usize, wanted: Range<usize>) -> Vec<f32> {
        match self {
            Self::F32 => columns(bytes, n_columns, wanted, f32::from_le_bytes),
            Self::F16 => columns(bytes, n_columns, wanted, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => columns(bytes, n_columns, wanted, |b| {
                bf16::from_le_bytes(b).to_f32()
            }),
        }
    }
}

fn values<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let numbers = bytes.as_chunks::<N>().0;
    let inputs = numbers.par_chunks(CHUNK);
    let (values, _) = in_chunks(numbers.len(), CHUNK, inputs, |numbers, values| {
        for (value, &bytes) in values.iter_mut().zip(numbers) {
            *value = number(bytes);
        }
    });
    values
}

fn columns<const N: usize>(
    bytes: &[u8],
    n_columns: usize,
    wanted: Range<usize>,
    number: impl Fn([u8; N]) -> f32 + Sync,
) -> Vec<f32> {
    let numbers = bytes.as_chunks::<N>().0;
    let n_rows = numbers.len() / n_columns.max(1);
    if n_rows == 0 {
        return Vec::new();
    }
    let [width, height] = RECTANGLE;
    let (len, chunk) = (wanted.len() * n_rows, width * n_rows);
    let firsts = wanted.into_par_iter().step_by(width);
    let (values, _) = in_chunks(len, chunk, firsts, |first, values| {
        for top in (0..n_rows).step_by(height) {
            let numbers = &numbers[top * n_columns..];
            for (i, values) in values.chunks_exact_mut(n_rows).enumerate() {
                let column = numbers[first + i..].iter().step_by(n_columns);
                for (value, &bytes) in values[top..].iter_mut().take(height).zip(column) {
                    *value = number(bytes);
                }
            }
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_rows() {
        for (n_rows, n_columns, wanted) in [(1, 1, 0..1), (3, 5, 1..4), (70, 99, 33..99)] {
            let numbers: Vec<f32> = (0..n_rows * n_columns).map(|i| i as f32 / 8.0).collect();
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            assert_eq!(Number::F32.values(&bytes), numbers);
            let expected: Vec<f32> = wanted
                .clone()
                .flat_map(|c| numbers[c..].iter().step_by(n_columns).copied())
                .collect();
            assert_eq!(Number::F32.columns(&bytes, n_columns, wanted), expected);
        }
    }

    #[test]
    fn halves_are_widened() {
        let f16s: Vec<u8> = [1.5, -0.25]
            .map(f16::from_f32)
            .map(f16::to_le_bytes)
            .concat();
        assert_eq!(Number::F16.values(&f16s), [1.5, -0.25]);
        let bf16s: Vec<u8> = [3.0, -128.0]
            .map(bf16::from_f32)
            .map(bf16::to_le_bytes)
            .concat();
        assert_eq!(Number::Bf16.columns(&bf16s, 2, 1..2), [-128.0]);
    }
}
