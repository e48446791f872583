//! New buffers that all threads fill, each its own parts while they are in its cache.

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
    let n_chunks = len.div_ceil(chunk);
    assert_eq!(inputs.len(), n_chunks, "inputs of chunks");
    let mut values = Vec::with_capacity(len);
    let results: Vec<R> = values.spare_capacity_mut()[..len]
        .par_chunks_mut(chunk)
        .zip(inputs)
        .map(|(chunk, input)| fill(input, zeroed(chunk)))
        .collect();
    assert_eq!(results.len(), n_chunks, "filled chunks");
    // SAFETY: the chunks are all of the first `len` values; as many as there are met an input, and were zeroed then.
    unsafe { values.set_len(len) };
    (values, results)
}

#[expect(unsafe_code, reason = "every value was written the line before")]
fn zeroed(chunk: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    chunk.fill(MaybeUninit::new(0.0));
    // SAFETY: just filled.
    unsafe { chunk.assume_init_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_meet_their_inputs_in_order() {
        for (len, chunk) in [(0, 4), (1, 4), (4, 4), (5, 4), (1000, 7), (3, 0)] {
            let firsts = (0..len).into_par_iter().step_by(chunk.max(1));
            let (values, lengths) = in_chunks(len, chunk, firsts, |first, values| {
                assert!(values.iter().all(|value| *value == 0.0));
                for (i, value) in (first..).zip(values.iter_mut()) {
                    *value = i as f32;
                }
                values.len()
            });
            let expected: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(values, expected, "{len} in chunks of {chunk}");
            assert_eq!(lengths.iter().sum::<usize>(), len);
        }
    }

    #[test]
    #[should_panic(expected = "inputs of chunks")]
    fn too_few_inputs_are_refused() {
        in_chunks(10, 3, (0..3).into_par_iter(), |_, _| ());
    }
}
