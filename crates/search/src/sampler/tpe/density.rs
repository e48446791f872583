//! A mixture of kernels over the unit cube, one for each trial and a broad one for what is believed before.
//!
//! A kernel is a product: cut-off normal distributions for numbers, weights for choices. Where a trial has no value for a parameter, its kernel is as broad
//! there as the one for what is believed.

use crate::distribution::Distribution;
use crate::history::Observation;
use crate::normal;
use crate::random::Stream;
use crate::space::{Point, Space};

use super::Tune;

pub(super) struct Density<'a> {
    space: &'a Space,
    /// Logarithms; the last kernel is the broad one.
    log_weights: Vec<f64>,
    weights: Vec<f64>,
    dimensions: Vec<Dimension>,
}

enum Dimension {
    Number { kernels: Vec<Kernel>, discrete: bool },
    /// Log probabilities, a row for each kernel.
    Choice { log_probabilities: Vec<Vec<f64>> },
}

#[derive(Clone, Copy)]
struct Kernel {
    mean: f64,
    deviation: f64,
    /// Logarithm of the part of the normal distribution that lies in the unit interval.
    log_inside: f64,
}

impl Kernel {
    const BROAD: (f64, f64) = (0.5, 1.0);

    fn new(mean: f64, deviation: f64) -> Self {
        let inside = normal::mass(-mean / deviation, (1.0 - mean) / deviation);
        Self { mean, deviation, log_inside: inside.ln() }
    }
}

impl<'a> Density<'a> {
    /// The density of `trials`, which are in the order of their numbers.
    pub(super) fn of(space: &'a Space, trials: &[&Observation], tune: &Tune, above: bool) -> Self {
        let mut weights = age_weights(trials.len(), tune, above);
        weights.push(tune.prior);
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
                        number(numeric, values.map(|value| Some(numeric.to_unit(value?))).collect(), tune, above, space.parameters().len())
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
                    let Kernel { mean, deviation, .. } = kernels[kernel];
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
        for ((parameter, dimension), value) in
            self.space.parameters().iter().zip(&self.dimensions).zip(point)
        {
            let Some(value) = *value else { continue };
            match dimension {
                Dimension::Choice { log_probabilities } => {
                    for (log, row) in logs.iter_mut().zip(log_probabilities) {
                        *log += row[value as usize];
                    }
                }
                Dimension::Number { kernels, discrete: false } => {
                    let unit = parameter.distribution.to_unit(value);
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        let z = (unit - kernel.mean) / kernel.deviation;
                        *log -= 0.5 * z * z + kernel.deviation.ln() + kernel.log_inside;
                    }
                }
                Dimension::Number { kernels, discrete: true } => {
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

/// Old trials count less, the newest 25 alike.
fn age_weights(n: usize, tune: &Tune, above: bool) -> Vec<f64> {
    const RECENT: usize = 25;
    let _ = above;
    let old = n.saturating_sub(RECENT);
    (0..n)
        .map(|place| {
            if place >= old || tune.weight_mode == 1 {
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

fn number(distribution: &Distribution, units: Vec<Option<f64>>, tune: &Tune, above: bool, dims: usize) -> Dimension {
    let mut order: Vec<usize> = (0..units.len()).filter(|place| units[*place].is_some()).collect();
    let unit = |place: usize| units[place].unwrap_or(0.5);
    order.sort_by(|a, b| unit(*a).total_cmp(&unit(*b)));
    let n = units.len();
    let mut kernels = vec![Kernel::new(Kernel::BROAD.0, Kernel::BROAD.1); n + 1];
    let mode = if above { tune.above_mode } else { tune.mode };
    let narrowest = match mode {
        0 | 1 => (1.0 / (2.0 + n as f64).min(100.0)).max(tune.min_sigma),
        _ => tune.min_sigma.max(tune.fk / (1.0 + n as f64)),
    };
    // Scott's rule
    let count = order.len().max(1) as f64;
    let mean = order.iter().map(|p| unit(*p)).sum::<f64>() / count;
    let var = order.iter().map(|p| (unit(*p) - mean).powi(2)).sum::<f64>() / count;
    let scott = var.sqrt() * count.powf(-1.0 / (dims as f64 + 4.0));
    for (rank, place) in order.iter().enumerate() {
        let here = unit(*place);
        let below = if rank > 0 { Some(here - unit(order[rank - 1])) } else { None };
        let above_gap = order.get(rank + 1).map(|next| unit(*next) - here);
        let widest = match (below, above_gap) {
            (Some(below), Some(above)) => below.max(above),
            (Some(gap), None) | (None, Some(gap)) => gap,
            // The only one: as far as to the further end.
            (None, None) => here.max(1.0 - here),
        };
        let s = match mode {
            0 => widest,
            1 | 2 => scott * tune.sigma_scale,
            3 => widest * tune.sigma_scale,
            _ => tune.sigma_scale,
        };
        kernels[*place] = Kernel::new(here, s.clamp(narrowest, 1.0));
    }
    Dimension::Number { kernels, discrete: distribution.cardinality().is_some() }
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
        weights.into_iter().map(|weight| (weight / total).ln()).collect()
    };
    let broad = std::iter::once(row(None));
    Dimension::Choice { log_probabilities: values.iter().map(|value| row(*value)).chain(broad).collect() }
}
