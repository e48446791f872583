//! How much each parameter matters: how far the values of the best trials differ from those of all.
//!
//! For each parameter the density of the best tenth is compared with that of all trials by the Pearson divergence, which is the variance that the parameter alone
//! explains of being among the best. A parameter that is active in some trials only counts for as much as it decides there.
//!
//! Source: Watanabe, Bansal and Hutter 2023, "PED-ANOVA", <https://arxiv.org/abs/2304.10255>.

use crate::normal;
use crate::study::Study;
use crate::trial::{Trial, TrialState};

/// The part of the trials that is held for the best.
const BEST: f64 = 0.1;
/// Places in the unit interval where densities of continuous parameters are compared.
const GRID: usize = 50;
/// Trials that say something about a parameter.
const MIN_TRIALS: usize = 2;

/// The importance of each parameter of `study` for its first objective, summing to 1, the largest first; all 0 where the trials do not tell.
#[must_use]
pub fn importance(study: &Study) -> Vec<(String, f64)> {
    let direction = study.options().directions[0];
    let mut trials: Vec<(f64, &Trial)> = study
        .trials()
        .iter()
        .filter(|trial| trial.state == TrialState::Complete)
        .filter_map(|trial| Some((direction.turned(*trial.values.first()?), trial)))
        .filter(|(loss, _)| loss.is_finite())
        .collect();
    trials.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n_best = (BEST * trials.len() as f64).ceil() as usize;
    let parameters = study.space().parameters();
    let mut importance: Vec<(String, f64)> = parameters
        .iter()
        .map(|parameter| {
            let unit = |trial: &Trial| {
                let value = trial.value_of(&parameter.name)?;
                Some(
                    parameter
                        .distribution
                        .unit_of(parameter.distribution.internal(&value)?),
                )
            };
            let all: Vec<f64> = trials.iter().filter_map(|(_, trial)| unit(trial)).collect();
            let best: Vec<f64> = trials[..n_best]
                .iter()
                .filter_map(|(_, trial)| unit(trial))
                .collect();
            if all.len() < MIN_TRIALS || best.is_empty() {
                return (parameter.name.to_string(), 0.0);
            }
            let cells = parameter
                .distribution
                .cardinality()
                .map_or(GRID, |count| count.min(GRID));
            let share_of_best = best.len() as f64 / n_best as f64;
            let share_of_all = all.len() as f64 / trials.len() as f64;
            let divergence = divergence(&density(&best, cells), &density(&all, cells));
            (
                parameter.name.to_string(),
                share_of_best.powi(2) / share_of_all * divergence,
            )
        })
        .collect();
    let total: f64 = importance.iter().map(|(_, value)| value).sum();
    if total > 0.0 {
        importance.iter_mut().for_each(|(_, value)| *value /= total);
    }
    importance.sort_by(|a, b| b.1.total_cmp(&a.1));
    importance
}

/// The Pearson divergence of `best` from `all`.
fn divergence(best: &[f64], all: &[f64]) -> f64 {
    best.iter()
        .zip(all)
        .map(|(best, all)| all * (best / all - 1.0).powi(2))
        .sum()
}

/// The probability of every cell of the unit interval, from kernels on `units` and one flat one.
fn density(units: &[f64], cells: usize) -> Vec<f64> {
    let n = units.len() as f64;
    let mean = units.iter().sum::<f64>() / n;
    let deviation = (units.iter().map(|unit| (unit - mean).powi(2)).sum::<f64>() / n).sqrt();
    // Scott's rule, and never narrower than a cell.
    let width = (1.06 * deviation * n.powf(-0.2)).max(0.5 / cells as f64);
    let flat = 1.0 / cells as f64;
    let mut density = vec![flat / (n + 1.0); cells];
    for unit in units {
        let inside = normal::mass(-unit / width, (1.0 - unit) / width);
        for (cell, density) in density.iter_mut().enumerate() {
            let low = cell as f64 / cells as f64;
            let mass = normal::mass(
                (low - unit) / width,
                (low + 1.0 / cells as f64 - unit) / width,
            );
            *density += mass / inside / (n + 1.0);
        }
    }
    density
}
