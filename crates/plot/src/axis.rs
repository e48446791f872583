//! Axes: straight or logarithmic, with marks at round numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How values become lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By their logarithm; values from 0 down are left out. Marks stand at the powers of this base, and for 10 at twice and five times these.
    Log {
        /// 2 or 10, say.
        base: f64,
    },
}

/// One axis of a [`Chart`](crate::Chart).
#[derive(Clone, Debug)]
pub struct Axis {
    pub(crate) label: String,
    scale: Scale,
    includes: Vec<f64>,
}

impl Axis {
    /// An axis as long as the values need it.
    pub fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self {
            label: label.into(),
            scale,
            includes: Vec::new(),
        }
    }

    /// A straight axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Linear)
    }

    /// A logarithmic axis with marks at powers of ten.
    pub fn log(label: impl Into<String>) -> Self {
        Self::new(label, Scale::Log { base: 10.0 })
    }

    /// Makes the axis reach `value`, 0 for example.
    #[must_use]
    pub fn including(mut self, value: f64) -> Self {
        self.includes.push(value);
        self
    }

    /// Whether `value` has a place on the axis.
    pub(crate) fn holds(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The axis over these values; from 0 to 1, or 1 to 10, where there are none.
    pub(crate) fn over(&self, values: impl Iterator<Item = f64>) -> Ruler {
        let values = values.chain(self.includes.iter().copied());
        let (mut from, mut to) = values
            .filter(|&value| self.holds(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| {
                (from.min(value), to.max(value))
            });
        match self.scale {
            _ if from < to => {}
            Scale::Linear if from > to => (from, to) = (0.0, 1.0),
            Scale::Log { base } if from > to => (from, to) = (1.0, base),
            // A single value stands in the middle.
            Scale::Linear => {
                let room = if from == 0.0 { 1.0 } else { from.abs() / 2.0 };
                (from, to) = (from - room, to + room);
            }
            Scale::Log { base } => (from, to) = (from / base, to * base),
        }
        Ruler {
            scale: self.scale,
            from,
            to,
        }
    }
}

/// An axis whose ends are known, from `from` to a larger `to`.
#[derive(Clone, Debug)]
pub(crate) struct Ruler {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Ruler {
    /// Makes room above and below, so that no curve runs along the frame; an end at 0 stays there.
    pub(crate) fn with_room(mut self) -> Self {
        const SHARE: f64 = 0.04;
        match self.scale {
            Scale::Linear => {
                let room = SHARE * (self.to - self.from);
                if self.from != 0.0 {
                    self.from -= room;
                }
                self.to += room;
            }
            Scale::Log { .. } => {
                let room = (self.to / self.from).powf(SHARE);
                (self.from, self.to) = (self.from / room, self.to * room);
            }
        }
        self
    }

    /// Where `value` lies between the ends, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log { .. } => (value / self.from).ln() / (self.to / self.from).ln(),
        }
    }

    /// About `most` round values, ascending.
    fn marks(&self, most: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.round_marks(most),
            Scale::Log { base } => self.power_marks(base, most),
        }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn round_marks(&self, most: usize) -> Vec<f64> {
        let raw = (self.to - self.from) / most.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|&step| step >= raw)
            .unwrap_or(10.0 * power);
        let (first, last) = ((self.from / step).ceil(), (self.to / step).floor());
        let count = (last - first).clamp(0.0, 1000.0) as usize;
        (0..=count)
            .map(|i| (first + i as f64) * step)
            .filter(|mark| (self.from..=self.to).contains(mark))
            .collect()
    }

    fn power_marks(&self, base: f64, most: usize) -> Vec<f64> {
        let exponent = |value: f64| value.ln() / base.ln();
        // Rounding must not lose an end that is a power itself.
        let first = (exponent(self.from) - 1e-9).ceil() as i32;
        let last = (exponent(self.to) + 1e-9).floor() as i32;
        let n_powers = usize::try_from(last - first + 1).unwrap_or(0);
        let factors: &[f64] = match (base == 10.0, 3 * n_powers <= most, n_powers) {
            (true, true, _) | (true, _, 0..=1) => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = n_powers.div_ceil(most.max(1)).max(1);
        let marks: Vec<f64> = (first - 1..=last)
            .filter(|power| (power - first).rem_euclid(every as i32) == 0)
            .flat_map(|power| factors.iter().map(move |factor| factor * base.powi(power)))
            .filter(|mark| (self.from * (1.0 - 1e-9)..=self.to * (1.0 + 1e-9)).contains(mark))
            .collect();
        if marks.len() < 2 {
            // Less than a decade: round values do.
            return self.round_marks(most);
        }
        marks
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        low + (self.share(*value) * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.marks(hint.max_num_points())
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        short(*value)
    }
}

/// A number in few characters: `1.5k`, `20M`, `0.003`, `1e-5`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    let trimmed = |number: f64, digits: usize| {
        let text = format!("{number:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    // A mark at 0 is the sum of rounded steps.
    if size < 1e-12 {
        return "0".into();
    }
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let shortens = |unit: f64| size >= unit && (unit > 1e3 || size >= 1e4 && size % 100.0 == 0.0);
    if let Some((unit, name)) = units.into_iter().find(|(unit, _)| shortens(*unit)) {
        return trimmed(value / unit, 3) + name;
    }
    if size < 1e-3 {
        let text = format!("{value:.2e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}e{power}");
    }
    trimmed(value, if size >= 100.0 { 2 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, values: &[f64], marks: &[f64]) {
        let found = axis.over(values.iter().copied()).marks(5);
        assert_eq!(found.len(), marks.len(), "{found:?}");
        for (found, mark) in found.iter().zip(marks) {
            assert!((found - mark).abs() <= 1e-9 * mark.abs(), "{found} {mark}");
        }
    }

    #[test]
    fn marks_are_round() {
        let linear = Axis::linear("");
        check(&linear, &[0.0, 1.0], &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        check(&linear, &[1.3, 4.1], &[2.0, 3.0, 4.0]);
        check(&linear, &[2.0], &[1.0, 1.5, 2.0, 2.5, 3.0]);
        check(&Axis::log(""), &[1.0, 1e4], &[1.0, 10.0, 100.0, 1e3, 1e4]);
        check(&Axis::log(""), &[2.1, 5.3], &[3.0, 4.0, 5.0]);
        let doublings = Axis::new("", Scale::Log { base: 2.0 });
        check(&doublings, &[64.0, 512.0], &[64.0, 128.0, 256.0, 512.0]);
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let log = Axis::log("").over([f64::NAN, -1.0, 0.0, 3.0, 30.0].into_iter());
        assert_eq!((log.from, log.to), (3.0, 30.0));
        let none = Axis::linear("").over([f64::INFINITY].into_iter());
        assert_eq!((none.from, none.to), (0.0, 1.0));
    }

    #[test]
    fn numbers_are_short() {
        let texts = [
            0.0, 1.0, 0.25, 1500.0, 16_384.0, 20_000.0, 2.5e6, 0.003, 1e-5, -0.5,
        ]
        .map(short);
        assert_eq!(
            texts,
            [
                "0", "1", "0.25", "1500", "16384", "20k", "2.5M", "0.003", "1e-5", "-0.5"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn marks_lie_between_the_ends(a in -1e9f64..1e9, b in -1e9f64..1e9, most in 1usize..20) {
            for axis in [Axis::linear(""), Axis::log(""), Axis::new("", Scale::Log { base: 2.0 })] {
                let ruler = axis.over([a, b].into_iter());
                let marks = ruler.marks(most);
                proptest::prop_assert!(marks.len() <= 4 * most + 4);
                for mark in marks {
                    let share = ruler.share(mark);
                    proptest::prop_assert!((-1e-6..=1.000001).contains(&share), "{mark} {ruler:?}");
                }
            }
        }
    }
}
