//! The standard normal distribution: its integral, the inverse of that, and draws from a piece of it.

use std::f64::consts::SQRT_2;

use crate::random::Stream;

/// The share of the distribution below `x`.
pub(crate) fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The share between `a` and `b`, without loss where both lie far out on one side.
pub(crate) fn mass(a: f64, b: f64) -> f64 {
    if a > 0.0 {
        cdf(-a) - cdf(-b)
    } else {
        cdf(b) - cdf(a)
    }
}

/// The place below which the share `p` lies.
///
/// Acklam's rational approximation, and one step of Halley's method on the exact integral.
pub(crate) fn quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [
        7.784695709041462e-3,
        3.224671290700398e-1,
        2.445134137142996,
        3.754408661907416,
    ];
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let tail = |q: f64| {
        let top = C.iter().fold(0.0, |sum, c| sum * q + c);
        top / (D.iter().fold(0.0, |sum, d| sum * q + d) * q + 1.0)
    };
    let x = if p < 0.02425 {
        tail((-2.0 * p.ln()).sqrt())
    } else if p > 1.0 - 0.02425 {
        -tail((-2.0 * (1.0 - p).ln()).sqrt())
    } else {
        let q = p - 0.5;
        let r = q * q;
        let top = A.iter().fold(0.0, |sum, a| sum * r + a);
        top * q / (B.iter().fold(0.0, |sum, b| sum * r + b) * r + 1.0)
    };
    let error = (cdf(x) - p) * std::f64::consts::TAU.sqrt() * (x * x / 2.0).exp();
    x - error / (1.0 + x * error / 2.0)
}

/// A draw from the normal distribution of `mean` and `deviation`, cut off outside `[0, 1]`; `mean` lies inside.
pub(crate) fn draw_in_unit(stream: &mut Stream, mean: f64, deviation: f64) -> f64 {
    let low = cdf(-mean / deviation);
    let high = cdf((1.0 - mean) / deviation);
    let place = low + stream.uniform() * (high - low);
    (mean + deviation * quantile(place)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_integral() {
        for place in 1..2000 {
            let p = f64::from(place) / 2000.0;
            assert!((cdf(quantile(p)) - p).abs() < 1e-14, "{p}");
        }
        assert!((quantile(0.975) - 1.959963984540054).abs() < 1e-12);
        assert!((cdf(quantile(1e-12)) / 1e-12 - 1.0).abs() < 1e-9);
        assert!(
            (mass(8.0, 9.0) / 6.219832e-16 - 1.0).abs() < 1e-5,
            "{}",
            mass(8.0, 9.0)
        );
    }
}
