//! A mixture of kernels over the unit cube, one for each trial and a broad one for what is believed before.
//!
//! A kernel is a product: cut-off normal distributions for numbers, weights for choices. Where a trial has no value for a parameter, its kernel is as broad
//! there as the one for what is believed.

use crate::distribution::Distribution;
use crate::history::Observation;
use crate::normal;
use crate::random::Stream;
use crate::space::{Point, Space};

pub(super) struct Density<'a> {
    space: &'a Space,
    /// Logarithms; the last kernel is the broad one.
    log_weights: Vec<f64>,
    weights: Vec<f64>,
    dimensions: Vec<Dimension>,
}

enum Dimension {
    Number {
        kernels: Vec<Kernel>,
        discrete: bool,
    },
    /// Log probabilities, a row for each kernel.
    Choice { log_probabilities: Vec<Vec<f64>> },
}

#[derive(Clone, Copy)]
struct Kernel {
    mean: f64,
    deviation: f64,
    /// Logarithm of the part of the normal distribution that lies in the unit interval.
    log_inside: f64,
    log_deviation: f64,
}

impl Kernel {
    fn broad() -> Self {
        Self::new(0.5, 1.0)
    }

    fn new(mean: f64, deviation: f64) -> Self {
        let inside = normal::mass(-mean / deviation, (1.0 - mean) / deviation);
        Self {
            mean,
            deviation,
            log_inside: inside.ln(),
            log_deviation: deviation.ln(),
        }
    }
}

impl<'a> Density<'a> {
    /// The density of `trials`, which are in the order of their numbers.
    pub(super) fn of(space: &'a Space, trials: &[&Observation], width: Width) -> Self {
        let mut weights = age_weights(trials.len());
        weights.push(1.0);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        let dimensions = space
            .parameters()
            .iter()
            .enumerate()
            .map(|(place, parameter)| {
                let values = trials.iter().map(|trial| trial.point[place]);
                match &*parameter.distribution {
                    Distribution::Categorical { choices } => choice(values, choices.len()),
                    numeric => {
                        let units: Vec<Option<f64>> =
                            values.map(|value| Some(numeric.unit_of(value?))).collect();
                        let deviations = match width {
                            Width::Spread => spread(&units, space.parameters().len()),
                            Width::Neighbour => neighbour(&units),
                        };
                        let means = units.iter().zip(deviations);
                        let kernels = means.map(|(unit, deviation)| match unit {
                            Some(unit) => Kernel::new(*unit, deviation),
                            None => Kernel::broad(),
                        });
                        Dimension::Number {
                            kernels: kernels.chain([Kernel::broad()]).collect(),
                            discrete: numeric.cardinality().is_some(),
                        }
                    }
                }
            })
            .collect();
        Self {
            space,
            log_weights: weights.iter().map(|weight| weight.ln()).collect(),
            weights,
            dimensions,
        }
    }

    /// A draw, one place in the unit interval for each parameter.
    pub(super) fn draw(&self, stream: &mut Stream) -> Vec<f64> {
        let kernel = stream.weighted(&self.weights);
        self.dimensions
            .iter()
            .map(|dimension| match dimension {
                Dimension::Number { kernels, .. } => {
                    let Kernel {
                        mean, deviation, ..
                    } = kernels[kernel];
                    normal::draw_in_unit(stream, mean, deviation)
                }
                Dimension::Choice { log_probabilities } => {
                    let row = &log_probabilities[kernel];
                    let probabilities: Vec<f64> = row.iter().map(|log| log.exp()).collect();
                    (stream.weighted(&probabilities) as f64 + 0.5) / row.len() as f64
                }
            })
            .collect()
    }

    /// Logarithm of the density at `point`, up to a constant that depends on nothing but which parameters are active.
    pub(super) fn log_density(&self, point: &Point) -> f64 {
        let mut logs = self.log_weights.clone();
        for ((parameter, dimension), value) in self
            .space
            .parameters()
            .iter()
            .zip(&self.dimensions)
            .zip(point)
        {
            let Some(value) = *value else { continue };
            match dimension {
                Dimension::Choice { log_probabilities } => {
                    for (log, row) in logs.iter_mut().zip(log_probabilities) {
                        *log += row[value as usize];
                    }
                }
                Dimension::Number {
                    kernels,
                    discrete: false,
                } => {
                    let unit = parameter.distribution.unit_of(value);
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        let z = (unit - kernel.mean) / kernel.deviation;
                        *log -= 0.5 * z * z + kernel.log_deviation + kernel.log_inside;
                    }
                }
                Dimension::Number {
                    kernels,
                    discrete: true,
                } => {
                    let (low, high) = parameter.distribution.share(value);
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        let mass = normal::mass(
                            (low - kernel.mean) / kernel.deviation,
                            (high - kernel.mean) / kernel.deviation,
                        );
                        *log += mass.max(f64::MIN_POSITIVE).ln() - kernel.log_inside;
                    }
                }
            }
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln() + most
    }
}

/// How broad the kernels of numbers are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    /// As the values as a whole spread: for few trials that lie together, and shall be followed where they go.
    Spread,
    /// To the next value: for many trials, so that none leaves a hole and none a peak.
    Neighbour,
}

/// Old trials count less, the newest 25 alike.
fn age_weights(n: usize) -> Vec<f64> {
    const RECENT: usize = 25;
    let old = n.saturating_sub(RECENT);
    (0..n)
        .map(|place| {
            if place >= old {
                1.0
            } else if old == 1 {
                1.0 / n as f64
            } else {
                let share = place as f64 / (old - 1) as f64;
                (1.0 - share) / n as f64 + share
            }
        })
        .collect()
}

/// Scott's rule, with a floor that sinks as trials come: so the search first tells the basins apart, and then goes down in one. The two constants were chosen on
/// 60 seeds that the benchmark does not use; see docs/search.md.
fn spread(units: &[Option<f64>], dimensions: usize) -> Vec<f64> {
    const FLOOR: f64 = 0.03;
    const FIRST_FLOOR: f64 = 0.25;
    let known: Vec<f64> = units.iter().flatten().copied().collect();
    let n = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / n;
    let variance = known.iter().map(|unit| (unit - mean).powi(2)).sum::<f64>() / n;
    let scott = variance.sqrt() * n.powf(-1.0 / (dimensions as f64 + 4.0));
    let floor = FLOOR.max(FIRST_FLOOR / (1.0 + units.len() as f64));
    vec![scott.clamp(floor, 1.0); units.len()]
}

/// The larger distance to a neighbour, as in Bergstra et al. 2011.
fn neighbour(units: &[Option<f64>]) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = units
        .iter()
        .enumerate()
        .filter_map(|(place, unit)| Some(((*unit)?, place)))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let floor = 1.0 / (2.0 + units.len() as f64).min(100.0);
    let mut deviations = vec![1.0; units.len()];
    for (rank, (here, place)) in order.iter().enumerate() {
        let below = rank.checked_sub(1).map(|rank| here - order[rank].0);
        let above = order.get(rank + 1).map(|(next, _)| next - here);
        // The only one reaches to the further end.
        let widest = below.into_iter().chain(above).reduce(f64::max);
        let widest = widest.unwrap_or_else(|| here.max(1.0 - here));
        deviations[*place] = widest.clamp(floor, 1.0);
    }
    deviations
}

fn choice(values: impl Iterator<Item = Option<f64>>, n_choices: usize) -> Dimension {
    let values: Vec<Option<f64>> = values.collect();
    let prior = 1.0 / (values.len() + 1) as f64;
    let row = |value: Option<f64>| {
        let mut weights = vec![prior; n_choices];
        if let Some(weight) = value.and_then(|value| weights.get_mut(value as usize)) {
            *weight += 1.0;
        }
        let total: f64 = weights.iter().sum();
        weights
            .into_iter()
            .map(|weight| (weight / total).ln())
            .collect()
    };
    let broad = std::iter::once(row(None));
    Dimension::Choice {
        log_probabilities: values
            .iter()
            .map(|value| row(*value))
            .chain(broad)
            .collect(),
    }
}
