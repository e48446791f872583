//! Random numbers that are a pure function of where they are used.
//!
//! A [`RandomKey`] is made from a seed and narrowed step by step (`seed → stream → step → layer`); the n-th number under a key does not
//! depend on any other having been drawn. So a recomputed forward pass sees the same dropout mask, a resumed run the same everything,
//! and the number of threads does not matter.
//!
//! The numbers are SplitMix64 in counter form: the n-th output of that generator is a mix of `state + n * γ`. Source: Steele, Lea,
//! Flood 2014, "Fast Splittable Pseudorandom Number Generators", section 4.

/// The golden ratio in 64 bits, the increment of SplitMix64.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64: a bijection on 64 bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What the numbers under a key are used for, so that no two uses share numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Initial weights.
    Weights,
    /// Dropout masks.
    Dropout,
    /// Draws of tokens in generation.
    Sampling,
}

/// Names one sequence of random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomKey(u64);

impl RandomKey {
    /// The key of one use of a seed.
    pub fn new(seed: u64, stream: Stream) -> Self {
        Self(mix(seed)).child(stream as u64)
    }

    /// The `index`-th key below this one.
    #[must_use]
    pub fn child(self, index: u64) -> Self {
        // A second mix keeps children apart from this key's own numbers.
        Self(mix(mix(self
            .0
            .wrapping_add(GAMMA.wrapping_mul(index.wrapping_add(1))))
            ^ GAMMA))
    }

    /// The `n`-th 64 random bits.
    pub fn bits(self, n: u64) -> u64 {
        mix(self.0.wrapping_add(GAMMA.wrapping_mul(n.wrapping_add(1))))
    }

    /// The `n`-th number, uniform in `[0, 1)`.
    pub fn uniform(self, n: u64) -> f64 {
        (self.bits(n) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The `n`-th number of the standard normal distribution (Box, Muller 1958). Uses the uniform numbers `2n` and `2n + 1`.
    pub fn normal(self, n: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(2 * n)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * n + 1)).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_outputs_are_those_of_the_reference() {
        // First outputs of SplitMix64 with state 0 (Vigna's splitmix64.c).
        let zero = RandomKey(0);
        assert_eq!(zero.bits(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(zero.bits(1), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let key = RandomKey::new(7, Stream::Weights);
        let n = 200_000;
        let normal: Vec<f64> = (0..n).map(|i| key.normal(i)).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / n as f64;
        let fourth = normal.iter().map(|x| x.powi(4)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01 && (fourth - 3.0).abs() < 0.1);
        let uniform = (0..n).map(|i| key.uniform(i)).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.003);
    }

    #[test]
    fn streams_and_children_do_not_share_numbers() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..4 {
            for stream in [Stream::Weights, Stream::Dropout, Stream::Sampling] {
                let key = RandomKey::new(seed, stream);
                for child in 0..16 {
                    for n in 0..64 {
                        assert!(
                            seen.insert(key.child(child).bits(n)),
                            "seed {seed} {stream:?} child {child} number {n}"
                        );
                    }
                }
            }
        }
    }
}
