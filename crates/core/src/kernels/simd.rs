//! Loops compiled for the vector registers that the processor has, and sums that keep to one order on all of them.

/// Partial sums held side by side. Two AVX-512 registers, four of AVX2, eight of SSE or NEON: enough to hide the latency of an addition.
pub(super) const LANES: usize = 32;

/// Runs `work` as compiled for the widest vector instructions of the processor (AVX-512, AVX2 or the base of the target), chosen at run
/// time. A plain loop becomes vector code when it is in a function of its own, so that the compiler knows its slices to be apart, and
/// when it checks no index; this function and the closure must be `#[inline(always)]`.
///
/// The compiler never fuses a product and a sum on its own: the bits do not depend on the instructions.
#[inline(always)]
pub(crate) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// `Σ term(a, b, …)` over slices of one length, in [`LANES`] partial sums.
#[inline(always)]
pub(super) fn sum_of<const N: usize>(slices: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let n = slices[0].len();
    // Known to be of one length, the slices need no check for every value.
    let slices = slices.map(
        #[inline(always)]
        |slice| &slice[..n],
    );
    let mut lanes = [0.0; LANES];
    for chunk in 0..n / LANES {
        let values = slices.map(
            #[inline(always)]
            |slice| &slice.as_chunks::<LANES>().0[chunk],
        );
        let mut terms = [0.0; LANES];
        for lane in 0..LANES {
            terms[lane] = term(values.map(
                #[inline(always)]
                |values| values[lane],
            ));
        }
        for lane in 0..LANES {
            lanes[lane] += terms[lane];
        }
    }
    for i in n - n % LANES..n {
        lanes[i % LANES] += term(slices.map(
            #[inline(always)]
            |slice| slice[i],
        ));
    }
    // Halves are added until one value is left.
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// `Σ values`.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    sum_of(
        [values],
        #[inline(always)]
        |[value]| value,
    )
}

/// `Σ a · b`.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_of(
        [a, b],
        #[inline(always)]
        |[a, b]| a * b,
    )
}

/// The largest value, -∞ of none. NaN is no maximum.
#[inline(always)]
pub(super) fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    rest.iter().chain(&lanes).fold(
        f32::NEG_INFINITY,
        |max, &value| if value > max { value } else { max },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::exp::exp;

    #[test]
    fn sums_and_maxima_of_every_length() {
        for n in 0..200 {
            // Whole numbers: the order of their sum does not matter.
            let values: Vec<f32> = (0..n).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
            assert_eq!(sum(&values), values.iter().sum::<f32>(), "{n} values");
            let squares = values.iter().map(|v| v * v).sum::<f32>();
            assert_eq!(dot(&values, &values), squares, "{n} values");
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&values), largest, "{n} values");
        }
    }

    #[test]
    fn vector_code_has_the_bits_of_plain_code() {
        #[inline(always)]
        fn work(values: &[f32]) -> [u32; 3] {
            let exps: Vec<f32> = values.iter().map(|&v| exp(v)).collect();
            [sum(&exps), dot(&exps, values), max(&exps)].map(f32::to_bits)
        }
        let values: Vec<f32> = (0..1003).map(|i| (i as f32 * 0.731).sin() * 3.0).collect();
        let vectors = vectorized(
            #[inline(always)]
            || work(&values),
        );
        assert_eq!(vectors, work(&values));
    }
}
