//! Output buffers, filled in parallel, by the thread whose cache then holds them, and never written twice.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// `len` values that `fill` writes in chunks of `chunk`, the last of which may be shorter; what it returns for each of them, in order.
///
/// `fill` takes one item of `inputs` and a chunk, which is zero at first.
///
/// # Panics
/// When there are not as many items as chunks.
#[expect(
    unsafe_code,
    reason = "the length is set after every chunk was written"
)]
pub fn in_chunks<I, R>(
    len: usize,
    chunk: usize,
    inputs: I,
    fill: impl Fn(I::Item, &mut [f32]) -> R + Sync,
) -> (Vec<f32>, Vec<R>)
where
    I: IndexedParallelIterator,
    R: Send,
{
    let chunk = chunk.max(1);
    assert_eq!(inputs.len(), len.div_ceil(chunk), "inputs of chunks");
    let mut values = Vec::with_capacity(len);
    let results = values.spare_capacity_mut()[..len]
        .par_chunks_mut(chunk)
        .zip(inputs)
        .map(|(chunk, input)| fill(input, zeroed(chunk)))
        .collect();
    // SAFETY: the chunks are all of the first `len` values, each met its input, and was zeroed then.
    unsafe { values.set_len(len) };
    (values, results)
}

#[expect(unsafe_code, reason = "every value was written the line before")]
fn zeroed(chunk: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    chunk.fill(MaybeUninit::new(0.0));
    // SAFETY: just filled.
    unsafe { chunk.assume_init_mut() }
}
