//! The posterior of a Gaussian process, and the fit of what its kernel depends on.

use crate::linalg::{backward, cholesky, dot, forward};
use crate::normal;

/// A Gaussian process that has seen points of the unit cube and their losses, which have mean 0 and variance 1.
pub(super) struct Process {
    points: Vec<Vec<f64>>,
    losses: Vec<f64>,
    /// For each dimension whether only equality matters.
    is_choice: Vec<bool>,
    settings: Settings,
    lower: Vec<Vec<f64>>,
    /// The inverse covariance times the losses.
    weights: Vec<f64>,
}

/// Logarithms: of the inverse square of each length, of the variance and of the noise.
#[derive(Clone)]
struct Settings(Vec<f64>);

impl Settings {
    fn scales(&self) -> impl Iterator<Item = f64> {
        self.0[..self.0.len() - 2].iter().map(|log| log.exp())
    }

    fn variance(&self) -> f64 {
        self.0[self.0.len() - 2].exp()
    }

    fn noise(&self) -> f64 {
        self.0[self.0.len() - 1].exp()
    }

    /// What is believed of each before anything is seen, as mean and deviation of a normal distribution.
    fn belief(&self, place: usize) -> (f64, f64) {
        match self.0.len() - place {
            1 => (1e-4f64.ln(), 2.0),
            2 => (0.0, 1.0),
            // A length of about half the cube; many dimensions make points further apart, so each matters less.
            _ => (4f64.ln() - (self.0.len() as f64 / 4.0).ln().max(0.0), 1.5),
        }
    }
}

/// Steps of the fit.
const STEPS: usize = 40;

impl Process {
    /// The process whose settings are most probable; nothing if no covariance can be decomposed.
    pub(super) fn fit(
        points: Vec<Vec<f64>>,
        losses: Vec<f64>,
        is_choice: Vec<bool>,
    ) -> Option<Self> {
        let mut settings = Settings(vec![0.0; is_choice.len() + 2]);
        for place in 0..settings.0.len() {
            settings.0[place] = settings.belief(place).0;
        }
        // Resilient propagation: only the signs of the gradient count, so no scale has to be known.
        let mut steps = vec![0.3; settings.0.len()];
        let mut before = vec![0.0; settings.0.len()];
        let mut best: Option<(f64, Self)> = None;
        for _ in 0..STEPS {
            let process = Self::of(
                points.clone(),
                losses.clone(),
                is_choice.clone(),
                settings.clone(),
            );
            let Some(process) = process else { break };
            let (value, gradient) = process.log_posterior();
            if best.as_ref().is_none_or(|(most, _)| value > *most) {
                best = Some((value, process));
            }
            for (place, slope) in gradient.iter().enumerate() {
                let agrees = slope * before[place];
                steps[place] = f64::clamp(
                    steps[place] * if agrees < 0.0 { 0.5 } else { 1.2 },
                    1e-3,
                    1.0,
                );
                settings.0[place] += steps[place] * slope.signum();
                before[place] = *slope;
            }
            let noise = settings.0.len() - 1;
            settings.0[noise] = settings.0[noise].max(1e-8f64.ln());
        }
        best.map(|(_, process)| process)
    }

    fn of(
        points: Vec<Vec<f64>>,
        losses: Vec<f64>,
        is_choice: Vec<bool>,
        settings: Settings,
    ) -> Option<Self> {
        let mut process = Self {
            points,
            losses,
            is_choice,
            settings,
            lower: Vec::new(),
            weights: Vec::new(),
        };
        let noise = process.settings.noise();
        let covariance: Vec<Vec<f64>> = process
            .points
            .iter()
            .enumerate()
            .map(|(i, point)| {
                let mut row = process.covariances(point);
                row[i] += noise;
                row
            })
            .collect();
        process.lower = cholesky(&covariance)?;
        process.weights = backward(&process.lower, &forward(&process.lower, &process.losses));
        Some(process)
    }

    /// The covariance of `point` with each that was seen.
    fn covariances(&self, point: &[f64]) -> Vec<f64> {
        let variance = self.settings.variance();
        let scales: Vec<f64> = self.settings.scales().collect();
        let covariance = |seen: &Vec<f64>| {
            let distance = self.distance(&scales, point, seen);
            variance * (1.0 + distance + distance * distance / 3.0) * (-distance).exp()
        };
        self.points.iter().map(covariance).collect()
    }

    /// The distance that the kernel sees.
    fn distance(&self, scales: &[f64], a: &[f64], b: &[f64]) -> f64 {
        let squares = scales
            .iter()
            .enumerate()
            .map(|(i, scale)| scale * self.square(i, a[i], b[i]));
        5f64.sqrt() * squares.sum::<f64>().sqrt()
    }

    fn square(&self, dimension: usize, a: f64, b: f64) -> f64 {
        if self.is_choice[dimension] {
            f64::from(u8::from((a - b).abs() > 1e-9))
        } else {
            (a - b) * (a - b)
        }
    }

    /// Logarithm of the posterior density of the settings, up to a constant, and its gradient.
    fn log_posterior(&self) -> (f64, Vec<f64>) {
        let fit = -0.5 * dot(&self.losses, &self.weights);
        let volume: f64 = self
            .lower
            .iter()
            .enumerate()
            .map(|(i, row)| row[i].ln())
            .sum();
        let mut value = fit - volume;
        // The derivative by an entry of the covariance is half of (weights weights' - inverse).
        let inverse = self.inverse();
        let scales: Vec<f64> = self.settings.scales().collect();
        let variance = self.settings.variance();
        let noise = self.settings.noise();
        let mut gradient = vec![0.0; self.settings.0.len()];
        let (at_variance, at_noise) = (gradient.len() - 2, gradient.len() - 1);
        for (i, row) in inverse.iter().enumerate() {
            for (j, entry) in row.iter().enumerate().take(i + 1) {
                let twice = if i == j { 0.5 } else { 1.0 };
                let slope = twice * (self.weights[i] * self.weights[j] - entry);
                let distance = self.distance(&scales, &self.points[i], &self.points[j]);
                let decay = (-distance).exp();
                gradient[at_variance] +=
                    slope * variance * (1.0 + distance + distance * distance / 3.0) * decay;
                let by_square = -variance * 5.0 / 6.0 * (1.0 + distance) * decay;
                for (dimension, scale) in scales.iter().enumerate() {
                    let square = self.square(
                        dimension,
                        self.points[i][dimension],
                        self.points[j][dimension],
                    );
                    gradient[dimension] += slope * by_square * scale * square;
                }
            }
            gradient[at_noise] += 0.5 * (self.weights[i].powi(2) - row[i]) * noise;
        }
        for (place, setting) in self.settings.0.iter().enumerate() {
            let (mean, deviation) = self.settings.belief(place);
            let z = (setting - mean) / deviation;
            value -= 0.5 * z * z;
            gradient[place] -= z / deviation;
        }
        (value, gradient)
    }

    fn inverse(&self) -> Vec<Vec<f64>> {
        let n = self.lower.len();
        (0..n)
            .map(|i| {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                backward(&self.lower, &forward(&self.lower, &unit))
            })
            .collect()
    }

    /// The seen points of least loss, the best first.
    pub(super) fn best_points(&self, n: usize) -> impl Iterator<Item = &Vec<f64>> {
        let mut order: Vec<usize> = (0..self.losses.len()).collect();
        order.sort_by(|a, b| self.losses[*a].total_cmp(&self.losses[*b]));
        order.into_iter().take(n).map(|place| &self.points[place])
    }

    /// Logarithm of the expected improvement over `best` at `point`.
    pub(super) fn log_improvement(&self, point: &[f64], best: f64) -> f64 {
        let covariances = self.covariances(point);
        let mean = dot(&covariances, &self.weights);
        let explained = forward(&self.lower, &covariances);
        let variance = (self.settings.variance() - dot(&explained, &explained)).max(1e-12);
        let deviation = variance.sqrt();
        log_h((best - mean) / deviation) + deviation.ln()
    }
}

/// Logarithm of `density(z) + z * integral(z)` of the standard normal distribution, also where that is too small for a number.
fn log_h(z: f64) -> f64 {
    let log_density = -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln();
    if z > -5.0 {
        (log_density.exp() + z * normal::cdf(z)).ln()
    } else {
        // The first terms of its expansion: density / z² (1 - 3 / z² + 15 / z⁴).
        let s = 1.0 / (z * z);
        log_density + s.ln() + (-3.0 * s + 15.0 * s * s).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn example() -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut stream = Stream::new(1, &[]);
        let points: Vec<Vec<f64>> = (0..24)
            .map(|_| (0..3).map(|_| stream.uniform()).collect())
            .collect();
        let losses: Vec<f64> = points
            .iter()
            .map(|x| (4.0 * x[0]).sin() + 0.3 * x[1] - 0.5)
            .collect();
        (points, losses)
    }

    #[test]
    fn gradient_is_that_of_finite_differences() {
        let (points, losses) = example();
        let at = |settings: &[f64]| {
            Process::of(
                points.clone(),
                losses.clone(),
                vec![false, false, true],
                Settings(settings.to_vec()),
            )
            .unwrap()
            .log_posterior()
        };
        let settings = [0.4, -0.3, 0.2, 0.1, -3.0];
        let (_, gradient) = at(&settings);
        for place in 0..settings.len() {
            let moved = |by: f64| {
                let mut settings = settings;
                settings[place] += by;
                at(&settings).0
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (difference - gradient[place]).abs() < 1e-5,
                "{place}: {difference} {}",
                gradient[place]
            );
        }
    }

    #[test]
    fn what_was_seen_is_known_and_what_matters_found() {
        let (points, losses) = example();
        let process = Process::fit(points.clone(), losses.clone(), vec![false; 3]).unwrap();
        for (point, loss) in points.iter().zip(&losses) {
            let mean = dot(&process.covariances(point), &process.weights);
            assert!((mean - loss).abs() < 0.05, "{mean} {loss}");
        }
        let scales: Vec<f64> = process.settings.scales().collect();
        assert!(
            scales[0] > 3.0 * scales[1] && scales[1] > scales[2],
            "{scales:?}"
        );
    }

    #[test]
    fn logarithm_of_improvement_is_smooth_where_its_form_changes() {
        assert!((log_h(-5.0 + 1e-9) - log_h(-5.0 - 1e-9)).abs() < 0.02);
        assert!((log_h(0.0) - (1.0 / std::f64::consts::TAU.sqrt()).ln()).abs() < 1e-12);
        assert!(log_h(-40.0).is_finite());
    }
}
