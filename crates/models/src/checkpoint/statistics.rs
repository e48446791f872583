//! The numbers of one tensor in a few numbers, and how far those of two are apart.
//!
//! Values are read in chunks, so that a tensor of any size costs the memory of a chunk beside its file's own pages, which the system takes
//! back when it needs them. Sums are made in f64, chunk by chunk in order: they do not depend on threads.
//!
//! Variances of chunks are put together as in Chan, Golub, LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample
//! Variances".

use rayon::prelude::*;

use super::Checkpoint;
use super::source::Stored;
use crate::ModelError;

/// Values decoded at a time; a multiple of a block.
const DECODED: usize = 1 << 20;
/// Values that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// What the numbers of a tensor are like. Those that are not finite are counted and left out of everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Number of values.
    pub count: u64,
    /// Values that are not numbers.
    pub nan: u64,
    /// Values that are infinite, of either sign.
    pub infinite: u64,
    /// Values that are zero, of either sign.
    pub zeros: u64,
    /// Smallest value; 0 where none is finite, as below.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the values around their mean (of a population: divided by their number).
    pub std: f64,
    /// Euclidean norm.
    pub norm: f64,
}

/// How far the values of two tensors are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// Number of values.
    pub count: u64,
    /// Values whose bits differ.
    pub changed: u64,
    /// Largest absolute difference; not a number where one is not.
    pub largest: f64,
    /// Euclidean norm of the difference over that of the first; infinite where only that is 0.
    pub relative: f64,
    /// Cosine of the angle between the two; not a number where one of them is 0 and the other not.
    pub cosine: f64,
}

impl Checkpoint {
    /// What the numbers of the tensor with this name are like.
    ///
    /// # Errors
    /// There is no such tensor, or its numbers can't be read.
    pub fn statistics(&self, name: &str) -> Result<Statistics, ModelError> {
        let moments = self.with_tensor(name, |stored| {
            let mut all = Moments::default();
            for_each(stored, name, |values| {
                let chunks: Vec<Moments> = values.par_chunks(CHUNK).map(Moments::of).collect();
                all = chunks.into_iter().fold(all, Moments::and);
            })?;
            Ok(all)
        })?;
        Ok(moments.statistics())
    }

    /// How many values of the tensor with this name lie in each of `bins` equal parts of the range from `min` to `max`; those outside and
    /// those that are not finite in none.
    ///
    /// # Errors
    /// There is no such tensor, or its numbers can't be read.
    pub fn histogram(
        &self,
        name: &str,
        [min, max]: [f32; 2],
        bins: usize,
    ) -> Result<Vec<u64>, ModelError> {
        let width = (f64::from(max) - f64::from(min)) / bins as f64;
        let bin_of = |value: f32| {
            let inside = (min..=max).contains(&value);
            let bin = ((f64::from(value) - f64::from(min)) / width) as usize;
            // The largest value belongs to the last part; where all are equal, the width is 0.
            inside.then_some(bin.min(bins - 1))
        };
        self.with_tensor(name, |stored| {
            let mut counts = vec![0; bins];
            for_each(stored, name, |values| {
                let parts = values.par_chunks(CHUNK).map(|values| {
                    let mut counts = vec![0u64; bins];
                    values
                        .iter()
                        .filter_map(|value| bin_of(*value))
                        .for_each(|bin| counts[bin] += 1);
                    counts
                });
                for part in parts.collect::<Vec<_>>() {
                    for (count, more) in counts.iter_mut().zip(part) {
                        *count += more;
                    }
                }
            })?;
            Ok(counts)
        })
    }
}

/// Hands the values of `stored` to `take` in chunks, in order.
fn for_each(
    stored: &Stored<'_>,
    name: &str,
    mut take: impl FnMut(&[f32]),
) -> Result<(), ModelError> {
    let encoding = stored
        .encoding
        .clone()
        .map_err(|dtype| ModelError::TensorType {
            path: stored.path.to_owned(),
            name: name.to_owned(),
            dtype,
        })?;
    let bytes = stored.bytes()?;
    let (together, unit) = encoding.unit();
    for bytes in bytes.chunks(DECODED / together * unit) {
        take(&encoding.decode(bytes));
    }
    Ok(())
}

/// Sums of which statistics are made.
#[derive(Clone, Copy, Default)]
struct Moments {
    nan: u64,
    infinite: u64,
    zeros: u64,
    finite: u64,
    min: f32,
    max: f32,
    mean: f64,
    /// Sum of squared distances from the mean.
    squared_distances: f64,
    squares: f64,
}

impl Moments {
    fn of(values: &[f32]) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let n = finite().count() as u64;
        let count = |which: fn(&f32) -> bool| values.iter().filter(|v| which(v)).count() as u64;
        let mean = finite().map(f64::from).sum::<f64>() / (n.max(1) as f64);
        let squared = |value: f64| value * value;
        Self {
            nan: count(|value| value.is_nan()),
            infinite: count(|value| value.is_infinite()),
            zeros: count(|value| *value == 0.0),
            finite: n,
            min: finite().reduce(f32::min).unwrap_or_default(),
            max: finite().reduce(f32::max).unwrap_or_default(),
            mean,
            squared_distances: finite().map(|v| squared(f64::from(v) - mean)).sum(),
            squares: finite().map(|v| squared(f64::from(v))).sum(),
        }
    }

    fn and(self, other: Self) -> Self {
        let (nan, infinite) = (self.nan + other.nan, self.infinite + other.infinite);
        let counts = |of: Self| Self {
            nan,
            infinite,
            ..of
        };
        if self.finite == 0 {
            return counts(other);
        }
        if other.finite == 0 {
            return counts(self);
        }
        let finite = self.finite + other.finite;
        let (share, apart) = (other.finite as f64 / finite as f64, other.mean - self.mean);
        Self {
            nan,
            infinite,
            zeros: self.zeros + other.zeros,
            finite,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            mean: self.mean + apart * share,
            squared_distances: self.squared_distances
                + other.squared_distances
                + apart * apart * self.finite as f64 * share,
            squares: self.squares + other.squares,
        }
    }

    fn statistics(self) -> Statistics {
        Statistics {
            count: self.finite + self.nan + self.infinite,
            nan: self.nan,
            infinite: self.infinite,
            zeros: self.zeros,
            min: self.min,
            max: self.max,
            mean: self.mean,
            std: (self.squared_distances / self.finite.max(1) as f64).sqrt(),
            norm: self.squares.sqrt(),
        }
    }
}

impl Difference {
    /// How far `b` is from `a`.
    ///
    /// # Panics
    /// When they are not of one length.
    pub fn of(a: &[f32], b: &[f32]) -> Self {
        assert_eq!(a.len(), b.len(), "tensors of one shape");
        let chunks = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
        let sums = chunks.map(|(a, b)| {
            let mut sums = [0.0; 4];
            let (mut largest, mut changed) = (0f64, 0u64);
            for (a, b) in a.iter().zip(b) {
                changed += u64::from(a.to_bits() != b.to_bits());
                let (a, b) = (f64::from(*a), f64::from(*b));
                let apart = (b - a).abs();
                // Once it is not a number, it stays so.
                largest = if apart > largest || apart.is_nan() {
                    apart
                } else {
                    largest
                };
                for (sum, more) in sums.iter_mut().zip([a * a, b * b, a * b, apart * apart]) {
                    *sum += more;
                }
            }
            (sums, largest, changed)
        });
        let mut all = [0.0; 4];
        let (mut largest, mut changed) = (0f64, 0);
        for (sums, most, more) in sums.collect::<Vec<_>>() {
            for (all, sum) in all.iter_mut().zip(sums) {
                *all += sum;
            }
            largest = if most > largest || most.is_nan() {
                most
            } else {
                largest
            };
            changed += more;
        }
        let [aa, bb, ab, apart] = all;
        Self {
            count: a.len() as u64,
            changed,
            largest,
            relative: if apart == 0.0 {
                0.0
            } else {
                (apart / aa).sqrt()
            },
            cosine: if apart == 0.0 {
                1.0
            } else {
                // Rounding may leave it a little beyond 1.
                (ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_put_together_are_the_whole() {
        let mut values: Vec<f32> = (0..1000u32)
            .map(|i| ((i * 7919) % 1009) as f32 / 100.0 + 1000.0)
            .collect();
        values[3] = f32::NAN;
        values[7] = f32::INFINITY;
        values[8] = f32::NEG_INFINITY;
        values[500] = -0.0;
        let whole = Moments::of(&values).statistics();
        let parts = values.chunks(77).map(Moments::of);
        let parts = parts.fold(Moments::default(), Moments::and).statistics();
        assert_eq!(
            (whole.count, whole.nan, whole.infinite, whole.zeros),
            (1000, 1, 2, 1)
        );
        assert_eq!((whole.min, whole.max), (-0.0, parts.max));
        // By the definitions, in one pass each.
        let finite: Vec<f64> = values
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| f64::from(*v))
            .collect();
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let std = (finite.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let norm = finite.iter().map(|v| v * v).sum::<f64>().sqrt();
        for found in [whole, parts] {
            assert!((found.mean / mean - 1.0).abs() < 1e-12, "{found:?}");
            assert!((found.std / std - 1.0).abs() < 1e-9, "{found:?} {std}");
            assert!((found.norm / norm - 1.0).abs() < 1e-12, "{found:?}");
            assert_eq!(found.count, 1000);
        }
        let none = Moments::of(&[f32::NAN]).statistics();
        assert_eq!((none.min, none.mean, none.std), (0.0, 0.0, 0.0));
    }

    #[test]
    fn differences_are_measured() {
        let a = [3.0, 0.0, 4.0];
        assert_eq!(
            Difference::of(&a, &a),
            Difference {
                count: 3,
                cosine: 1.0,
                ..Difference::default()
            }
        );
        let found = Difference::of(&a, &[3.0, 0.5, 4.0]);
        assert_eq!(
            (found.changed, found.largest, found.relative),
            (1, 0.5, 0.1)
        );
        let cosine = 25.0 / (5.0 * 25.25f64.sqrt());
        assert!((found.cosine - cosine).abs() < 1e-12);
        assert_eq!(Difference::of(&a, &[-3.0, 0.0, -4.0]).cosine, -1.0);
        let found = Difference::of(&a, &[f32::NAN, 9.0, 4.0]);
        assert!(found.largest.is_nan() && found.relative.is_nan());
        let found = Difference::of(&[0.0], &[1.0]);
        assert!(found.relative.is_infinite() && found.cosine.is_nan());
    }
}
