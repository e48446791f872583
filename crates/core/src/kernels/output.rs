//! Output buffers, filled in parallel, by the thread whose cache then holds them, and never written twice.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// `len` values that `fill` writes in chunks of `chunk`, the last of which may be shorter; what it returns for each of them, in order.
///
/// `fill` takes the number of the chunk and the chunk, which is zero at first.
#[expect(
    unsafe_code,
    reason = "the length is set after every chunk was written"
)]
pub(super) fn in_chunks<R: Send>(
    len: usize,
    chunk: usize,
    fill: impl Fn(usize, &mut [f32]) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    let mut values = Vec::with_capacity(len);
    let results = values.spare_capacity_mut()[..len]
        .par_chunks_mut(chunk.max(1))
        .enumerate()
        .map(|(i, chunk)| fill(i, zeroed(chunk)))
        .collect();
    // SAFETY: the chunks are all of the first `len` values, and each was zeroed.
    unsafe { values.set_len(len) };
    (values, results)
}

/// The part of `values` that chunk `i` of `chunk` values has, of which the last may be shorter.
pub(super) fn chunk_of(values: &[f32], i: usize, chunk: usize) -> &[f32] {
    let rest = &values[i * chunk..];
    &rest[..chunk.min(rest.len())]
}

#[expect(unsafe_code, reason = "every value was written the line before")]
fn zeroed(chunk: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    chunk.fill(MaybeUninit::new(0.0));
    // SAFETY: just filled.
    unsafe { chunk.assume_init_mut() }
}
