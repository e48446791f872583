//! How the numbers of a tensor are stored, and their way from and to f32, on all threads.
//!
//! Sources of the blocks: ggml's `block_q8_0` and `block_q4_0`, with the rounding of its reference functions.

use std::ops::Range;

use half::{bf16, f16};
use llm_core::output::in_chunks;
use rayon::prelude::*;

/// Values that one thread takes at a time; a multiple of a block.
const CHUNK: usize = 1 << 16;

/// Columns and rows of the rectangles in which a matrix is transposed: one stays in the nearest cache.
const RECTANGLE: [usize; 2] = [128, 32];

/// Values of a block that shares one scale.
pub(crate) const BLOCK: usize = 32;

/// How a tensor's numbers are stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE 754: at most 65,504.
    F16,
    /// The upper halves of 32-bit floats.
    Bf16,
    /// Blocks of 32 bytes times one f16 (GGUF).
    Q8_0,
    /// Blocks of 32 half bytes times one f16 (GGUF).
    Q4_0,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0, Self::Q4_0];

    /// The name in arguments and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }

    /// Whether numbers share a scale with their neighbours in a row.
    pub(super) fn is_blocked(self) -> bool {
        matches!(self, Self::Q8_0 | Self::Q4_0)
    }

    /// Values that are stored together, and their bytes.
    pub(super) fn unit(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (BLOCK, 2 + BLOCK),
            Self::Q4_0 => (BLOCK, 2 + BLOCK / 2),
        }
    }

    /// Bytes of so many values; `None` where they make no whole blocks, or more bytes than there are addresses.
    pub(super) fn bytes_of(self, values: usize) -> Option<usize> {
        let (together, bytes) = self.unit();
        if !values.is_multiple_of(together) {
            return None;
        }
        (values / together).checked_mul(bytes)
    }

    /// All numbers of `bytes`.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => values(bytes, |b| [f32::from_le_bytes(b)]),
            Self::F16 => values(bytes, |b| [f16::from_le_bytes(b).to_f32()]),
            Self::Bf16 => values(bytes, |b| [bf16::from_le_bytes(b).to_f32()]),
            Self::Q8_0 => values(bytes, q8_0::decode),
            Self::Q4_0 => values(bytes, q4_0::decode),
        }
    }

    /// Some columns of a matrix with `n_columns`, as rows.
    ///
    /// # Panics
    /// For blocks, which run along rows: no file has both blocks and inputs as rows.
    pub(super) fn decode_columns(
        self,
        bytes: &[u8],
        n_columns: usize,
        wanted: Range<usize>,
    ) -> Vec<f32> {
        match self {
            Self::F32 => columns(bytes, n_columns, wanted, f32::from_le_bytes),
            Self::F16 => columns(bytes, n_columns, wanted, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => columns(bytes, n_columns, wanted, |b| {
                bf16::from_le_bytes(b).to_f32()
            }),
            Self::Q8_0 | Self::Q4_0 => unreachable!("blocks have no columns"),
        }
    }

    /// The numbers as bytes; blocks take whole rows.
    pub(super) fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => bytes(values, |[v]| v.to_le_bytes()),
            Self::F16 => bytes(values, |[v]| f16::from_f32(v).to_le_bytes()),
            Self::Bf16 => bytes(values, |[v]| bf16::from_f32(v).to_le_bytes()),
            Self::Q8_0 => bytes(values, q8_0::encode),
            Self::Q4_0 => bytes(values, q4_0::encode),
        }
    }

    /// What stays of the numbers after a way through a file.
    pub(super) fn round(self, values: Vec<f32>) -> Vec<f32> {
        match self {
            Self::F32 => values,
            _ => self.decode(&self.encode(&values)),
        }
    }
}

/// Blocks of 8-bit numbers.
mod q8_0 {
    use super::{BLOCK, f16};

    pub(super) fn decode(block: [u8; 2 + BLOCK]) -> [f32; BLOCK] {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        std::array::from_fn(|i| f32::from(block[2 + i].cast_signed()) * scale)
    }

    pub(super) fn encode(values: [f32; BLOCK]) -> [u8; 2 + BLOCK] {
        let largest = values.iter().fold(0f32, |max, v| max.max(v.abs()));
        let scale = largest / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let mut block = [0; 2 + BLOCK];
        block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
        for (byte, value) in block[2..].iter_mut().zip(values) {
            *byte = ((value * inverse).round() as i8).cast_unsigned();
        }
        block
    }
}

/// Blocks of 4-bit numbers: the first half of the values in the low halves of the bytes.
mod q4_0 {
    use super::{BLOCK, f16};

    const HALF: usize = BLOCK / 2;

    pub(super) fn decode(block: [u8; 2 + HALF]) -> [f32; BLOCK] {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        std::array::from_fn(|i| {
            let byte = block[2 + i % HALF];
            let number = if i < HALF { byte & 15 } else { byte >> 4 };
            (f32::from(number) - 8.0) * scale
        })
    }

    pub(super) fn encode(values: [f32; BLOCK]) -> [u8; 2 + HALF] {
        // The first of the largest, with its sign: it becomes -8 exactly.
        let largest = values
            .iter()
            .fold(0f32, |max, v| if v.abs() > max.abs() { *v } else { max });
        let scale = largest / -8.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let number = |value: f32| (value * inverse + 8.5).clamp(0.0, 15.0) as u8;
        let mut block = [0; 2 + HALF];
        block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
        for (i, byte) in block[2..].iter_mut().enumerate() {
            *byte = number(values[i]) | number(values[HALF + i]) << 4;
        }
        block
    }
}

/// Groups of `N` bytes, each of which holds `M` values.
fn values<const N: usize, const M: usize>(
    bytes: &[u8],
    group: impl Fn([u8; N]) -> [f32; M] + Sync,
) -> Vec<f32> {
    let groups = bytes.as_chunks::<N>().0;
    let inputs = groups.par_chunks(CHUNK / M);
    let (values, _) = in_chunks(groups.len() * M, CHUNK, inputs, |groups, values| {
        for (values, &bytes) in values.as_chunks_mut::<M>().0.iter_mut().zip(groups) {
            *values = group(bytes);
        }
    });
    values
}

/// The way back.
fn bytes<const N: usize, const M: usize>(
    values: &[f32],
    group: impl Fn([f32; M]) -> [u8; N] + Sync,
) -> Vec<u8> {
    let groups = values.as_chunks::<M>().0;
    let mut bytes = vec![0; groups.len() * N];
    let outputs = bytes.as_chunks_mut::<N>().0.par_chunks_mut(CHUNK / M);
    let inputs = groups.par_chunks(CHUNK / M);
    outputs.zip(inputs).for_each(|(outputs, inputs)| {
        for (bytes, &values) in outputs.iter_mut().zip(inputs) {
            *bytes = group(values);
        }
    });
    bytes
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
            assert_eq!(Encoding::F32.decode(&bytes), numbers);
            let expected: Vec<f32> = wanted
                .clone()
                .flat_map(|c| numbers[c..].iter().step_by(n_columns).copied())
                .collect();
            assert_eq!(
                Encoding::F32.decode_columns(&bytes, n_columns, wanted),
                expected
            );
        }
    }

    #[test]
    fn halves_are_widened() {
        let f16s: Vec<u8> = [1.5, -0.25]
            .map(f16::from_f32)
            .map(f16::to_le_bytes)
            .concat();
        assert_eq!(Encoding::F16.decode(&f16s), [1.5, -0.25]);
        let bf16s: Vec<u8> = [3.0, -128.0]
            .map(bf16::from_f32)
            .map(bf16::to_le_bytes)
            .concat();
        assert_eq!(Encoding::Bf16.decode_columns(&bf16s, 2, 1..2), [-128.0]);
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        values: Vec<f32>,
        q8_0: Vec<u8>,
        q4_0: Vec<u8>,
        bf16: Vec<u8>,
        f16: Vec<u8>,
    }

    #[test]
    fn bytes_are_those_of_the_gguf_package() {
        let text = include_str!("../../tests/golden/encodings.json");
        let golden: Golden = serde_json::from_str(text).expect("golden values");
        assert!(golden.values.len() >= 8 * BLOCK);
        for (encoding, expected) in [
            (Encoding::Q8_0, &golden.q8_0),
            (Encoding::Q4_0, &golden.q4_0),
            (Encoding::Bf16, &golden.bf16),
            (Encoding::F16, &golden.f16),
        ] {
            assert_eq!(&encoding.encode(&golden.values), expected, "{encoding:?}");
            assert_eq!(encoding.bytes_of(golden.values.len()), Some(expected.len()));
            // What was rounded once stays as it is, but for the last digit of a block's scale.
            let once = encoding.round(golden.values.clone());
            let scale = golden.values.iter().fold(0f32, |max, v| max.max(v.abs()));
            for (once, value) in once.iter().zip(&golden.values) {
                assert!((once - value).abs() <= scale / 7.0, "{encoding:?}");
            }
        }
    }

    #[test]
    fn long_tensors_are_stored_as_short_ones() {
        let values: Vec<f32> = (0..3 * CHUNK + 5 * BLOCK)
            .map(|i| (i * 37 % 101) as f32 - 50.0)
            .collect();
        for encoding in Encoding::ALL {
            let whole = encoding.encode(&values);
            let alone: Vec<u8> = values
                .chunks(BLOCK)
                .flat_map(|v| encoding.encode(v))
                .collect();
            assert_eq!(whole, alone);
            let (_, bytes) = encoding.unit();
            let of_block = whole.chunks(if encoding.is_blocked() {
                bytes
            } else {
                BLOCK * bytes
            });
            let decoded: Vec<f32> = of_block.flat_map(|b| encoding.decode(b)).collect();
            assert_eq!(encoding.decode(&whole), decoded);
        }
    }
}
