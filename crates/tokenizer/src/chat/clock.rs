//! `strftime_now`: the date and time, written as a template asks.

use std::time::SystemTime;

use minijinja::{Error, ErrorKind};
use time::OffsetDateTime;
use time::format_description::parse_strftime_borrowed;

/// Writes `now` in UTC by the codes of C's `strftime`.
pub(crate) fn strftime(now: SystemTime, format: &str) -> Result<String, Error> {
    let items = parse_strftime_borrowed(format).map_err(|source| {
        let message = format!("strftime_now cannot write the format {format:?}");
        Error::new(ErrorKind::InvalidOperation, message).with_source(source)
    })?;
    OffsetDateTime::from(now).format(&items).map_err(|source| {
        let message = format!("strftime_now cannot write the time as {format:?}");
        Error::new(ErrorKind::InvalidOperation, message).with_source(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_written_in_the_ways_of_templates() {
        // 2024-07-04 05:06:07 UTC.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_720_069_567);
        for (format, expected) in [
            ("%d %b %Y", "04 Jul 2024"),
            ("%Y-%m-%d", "2024-07-04"),
            ("%B %-d, %Y", "July 4, 2024"),
            (
                "%A %H:%M:%S %I %p %y %j %%",
                "Thursday 05:06:07 05 AM 24 186 %",
            ),
            ("", ""),
        ] {
            assert_eq!(strftime(now, format).unwrap(), expected);
        }
        let error = strftime(now, "%Q").unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid operation: strftime_now cannot write the format \"%Q\""
        );
    }
}
