//! Successive halving without waiting (ASHA), and hyperband, which runs it with several degrees of hurry.
//!
//! At the steps `min_resource * reduction_factor^k`, the rungs, only the best `1 / reduction_factor` of all that came so far go on. A trial's loss at a rung
//! is that of its first report there or later.
//!
//! Sources: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"; Li et al. 2018, "Hyperband".

use serde::Deserialize;

use super::{Pruner, Reports};
use crate::error::{Result, SearchError};
use crate::trial::Trial;

/// Successive halving without waiting.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct HalvingPruner {
    /// Step of the first rung; default: a hundredth of the steps of the first complete trial, at least 1. Until that is known, nothing is pruned.
    pub min_resource: Option<i64>,
    /// Of so many trials one goes on at each rung, at least 2.
    pub reduction_factor: i64,
    /// Rungs that are left out at the beginning.
    pub min_early_stopping_rate: u32,
    /// Trials that must have come to a rung before any goes on from it.
    pub bootstrap_count: usize,
}

impl Default for HalvingPruner {
    fn default() -> Self {
        Self {
            min_resource: None,
            reduction_factor: 4,
            min_early_stopping_rate: 0,
            bootstrap_count: 0,
        }
    }
}

impl HalvingPruner {
    /// # Errors
    /// Settings out of their range.
    pub(super) fn check(&self) -> Result<()> {
        check_resources(self.min_resource, self.reduction_factor)?;
        if self.bootstrap_count > 0 && self.min_resource.is_none() {
            return Err(SearchError::Setting(
                "bootstrap_count needs min_resource".to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether `trial` ends, judged by those trials that are its peers.
    fn prunes_among(
        &self,
        reports: &Reports<'_>,
        trial: &Trial,
        is_peer: &dyn Fn(&Trial) -> bool,
    ) -> bool {
        let Some((step, _)) = trial.last_report() else {
            return false;
        };
        let min_resource = self.min_resource.or_else(|| {
            let first = reports
                .complete(trial)
                .filter(|other| is_peer(other))
                .find_map(Trial::last_report);
            first.map(|(last_step, _)| (last_step / 100).max(1))
        });
        let Some(min_resource) = min_resource else {
            return false;
        };
        let Some(loss) = reports.losses(trial).next_back().map(|(_, loss)| loss) else {
            return false;
        };
        let before = reports.losses(trial).rev().nth(1).map(|(step, _)| step);
        let mut rung = min_resource.saturating_mul(
            self.reduction_factor
                .saturating_pow(self.min_early_stopping_rate),
        );
        while rung <= step {
            // A rung that an earlier report reached has been decided.
            if before.is_none_or(|before| before < rung) {
                if loss.is_nan() {
                    return true;
                }
                let at_rung = |other: &Trial| {
                    let first = reports.losses(other).find(|(step, _)| *step >= rung);
                    first.map(|(_, loss)| loss).filter(|loss| !loss.is_nan())
                };
                let peers = reports.others(trial).filter(|other| is_peer(other));
                let mut losses: Vec<f64> = peers.filter_map(at_rung).chain([loss]).collect();
                if losses.len() <= self.bootstrap_count {
                    return true;
                }
                losses.sort_by(f64::total_cmp);
                // While there are fewer than the factor, the best goes on.
                let going_on = (losses.len() / self.reduction_factor as usize).max(1);
                if loss > losses[going_on - 1] {
                    return true;
                }
            }
            let next = rung.saturating_mul(self.reduction_factor);
            if next == rung {
                break;
            }
            rung = next;
        }
        false
    }
}

impl Pruner for HalvingPruner {
    fn prunes(&self, reports: &Reports<'_>, trial: &Trial) -> bool {
        self.prunes_among(reports, trial, &|_| true)
    }
}

/// Hyperband: trials are dealt to brackets, each of which halves from a later rung on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct HyperbandPruner {
    /// Step of the first rung, at least 1.
    pub min_resource: i64,
    /// Steps of a whole trial; default: those of the first complete one. Until that is known, nothing is pruned.
    pub max_resource: Option<i64>,
    /// Of so many trials one goes on at each rung, at least 2.
    pub reduction_factor: i64,
}

impl Default for HyperbandPruner {
    fn default() -> Self {
        Self {
            min_resource: 1,
            max_resource: None,
            reduction_factor: 3,
        }
    }
}

impl HyperbandPruner {
    /// # Errors
    /// Settings out of their range.
    pub(super) fn check(&self) -> Result<()> {
        check_resources(Some(self.min_resource), self.reduction_factor)?;
        match self.max_resource {
            Some(most) if most < self.min_resource => Err(SearchError::Setting(format!(
                "max_resource {most} is below min_resource {}",
                self.min_resource
            ))),
            _ => Ok(()),
        }
    }

    /// How many of the trials each bracket gets, as parts of the sum.
    fn shares(&self, max_resource: i64) -> Vec<u32> {
        let factor = self.reduction_factor as f64;
        let ratio = max_resource as f64 / self.min_resource as f64;
        let brackets = (ratio.ln() / factor.ln() + 1e-12).floor().max(0.0) as u32 + 1;
        (0..brackets)
            .map(|bracket| {
                let rungs = brackets - 1 - bracket;
                let share = f64::from(brackets) * factor.powi(rungs as i32) / f64::from(rungs + 1);
                share.ceil() as u32
            })
            .collect()
    }
}

impl Pruner for HyperbandPruner {
    fn prunes(&self, reports: &Reports<'_>, trial: &Trial) -> bool {
        let max_resource = self.max_resource.or_else(|| {
            reports
                .complete(trial)
                .find_map(Trial::last_report)
                .map(|(step, _)| step + 1)
        });
        let Some(max_resource) = max_resource else {
            return false;
        };
        let shares = self.shares(max_resource);
        let bracket_of = |trial: &Trial| bracket(reports.study(), trial.number, &shares);
        let own = bracket_of(trial);
        let halving = HalvingPruner {
            min_resource: Some(self.min_resource),
            reduction_factor: self.reduction_factor,
            min_early_stopping_rate: own,
            bootstrap_count: 0,
        };
        halving.prunes_among(reports, trial, &|other| bracket_of(other) == own)
    }
}

/// The bracket of a trial, by a hash of its name as Optuna takes it.
fn bracket(study: &str, number: usize, shares: &[u32]) -> u32 {
    let total: u32 = shares.iter().sum();
    let mut place = crc32(format!("{study}_{number}").as_bytes()) % total.max(1);
    for (bracket, share) in shares.iter().enumerate() {
        if place < *share {
            return bracket as u32;
        }
        place -= share;
    }
    0
}

/// The checksum of zip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
        sum
    })
}

fn check_resources(min_resource: Option<i64>, reduction_factor: i64) -> Result<()> {
    if min_resource.is_some_and(|steps| steps < 1) {
        return Err(SearchError::Setting(
            "min_resource must be at least 1 step".to_owned(),
        ));
    }
    if reduction_factor < 2 {
        return Err(SearchError::Setting(format!(
            "reduction_factor must be at least 2, not {reduction_factor}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn brackets_share_as_in_the_paper() {
        let pruner = HyperbandPruner {
            max_resource: Some(81),
            ..HyperbandPruner::default()
        };
        assert_eq!(pruner.shares(81), [81, 34, 15, 8, 5]);
    }
}
