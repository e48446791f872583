//! What a study has found so far.

use super::Study;
use crate::pareto;
use crate::trial::{Trial, TrialState};

impl Study {
    /// The best complete trial of a study with one objective.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        let direction = self.options.directions[0];
        self.feasible().min_by(|a, b| {
            direction
                .turned(a.values[0])
                .total_cmp(&direction.turned(b.values[0]))
        })
    }

    /// The complete trials that no other dominates: the Pareto front, in the order of their numbers.
    #[must_use]
    pub fn front(&self) -> Vec<&Trial> {
        let trials: Vec<&Trial> = self.feasible().collect();
        let turned = |trial: &Trial| {
            let pairs = self.options.directions.iter().zip(&trial.values);
            pairs
                .map(|(direction, value)| direction.turned(*value))
                .collect::<Vec<f64>>()
        };
        let losses: Vec<Vec<f64>> = trials.iter().map(|trial| turned(trial)).collect();
        let dominated = |loss: &[f64]| losses.iter().any(|other| pareto::dominates(other, loss));
        trials
            .iter()
            .zip(&losses)
            .filter(|(_, loss)| !dominated(loss))
            .map(|(trial, _)| *trial)
            .collect()
    }

    fn feasible(&self) -> impl Iterator<Item = &Trial> {
        self.trials().iter().filter(|trial| {
            trial.state == TrialState::Complete
                && trial.values.len() == self.options.directions.len()
                && trial.violation() <= 0.0
        })
    }

    /// Counts trials of a state, those run again left out.
    #[must_use]
    pub fn count(&self, state: TrialState) -> usize {
        let superseded = |number| self.history.is_superseded(number);
        self.trials()
            .iter()
            .filter(|trial| trial.state == state && !superseded(trial.number))
            .count()
    }
}
