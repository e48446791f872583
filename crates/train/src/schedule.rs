//! The learning rate at every step.
//!
//! Warm-up and cosine are those of Karpathy's nanoGPT (`get_lr`); WSD is Hu et al. 2024, "MiniCPM", section 4; Noam is Vaswani et al.
//! 2017, equation 3, with the peak given in place of `(d_model · warmup_steps)^-0.5`, and reached by the step after the warm-up, as by all.

use crate::config::{ScheduleConfig, ScheduleKind};

/// A factor of the peak learning rate for each step.
#[derive(Clone, Debug)]
pub struct Schedule {
    kind: ScheduleKind,
    warmup_steps: f64,
    max_steps: f64,
    decay_share: f64,
    /// Minimum as a share of the peak.
    least: f64,
}

impl Schedule {
    /// The schedule of a run of `max_steps` steps whose learning rate peaks at `learning_rate`.
    pub fn new(config: &ScheduleConfig, max_steps: u64, learning_rate: f64) -> Self {
        let warmup_steps = config.warmup(max_steps) as f64;
        let max_steps = max_steps as f64;
        Self {
            kind: config.kind,
            warmup_steps,
            max_steps,
            decay_share: config.decay_share.unwrap_or(0.2),
            least: config
                .min_learning_rate
                .map_or(0.1, |least| least / learning_rate),
        }
    }

    /// The same schedule with another end, not before that of its warm-up.
    pub(crate) fn ending_at(self, max_steps: u64) -> Self {
        let max_steps = max_steps as f64;
        Self { max_steps, ..self }
    }

    /// The factor of the step with this index, from 0.
    pub fn factor(&self, step: u64) -> f64 {
        let step = step as f64;
        if step < self.warmup_steps {
            return (step + 1.0) / (self.warmup_steps + 1.0);
        }
        let from = match self.kind {
            ScheduleKind::Constant => return 1.0,
            ScheduleKind::Noam => return ((self.warmup_steps + 1.0) / (step + 1.0)).sqrt(),
            ScheduleKind::Cosine | ScheduleKind::Linear => self.warmup_steps,
            ScheduleKind::Wsd => (self.max_steps * (1.0 - self.decay_share)).max(self.warmup_steps),
        };
        // At the end exactly the minimum, whatever stands before it.
        let done = if step >= self.max_steps {
            1.0
        } else {
            ((step - from) / (self.max_steps - from)).max(0.0)
        };
        let left = match self.kind {
            ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            _ => 1.0 - done,
        };
        self.least + left * (1.0 - self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Case {
        kind: ScheduleKind,
        settings: Settings,
        steps: Vec<u64>,
        learning_rates: Vec<f64>,
    }

    #[derive(Deserialize)]
    struct Settings {
        learning_rate: f64,
        min_learning_rate: Option<f64>,
        warmup_steps: u64,
        decay_steps: u64,
        decay_share: Option<f64>,
    }

    #[test]
    fn rates_are_those_of_the_reference() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../tests/golden/schedules.json"))
            .expect("golden values");
        assert!(cases.len() >= 8);
        for case in cases {
            let Settings {
                learning_rate,
                min_learning_rate,
                warmup_steps,
                decay_steps,
                decay_share,
            } = case.settings;
            let config = ScheduleConfig {
                kind: case.kind,
                warmup_steps: Some(warmup_steps),
                min_learning_rate,
                decay_share,
            };
            let schedule = Schedule::new(&config, decay_steps, learning_rate);
            for (step, expected) in case.steps.iter().zip(&case.learning_rates) {
                let ours = learning_rate * schedule.factor(*step);
                assert!(
                    (ours - expected).abs() < 1e-12,
                    "{:?} at {step}: {ours} against {expected}",
                    case.kind
                );
            }
        }
    }

    #[test]
    fn the_warm_up_follows_the_length_unless_it_is_set() {
        for (set, max_steps, expected) in [
            (None, 5, 0),
            (None, 20, 2),
            (None, 999, 99),
            (None, 2000, 100),
            (Some(7), 2000, 7),
            (Some(20), 20, 20),
        ] {
            let config = ScheduleConfig {
                warmup_steps: set,
                ..Default::default()
            };
            assert_eq!(config.warmup(max_steps), expected, "{set:?} of {max_steps}");
            assert!(config.validate(max_steps, 1e-3).is_ok());
        }
        let config = ScheduleConfig {
            warmup_steps: Some(21),
            ..Default::default()
        };
        assert!(config.validate(20, 1e-3).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_factor_stays_in_its_bounds(
            kind in proptest::sample::select(vec![
                ScheduleKind::Cosine, ScheduleKind::Linear, ScheduleKind::Constant, ScheduleKind::Noam, ScheduleKind::Wsd,
            ]),
            warmup_steps in 0u64..50,
            max_steps in 50u64..500,
            step in 0u64..2000,
            share in 0.01f64..1.0,
        ) {
            let config = ScheduleConfig {
                kind,
                warmup_steps: Some(warmup_steps),
                min_learning_rate: (!matches!(kind, ScheduleKind::Constant | ScheduleKind::Noam)).then_some(0.1),
                decay_share: (kind == ScheduleKind::Wsd).then_some(share),
            };
            let factor = Schedule::new(&config, max_steps, 1.0).factor(step);
            let unbounded = step < warmup_steps || kind == ScheduleKind::Noam;
            let least = if unbounded { 0.0 } else { 0.1 - 1e-12 };
            proptest::prop_assert!(factor > 0.0 && factor >= least && factor <= 1.0, "{factor}");
        }
    }
}
