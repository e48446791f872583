//! The learning-rate range test: a few steps at ever higher rates, to see where the loss falls and where it breaks out.
//!
//! Sources: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; the growth, the end at four times the best loss
//! and the two suggestions are those of fastai's `lr_find` (`steep`, `minimum`).

use llm_data::TokenShard;
use llm_models::LanguageModel;

use crate::{Settings, TrainError, TrainingSteps};

/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// The test ends where the smoothed loss is so many times its best.
const DIVERGED: f64 = 4.0;

/// The rates of a test, each a fixed factor above the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRange {
    /// The lowest rate, above 0.
    pub from: f64,
    /// The highest rate, above `from`.
    pub to: f64,
    /// Optimizer steps, at least 2.
    pub steps: u64,
}

/// One step of a test.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RangePoint {
    /// Its learning rate.
    pub learning_rate: f64,
    /// Its loss before the update, in nats per token.
    pub loss: f64,
    /// The moving average of the losses.
    pub smoothed: f64,
}

/// What a test found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RangeTest {
    /// Every step, in order; fewer than asked for where the loss broke out.
    pub points: Vec<RangePoint>,
    /// The rate at which the smoothed loss falls fastest: the peak to begin with. `None` when it never fell.
    pub suggestion: Option<f64>,
    /// A tenth of the rate with the lowest loss, which often comes close to it.
    pub tenth_of_best: Option<f64>,
    /// The rate at which the loss broke out; `None` when it never did.
    pub diverged_at: Option<f64>,
}

/// Trains `model` through the range and forgets it. All learning rates of the optimizer, that of Muon too, keep their proportion to
/// `optimizer.learning_rate`. `on_point` is told of each step, and ends the test with `false`.
///
/// # Errors
/// Settings out of range, or too little text.
///
/// # Panics
/// When the range is none.
pub fn find_learning_rate(
    model: LanguageModel,
    settings: &Settings,
    text: &TokenShard,
    range: RateRange,
    on_point: &mut dyn FnMut(&RangePoint) -> bool,
) -> Result<RangeTest, TrainError> {
    let RateRange { from, to, steps } = range;
    assert!(from > 0.0 && to > from && steps >= 2, "{range:?}");
    // Every step must be seen, and its weights be those it leads to.
    let mut settings = settings.clone();
    settings.train.skip_spikes = None;
    settings.train.ema = None;
    let mut training = TrainingSteps::new(model, &settings, text)?;
    let mut points: Vec<RangePoint> = Vec::new();
    let mut diverged_at = None;
    let mut best = f64::INFINITY;
    let mut average = 0.0;
    for index in 0..steps {
        let learning_rate = from * (to / from).powf(index as f64 / (steps - 1) as f64);
        let factor = learning_rate / settings.optimizer.learning_rate;
        let loss = match training.step_at_rate(index, factor) {
            Ok(step) => step.loss,
            Err(TrainError::NotFinite { .. }) => f64::INFINITY,
            Err(error) => return Err(error),
        };
        average = SMOOTHING * average + (1.0 - SMOOTHING) * loss;
        let smoothed = average / (1.0 - SMOOTHING.powi(index as i32 + 1));
        if !smoothed.is_finite() || smoothed > DIVERGED * best {
            diverged_at = Some(learning_rate);
            break;
        }
        best = best.min(smoothed);
        let point = RangePoint {
            learning_rate,
            loss,
            smoothed,
        };
        points.push(point);
        if !on_point(&point) {
            break;
        }
    }
    let losses: Vec<f64> = points.iter().map(|point| point.smoothed).collect();
    let rate = |at: usize| points[at].learning_rate;
    let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    // Behind the lowest loss are the ups and downs of a model that breaks.
    let fall = &losses[..lowest.map_or(0, |at| at + 1)];
    Ok(RangeTest {
        suggestion: steepest(fall).map(rate),
        tenth_of_best: lowest.filter(|&at| at > 0).map(|at| rate(at) / 10.0),
        diverged_at,
        points,
    })
}

/// Where the values fall fastest, which is before the fall: a loss is measured before the update. `None` when none falls.
fn steepest(losses: &[f64]) -> Option<usize> {
    let falls = losses.windows(2).map(|pair| pair[0] - pair[1]);
    let (at, fall) = falls.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (fall > 0.0).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steepest_fall_is_found() {
        let losses = [5.0, 5.1, 5.0, 4.8, 4.0, 3.0, 2.8, 2.7, 3.0, 4.0];
        assert_eq!(steepest(&losses), Some(4));
        assert_eq!(steepest(&[1.0, 1.5, 2.0]), None);
        assert_eq!(steepest(&[1.0, 1.0]), None);
        assert_eq!(steepest(&[]), None);
    }
}
