//! `exp` for f32 that a compiler turns into vector code: no branch, no table, no call.
//!
//! `exp(x) = 2^n · exp(r)` with `n = round(x / ln 2)` and a polynomial for `|r| ≤ ln 2 / 2`; coefficients from Moshier's Cephes library
//! (`expf.c`). Error below 2 units in the last place on the range where the result is a normal number.

/// `eˣ`; 0 below -87.3 and about 1.7e38 above 88, so that no input gives infinity. NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and taking off 1.5 · 2²³ rounds to the nearest integer with plain additions.
    const ROUND: f32 = 12_582_912.0;
    #[expect(
        clippy::excessive_precision,
        reason = "the exact value, whose low bits are zero"
    )]
    const LN2_HIGH: f32 = 0.693_359_375;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let inside = if x > 88.0 { 88.0 } else { x };
    let inside = if inside < -87.3 { -87.3 } else { inside };
    let n = inside * std::f32::consts::LOG2_E + ROUND - ROUND;
    let r = inside - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_6e-1;
    p = p * r + 5e-1;
    // The bits of a NaN may be all but the sign.
    let biased = (n + ROUND).to_bits().wrapping_add(127);
    let power = f32::from_bits(biased << 23);
    let y = (p * r * r + r + 1.0) * power;
    if x < -87.3 { 0.0 } else { y }
}

/// `tanh` through [`exp`]: `1 - 2 / (e²ˣ + 1)`.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// `1 / (1 + e⁻ˣ)` through [`exp`].
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_exact_value() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let exact = f64::from(x).exp();
            let relative = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(relative < 2.5e-7, "exp({x}): relative error {relative:e}");
            assert!(
                (f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 3e-7,
                "tanh({x})"
            );
            assert!(
                (f64::from(sigmoid(x)) - 1.0 / (1.0 + (-f64::from(x)).exp())).abs() < 2e-7,
                "sigmoid({x})"
            );
            x += 0.003_7;
        }
    }

    #[test]
    fn the_ends_are_safe() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e30), 0.0);
        assert!(exp(f32::INFINITY).is_finite() && exp(1e30) > 1e38);
        for bits in [f32::NAN.to_bits(), 0x7fff_ffff, u32::MAX] {
            assert!(exp(f32::from_bits(bits)).is_nan());
        }
    }
}
