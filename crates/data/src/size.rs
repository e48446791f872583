//! Sizes in bytes as people write them: `10MB`, `512 KB`, `1GiB`, `123`.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::DataError;

const UNITS: [(&str, u64); 9] = [
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("b", 1),
];

/// A number of bytes; in a file an integer, or a text such as `"4MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Reads a size: a number, which may have decimals when a unit follows; decimal (`KB MB GB TB`) and binary (`KiB MiB GiB TiB`) units
/// in any case, with or without a space.
///
/// # Errors
/// [`DataError::Size`] for anything else, and for more than 2^64 - 1 bytes.
pub fn parse_size(text: &str) -> Result<u64, DataError> {
    size(text).ok_or_else(|| DataError::Size {
        found: text.to_owned(),
    })
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
        .unwrap_or(text.len());
    let (number, unit) = (text[..digits].replace('_', ""), text[digits..].trim());
    let scale = if unit.is_empty() {
        1
    } else {
        let known = |(name, _): &&(&str, u64)| unit.eq_ignore_ascii_case(name);
        UNITS.iter().find(known)?.1
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut bytes = u128::from(whole) * u128::from(scale);
    if number.contains('.') {
        let divisor = 10_u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
        let decimals: u64 = decimals.parse().ok()?;
        let part = u128::from(decimals) * u128::from(scale);
        if scale == 1 && part != 0 {
            return None;
        }
        bytes += part / divisor;
    }
    u64::try_from(bytes).ok()
}

impl fmt::Display for ByteSize {
    /// Writes the largest unit that gives a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(&str, u64); 7] = [
            ("GiB", 1 << 30),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("MiB", 1 << 20),
            ("KB", 1_000),
            ("KiB", 1 << 10),
            ("B", 1),
        ];
        let fits = |(_, scale): &&(&str, u64)| self.0.is_multiple_of(*scale) && self.0 > 0;
        let (name, scale) = NAMES.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / scale)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;

        impl Visitor<'_> for SizeVisitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a size such as \"4MB\"")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::custom("a size cannot be negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                parse_size(text).map(ByteSize).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(SizeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("123", 123),
            ("10MB", 10_000_000),
            ("512 KB", 512_000),
            ("1GiB", 1 << 30),
            ("1.5 kib", 1536),
            (" 2 b ", 2),
            ("1_000", 1000),
            ("0.5MB", 500_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text).ok(), Some(bytes), "{text}");
        }
        for text in [
            "",
            "MB",
            "ten",
            "1.5",
            "-1",
            "1 mile",
            "1..5MB",
            ".5MB",
            "1.MB",
            "20000000TB",
        ] {
            let error = parse_size(text).expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("`{text}` is not a size")),
                "{error}"
            );
        }
    }

    #[test]
    fn serde_takes_integers_and_texts() {
        let read = |json: &str| serde_json::from_str::<ByteSize>(json);
        assert_eq!(read("77").ok(), Some(ByteSize(77)));
        assert_eq!(read("\"4MB\"").ok(), Some(ByteSize(4_000_000)));
        assert!(read("-1").is_err() && read("\"x\"").is_err() && read("true").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: u64, shift in 0_u32..64) {
            let size = ByteSize(bytes >> shift);
            prop_assert_eq!(parse_size(&size.to_string()).ok(), Some(size.0));
        }
    }
}
