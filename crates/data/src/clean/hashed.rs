//! Hashes of runs of words, and tables keyed by what is a hash already.

use std::hash::Hasher;

use crate::random::mix;

/// Passes a 64-bit key on as it is, for keys that are hashes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// The hashes of all runs of `n` words, from the hashes of the words: a polynomial of the words, which the next run shares but for two
/// words.
///
/// # Panics
/// When `n` is zero.
pub(super) fn rolling(words: &[u64], n: usize) -> impl Iterator<Item = u64> {
    assert!(n > 0, "runs of no words");
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    let leading = (1..n).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let start = words.get(..n - 1).unwrap_or_default();
    let append = |hash: u64, word: u64| hash.wrapping_mul(BASE).wrapping_add(word);
    let mut hash = start.iter().fold(0, |hash, &word| append(hash, word));
    let ends = words.get(n - 1..).unwrap_or_default();
    ends.iter().zip(words).map(move |(&new, &old)| {
        hash = append(hash, new);
        let run = mix(hash);
        hash = hash.wrapping_sub(old.wrapping_mul(leading));
        run
    })
}
