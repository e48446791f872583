//! The order in which training walks over a row of tokens.

use crate::error::DataError;
use crate::random::{Random, mix};

/// Training windows of `seq + 1` tokens: inputs and, one to the right, targets.
///
/// In an epoch the windows lie end to end, so that each target is seen once, in a seeded order. Each epoch starts at another seeded offset, so
/// that the borders move. A window depends on the seed and its index only: a resumed run goes on with the same windows.
///
/// ```
/// use llm_data::Windows;
///
/// let mut windows = Windows::new(1000, 100, 7)?;
/// assert_eq!(windows.per_epoch(), 9);
/// let start = windows.start(12); // the fourth window of the second epoch
/// assert!(start + 101 <= 1000);
/// # Ok::<(), llm_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    seq: usize,
    seed: u64,
    per_epoch: usize,
    n_offsets: usize,
    /// The epoch whose order is kept.
    epoch: Option<u64>,
    offset: usize,
    order: Vec<usize>,
}

impl Windows {
    /// The windows over `n_tokens` tokens.
    ///
    /// # Errors
    /// [`DataError::TooFewTokens`] when not one window fits.
    ///
    /// # Panics
    /// When `seq` is 0.
    pub fn new(n_tokens: usize, seq: usize, seed: u64) -> Result<Self, DataError> {
        assert!(seq > 0, "a window of no tokens");
        if n_tokens <= seq {
            return Err(DataError::TooFewTokens { n_tokens, seq });
        }
        // As many as fit after the largest offset, `seq - 1`. Where that leaves none, the offset has less room instead.
        let per_epoch = (n_tokens / seq - 1).max(1);
        let slack = n_tokens - 1 - per_epoch * seq;
        Ok(Self {
            seq,
            seed: mix(seed ^ 0x0077_696E_646F_7773),
            per_epoch,
            n_offsets: seq.min(slack + 1),
            epoch: None,
            offset: 0,
            order: Vec::new(),
        })
    }

    /// Windows in each epoch.
    pub fn per_epoch(&self) -> usize {
        self.per_epoch
    }

    /// The first token of window number `index`, counted from 0 over all epochs.
    pub fn start(&mut self, index: u64) -> usize {
        let per_epoch = self.per_epoch as u64;
        let epoch = index / per_epoch;
        if self.epoch != Some(epoch) {
            let mut random = Random::keyed(self.seed, epoch);
            self.offset = random.below(self.n_offsets as u64) as usize;
            self.order.clear();
            self.order.extend(0..self.per_epoch);
            random.shuffle(&mut self.order);
            self.epoch = Some(epoch);
        }
        self.offset + self.order[(index % per_epoch) as usize] * self.seq
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_few_tokens_are_an_error_with_both_numbers() {
        let error = Windows::new(8, 8, 1)
            .expect_err("one token short")
            .to_string();
        assert!(
            error.contains("8 tokens") && error.contains("8 + 1"),
            "{error}"
        );
        assert_eq!(Windows::new(9, 8, 1).map(|mut w| w.start(5)).ok(), Some(0));
    }

    #[test]
    fn epochs_differ_in_order_and_offset() {
        let mut windows = Windows::new(10_000, 50, 3).expect("enough tokens");
        let n = windows.per_epoch() as u64;
        let mut epoch = |e: u64| (0..n).map(|i| windows.start(e * n + i)).collect::<Vec<_>>();
        let epochs: Vec<_> = (0..20).map(&mut epoch).collect();
        let offsets: std::collections::HashSet<_> = epochs.iter().map(|e| e[0] % 50).collect();
        assert!(offsets.len() > 10, "{offsets:?}");
        assert!(epochs.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(epochs.iter().all(|e| !e.is_sorted()));
    }

    proptest! {
        #[test]
        fn every_window_of_an_epoch_comes_once(n in 2_usize..3000, seq in 1_usize..200, seed: u64, epoch in 0_u64..1000) {
            prop_assume!(n > seq);
            let mut windows = Windows::new(n, seq, seed).expect("enough tokens");
            let per_epoch = windows.per_epoch();
            let mut starts: Vec<_> = (0..per_epoch as u64)
                .map(|i| windows.start(epoch * per_epoch as u64 + i))
                .collect();
            starts.sort_unstable();
            prop_assert!(starts.windows(2).all(|pair| pair[1] == pair[0] + seq));
            prop_assert!(starts[0] < seq.max(1));
            prop_assert!(starts[per_epoch - 1] + seq < n);
            // No further window would fit after the largest offset.
            prop_assert!(per_epoch == 1 || per_epoch * seq + seq - 1 + seq + 1 > n);
        }

        #[test]
        fn a_window_depends_on_seed_and_index_only(n in 100_usize..3000, seq in 1_usize..50, seed: u64, indices in prop::collection::vec(0_u64..10_000, 1..40)) {
            let mut walked = Windows::new(n, seq, seed).expect("enough tokens");
            for index in indices {
                let mut fresh = Windows::new(n, seq, seed).expect("enough tokens");
                prop_assert_eq!(walked.start(index), fresh.start(index));
            }
        }
    }
}
