//! Numbers as people read them: three digits and a unit.

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
}
