//! Sobol's sequence, scrambled as Owen describes: points that fill the unit cube evenly from the first on.
//!
//! Direction numbers are those of Joe and Kuo (2008, "Constructing Sobol sequences with better two-dimensional projections") for 21 dimensions. A space of
//! more has further groups of 21, each with an order of its points of its own. Scrambling by hashing is that of Burley 2020, "Practical Hash-based Owen
//! Scrambling", with the constants of Vegdahl.

use crate::random::mix;

/// Degree and coefficients of the primitive polynomial, and the first direction numbers, from the second dimension on.
const DIRECTIONS: [(u32, u32, &[u32]); 20] = [
    (1, 0, &[1]),
    (2, 1, &[1, 3]),
    (3, 1, &[1, 3, 1]),
    (3, 2, &[1, 1, 1]),
    (4, 1, &[1, 1, 3, 3]),
    (4, 4, &[1, 3, 5, 13]),
    (5, 2, &[1, 1, 5, 5, 17]),
    (5, 4, &[1, 1, 5, 5, 5]),
    (5, 7, &[1, 1, 7, 11, 19]),
    (5, 11, &[1, 1, 5, 1, 1]),
    (5, 13, &[1, 1, 1, 3, 11]),
    (5, 14, &[1, 3, 5, 5, 31]),
    (6, 1, &[1, 3, 3, 9, 7, 49]),
    (6, 13, &[1, 1, 1, 15, 21, 21]),
    (6, 16, &[1, 3, 1, 13, 27, 49]),
    (6, 19, &[1, 1, 1, 15, 7, 5]),
    (6, 22, &[1, 3, 1, 15, 13, 25]),
    (6, 25, &[1, 1, 5, 5, 19, 61]),
    (7, 1, &[1, 3, 7, 11, 23, 15, 103]),
    (7, 4, &[1, 3, 7, 13, 13, 15, 69]),
];
const GROUP: usize = DIRECTIONS.len() + 1;
const BITS: u32 = 32;

/// Coordinate `dimension` of scrambled point `index`, in `[0, 1)`.
pub(crate) fn scrambled(index: u32, dimension: usize, seed: u64) -> f64 {
    let (group, dimension) = (dimension / GROUP, dimension % GROUP);
    let index = if group == 0 {
        index
    } else {
        owen(index, key(seed, group, usize::MAX))
    };
    unit(owen(
        coordinate(index, dimension),
        key(seed, group, dimension),
    ))
}

fn key(seed: u64, group: usize, dimension: usize) -> u32 {
    mix(seed ^ mix((group as u64) << 32 ^ dimension as u64)) as u32
}

fn unit(bits: u32) -> f64 {
    f64::from(bits) / 2f64.powi(BITS as i32)
}

/// Coordinate of the plain sequence, as the digits of a binary fraction.
fn coordinate(index: u32, dimension: usize) -> u32 {
    let Some((degree, polynomial, first)) = dimension.checked_sub(1).map(|place| DIRECTIONS[place])
    else {
        return index.reverse_bits();
    };
    let degree = degree as usize;
    let mut numbers = [0u32; BITS as usize];
    let mut sum = 0;
    for bit in 0..BITS as usize {
        numbers[bit] = match first.get(bit) {
            Some(number) => number << (BITS as usize - 1 - bit),
            None => {
                let oldest = numbers[bit - degree];
                (1..degree).fold(oldest ^ (oldest >> degree), |number, place| {
                    let taken = (polynomial >> (degree - 1 - place)) & 1;
                    number ^ (taken * numbers[bit - place])
                })
            }
        };
        if index >> bit & 1 == 1 {
            sum ^= numbers[bit];
        }
    }
    sum
}

/// A random flip of every digit that depends on those before it.
fn owen(bits: u32, seed: u32) -> u32 {
    let mut x = bits.reverse_bits();
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of `torch.quasirandom.SobolEngine(21)`, made by `xtask/golden/search_studies.py`.
    #[test]
    fn plain_points_are_those_of_joe_and_kuo() {
        let golden = include_str!("../tests/golden/sobol.json");
        let golden: Vec<(u32, Vec<f64>)> = serde_json::from_str(golden).unwrap();
        for (index, row) in golden {
            let point: Vec<f64> = (0..GROUP)
                .map(|dimension| unit(coordinate(index, dimension)))
                .collect();
            assert_eq!(point, row, "{index}");
        }
    }

    #[test]
    fn every_elementary_interval_has_one_point() {
        for dimension in [0, 3, 20, 21, 50] {
            let mut seen = [false; 64];
            for index in 0..64 {
                let place = (scrambled(index, dimension, 9) * 64.0) as usize;
                assert!(!std::mem::replace(&mut seen[place], true), "{dimension}");
            }
        }
        // Squares of 8 by 8, of the first two dimensions.
        let mut seen = [false; 64];
        for index in 0..64 {
            let place = |dimension| (scrambled(index, dimension, 5) * 8.0) as usize;
            assert!(!std::mem::replace(&mut seen[place(0) * 8 + place(1)], true));
        }
    }
}
