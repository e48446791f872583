//! What is measured, and how many values of it become one: medians, quartiles, and the ratio of ours to a peer's.

use serde::{Deserialize, Serialize};

/// A measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Quantity {
    /// Tokens a second.
    Speed,
    /// Megabytes of text a second, of 10⁶ bytes.
    Throughput,
    /// Seconds.
    Time,
    /// Largest resident set of the whole process, in MB of 10⁶ bytes.
    Memory,
    /// Minor page faults of a training step, after the first steps.
    PageFaults,
}

impl Quantity {
    /// The quantity that a program prints with this unit.
    pub(super) fn of_unit(unit: &str) -> Option<Self> {
        [
            Self::Speed,
            Self::Throughput,
            Self::Time,
            Self::Memory,
            Self::PageFaults,
        ]
        .into_iter()
        .find(|quantity| quantity.unit() == unit)
    }

    /// The unit of its values.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Speed => "tokens/s",
            Self::Throughput => "MB/s",
            Self::Time => "s",
            Self::Memory => "MB",
            Self::PageFaults => "page faults/step",
        }
    }

    /// How many times better `ours` is: above one, ours is faster or smaller.
    pub(super) fn ratio(self, ours: f64, peer: f64) -> f64 {
        match self {
            Self::Speed | Self::Throughput => ours / peer,
            Self::Time | Self::Memory | Self::PageFaults => peer / ours,
        }
    }
}

/// The values of a quantity over the rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) unit: String,
    pub(super) median: f64,
    /// A quarter of the values is smaller.
    pub(super) lower_quartile: f64,
    /// A quarter of the values is larger.
    pub(super) upper_quartile: f64,
    /// One value a round, in the order of measuring.
    pub(super) values: Vec<f64>,
}

impl Sample {
    /// The sample of one value or more.
    pub(super) fn new(quantity: Quantity, values: Vec<f64>) -> Self {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        Self {
            unit: quantity.unit().to_owned(),
            median: quantile(&sorted, 0.5),
            lower_quartile: quantile(&sorted, 0.25),
            upper_quartile: quantile(&sorted, 0.75),
            values,
        }
    }
}

/// The value below which the `share` of `sorted` lies, on the straight line between the two values nearest to it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected: [f64; 3]) {
        let sample = Sample::new(Quantity::Time, values.to_vec());
        assert_eq!(
            [sample.lower_quartile, sample.median, sample.upper_quartile],
            expected
        );
        assert_eq!(sample.values, values);
    }

    #[test]
    fn quartiles_lie_a_quarter_from_the_ends() {
        check(&[4.0], [4.0, 4.0, 4.0]);
        check(&[3.0, 1.0], [1.5, 2.0, 2.5]);
        check(&[5.0, 1.0, 4.0, 2.0, 3.0], [2.0, 3.0, 4.0]);
        check(&[7.0, 1.0, 6.0, 2.0, 5.0, 3.0, 4.0], [2.5, 4.0, 5.5]);
    }

    #[test]
    fn a_ratio_above_one_is_better_whatever_is_measured() {
        for quantity in [Quantity::Speed, Quantity::Throughput] {
            assert_eq!(quantity.ratio(30.0, 20.0), 1.5);
        }
        for quantity in [Quantity::Time, Quantity::Memory, Quantity::PageFaults] {
            assert_eq!(quantity.ratio(20.0, 30.0), 1.5);
        }
    }

    #[test]
    fn quantities_are_known_by_their_units() {
        assert_eq!(Quantity::of_unit("tokens/s"), Some(Quantity::Speed));
        assert_eq!(Quantity::of_unit("s"), Some(Quantity::Time));
        assert_eq!(Quantity::of_unit("furlongs"), None);
    }
}
