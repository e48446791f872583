//! Steps whose loss or gradient norm stands out from those before, so that their update can be left out.
//!
//! Source: Team OLMo 2025, "2 OLMo 2 Furious", and its `SkipStepOptimizer`: the mean and the standard deviation of the last 128 steps, a
//! step that is left out included, so that a run which has moved to another level goes on. That 32 steps are enough to begin with is ours.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Steps that are looked back upon.
const REMEMBERED: usize = 128;
/// Steps before the first that may be left out.
const ENOUGH: usize = 32;
/// Steps in a row without a finite number after which a run is stopped.
const MOST_NOT_FINITE: u32 = 8;

/// The last losses and gradient norms, and how many steps were left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spikes {
    losses: VecDeque<f64>,
    norms: VecDeque<f64>,
    /// Steps left out.
    pub(crate) skipped: u64,
    /// Steps in a row whose loss or gradient is not finite.
    not_finite: u32,
}

impl Spikes {
    /// Whether a step with this loss and gradient norm, finite both, stands out by more than `threshold` standard deviations.
    pub(crate) fn stands_out(&mut self, loss: f64, norm: f64, threshold: f64) -> bool {
        self.not_finite = 0;
        let found = self.losses.len() >= ENOUGH
            && (is_above(&self.losses, loss, threshold) || is_above(&self.norms, norm, threshold));
        for (values, new) in [(&mut self.losses, loss), (&mut self.norms, norm)] {
            if values.len() == REMEMBERED {
                values.pop_front();
            }
            values.push_back(new);
        }
        self.skipped += u64::from(found);
        found
    }

    /// Counts a step whose loss or gradient is not finite; false when there were too many in a row.
    pub(crate) fn endures_not_finite(&mut self) -> bool {
        self.not_finite += 1;
        self.skipped += 1;
        self.not_finite < MOST_NOT_FINITE
    }
}

fn is_above(values: &VecDeque<f64>, new: f64, threshold: f64) -> bool {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    new > mean + threshold * variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses around 2 with a deviation of about 0.1.
    fn calm(i: u64) -> f64 {
        2.0 + 0.14 * (i as f64 * 1.7).sin()
    }

    #[test]
    fn only_what_stands_out_is_left_out() {
        let mut spikes = Spikes::default();
        for i in 0..200 {
            assert!(!spikes.stands_out(calm(i), 1.0 + calm(i), 6.0), "step {i}");
        }
        assert!(spikes.stands_out(4.0, 3.0, 6.0), "the loss");
        assert!(spikes.stands_out(2.0, 9.0, 6.0), "the norm");
        assert!(!spikes.stands_out(2.3, 3.2, 6.0), "a little above");
        assert!(!spikes.stands_out(0.1, 0.1, 6.0), "a good step");
        assert_eq!(spikes.skipped, 2);
    }

    #[test]
    fn nothing_is_left_out_before_there_is_enough_to_compare_with() {
        let mut spikes = Spikes::default();
        for i in 0..ENOUGH as u64 {
            let loss = if i == 20 { 100.0 } else { calm(i) };
            assert!(!spikes.stands_out(loss, 1.0, 3.0), "step {i}");
        }
    }

    #[test]
    fn a_new_level_is_accepted_in_time() {
        let mut spikes = Spikes::default();
        for i in 0..150 {
            spikes.stands_out(calm(i), 1.0, 6.0);
        }
        let left_out = (0..50).filter(|i| spikes.stands_out(5.0 + calm(*i), 1.0, 6.0));
        let left_out = left_out.count();
        assert!((1..20).contains(&left_out), "{left_out}");
    }

    #[test]
    fn numbers_that_are_not_finite_are_endured_for_a_while_only() {
        let mut spikes = Spikes::default();
        for _ in 1..MOST_NOT_FINITE {
            assert!(spikes.endures_not_finite());
        }
        assert!(!spikes.endures_not_finite());
        spikes.stands_out(1.0, 1.0, 6.0);
        assert!(spikes.endures_not_finite());
    }
}
