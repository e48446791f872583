//! Which values of a tensor dropout sets to zero, as a function of their place.

use crate::random::RandomKey;

/// The factor of every value of a tensor: 0 with probability `p`, else `1 / (1 - p)`.
///
/// A pure function of the key and the value's place, so a kernel needs no tensor of factors and finds the same ones in its backward pass.
/// Source: Srivastava et al. 2014, "Dropout"; kept values are divided by `1 - p`, so that inference needs no scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutMask {
    key: RandomKey,
    /// The comparison in integers is exact: so many of all 2⁶⁴ values are dropped.
    dropped_below: u64,
    /// Bits of the factor of kept values; as an integer, so that masks can be compared.
    keep: u32,
}

impl DropoutMask {
    /// The mask with the numbers of `key`; `p` from 0 to below 1.
    pub fn new(key: RandomKey, p: f64) -> Self {
        Self {
            key,
            dropped_below: (p * 2f64.powi(64)) as u64,
            keep: ((1.0 / (1.0 - p)) as f32).to_bits(),
        }
    }

    /// The factor of the value at `index` of the tensor, row-major.
    #[inline(always)]
    pub fn factor(self, index: u64) -> f32 {
        if self.key.bits(index) < self.dropped_below {
            0.0
        } else {
            f32::from_bits(self.keep)
        }
    }
}
