//! The `[train]`, `[optimizer]` and `[schedule]` tables of a configuration.

mod optimizer;
mod schedule;
mod train;

pub use optimizer::{Moments, OptimizerConfig, OptimizerKind};
pub use schedule::{ScheduleConfig, ScheduleKind};
pub use train::TrainConfig;

use crate::TrainError;

/// [`TrainError::Config`] unless the value is as it must be.
fn check(key: &'static str, value: f64, allowed: &'static str, ok: bool) -> Result<(), TrainError> {
    if ok {
        Ok(())
    } else {
        Err(refused(key, &value.to_string(), allowed))
    }
}

fn refused(key: &'static str, value: &str, allowed: &'static str) -> TrainError {
    TrainError::Config {
        key,
        value: value.to_owned(),
        allowed,
    }
}
