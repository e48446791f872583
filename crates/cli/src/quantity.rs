//! Numbers as people read them: few digits, and a unit.

use std::time::Duration;

/// A count, such as of parameters or tokens: `124 M`.
pub(crate) fn count(number: f64) -> String {
    scaled(number, &["", "K", "M", "B", "T"])
}

/// A size in bytes: `4.92 MB`.
pub(crate) fn bytes(number: u64) -> String {
    scaled(number as f64, &["bytes", "KB", "MB", "GB", "TB", "PB"])
}

/// Floating-point operations: `7.41 GFLOP`.
pub(crate) fn flops(number: f64) -> String {
    let units = [
        "FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP",
    ];
    scaled(number, &units)
}

/// So many seconds: tenths below a minute, else as [`clock`] has them.
pub(crate) fn duration(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if seconds >= 60.0 => clock(time),
        Ok(_) => format!("{seconds:.1} s"),
        // More than there is time.
        Err(_) => format!("{seconds:.1e} s"),
    }
}

/// Hours, minutes and seconds: `1:02:03` or `2:03`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A whole number with commas between thousands: `124,439,808`.
pub(crate) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Four digits, as short as they can be written: `0.02041`, `-12.3`, `1.5e-7`.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return number.to_string();
    }
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{number:.2e}");
    }
    let digits_before = if size < 1.0 {
        0
    } else {
        size.log10() as usize + 1
    };
    let leading_zeros = if size == 0.0 || size >= 1.0 {
        0
    } else {
        (-size.log10()).floor() as usize
    };
    let decimals = 4usize.saturating_sub(digits_before) + leading_zeros;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.to_owned();
    }
    text
}

/// The number in the largest unit, each a thousand times the one before, in which it is at least 1.
fn scaled(number: f64, units: &[&str]) -> String {
    let mut scaled = number;
    let mut rest = units;
    // What would be rounded to 1000 has the next unit.
    while scaled >= 999.5 && rest.len() > 1 {
        scaled /= 1000.0;
        rest = &rest[1..];
    }
    let is_whole = scaled == number && number.fract() == 0.0;
    let decimals = match scaled {
        _ if is_whole => 0,
        small if small < 9.995 => 2,
        small if small < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{scaled:.decimals$} {}", rest[0]);
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (number, text) in [
            (0.0, "0"),
            (65.0, "65"),
            (812_000.0, "812 K"),
            (7_420_000.0, "7.42 M"),
            (9_996_000.0, "10.0 M"),
            (10_700_000.0, "10.7 M"),
            (124_439_808.0, "124 M"),
            (999_600_000.0, "1.00 B"),
            (1_235_814_400.0, "1.24 B"),
            (5e15, "5000 T"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn units_are_those_of_the_quantity() {
        assert_eq!(bytes(512), "512 bytes");
        assert_eq!(bytes(4_921_344), "4.92 MB");
        assert_eq!(flops(7.41e9), "7.41 GFLOP");
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-12.3, "-12.3"),
            (0.020_412_3, "0.02041"),
            (123.456, "123.5"),
            (99_999.0, "99999"),
            (1.5e-7, "1.50e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(number), text);
        }
        assert_eq!(with_commas(124_439_808), "124,439,808");
        assert_eq!(with_commas(12), "12");
    }

    #[test]
    fn times_are_those_of_a_clock() {
        assert_eq!(duration(3.1234), "3.1 s");
        assert_eq!(duration(123.4), "2:03");
        assert_eq!(duration(3723.0), "1:02:03");
        assert_eq!(duration(1e300), "1.0e300 s");
    }
}
