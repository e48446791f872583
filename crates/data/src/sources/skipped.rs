//! What was passed over under `data.on_error = "skip"`.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::fault::{FileError, RecordError};

/// How many are kept with their place.
const KEPT: usize = 20;

/// Records and files that were passed over because they cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// How many of each kind, such as `not valid JSON`. A file that is damaged on the way, or has nothing to read, counts once.
    pub counts: BTreeMap<String, u64>,
    /// The first of them, up to 20, in the order of the text.
    pub first: Vec<SkippedRecord>,
}

/// A record or the rest of a file that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedRecord {
    /// Where, as `file:line`, or `file` where it is not a single record.
    pub place: String,
    /// Why.
    pub reason: String,
}

impl Skipped {
    /// Whether nothing was passed over.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many records and files there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn record(&mut self, error: &RecordError) {
        let place = format!("{}:{}", error.path.display(), error.line);
        self.add(error.fault.kind(), place, &error.fault);
    }

    pub(super) fn file(&mut self, error: &FileError) {
        let place = error.path.display().to_string();
        self.add(error.fault.kind(), place, &error.fault);
    }

    /// Adds what was passed over later.
    pub(crate) fn append(&mut self, later: Self) {
        for (kind, count) in later.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        let room = KEPT - self.first.len();
        self.first.extend(later.first.into_iter().take(room));
    }

    fn add(&mut self, kind: &str, place: String, fault: &(impl std::error::Error + 'static)) {
        match self.counts.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(kind.to_owned(), 1);
            }
        }
        if self.first.len() < KEPT {
            let reason = match fault.source() {
                Some(source) => format!("{fault}: {source}"),
                None => fault.to_string(),
            };
            self.first.push(SkippedRecord { place, reason });
        }
    }
}

impl Display for Skipped {
    /// Such as `3 not valid JSON, 1 too long`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, count)) in self.counts.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fault::RecordFault;

    #[test]
    fn the_first_twenty_are_kept_and_all_counted() {
        let skip = |lines: std::ops::Range<u64>| {
            let mut skipped = Skipped::default();
            for line in lines {
                skipped.record(&RecordError {
                    path: "a.csv".into(),
                    line,
                    fault: if line % 2 == 0 {
                        RecordFault::Quote
                    } else {
                        RecordFault::JsonOpen
                    },
                });
            }
            skipped
        };
        let mut skipped = skip(1..13);
        skipped.append(skip(13..26));
        assert_eq!(skipped, skip(1..26));
        assert_eq!((skipped.total(), skipped.first.len()), (25, 20));
        assert_eq!(skipped.first[19].place, "a.csv:20");
        assert_eq!(skipped.to_string(), "13 not valid JSON, 12 unclosed quote");
    }
}
