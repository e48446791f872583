//! The files of a run that grow with its model.

use serde::Serialize;

use super::{Course, MemoryPlan};
use crate::Settings;

/// Bytes on the disk, beside tokens, records and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DiskPlan {
    /// A model: weights in f32. The finished one, and the best one.
    pub model: u64,
    /// A checkpoint: the model, what the optimizer remembers, the moving average.
    pub checkpoint: u64,
    /// Checkpoints that are kept.
    pub checkpoints_kept: u64,
    /// What is left at the end of the run.
    pub kept: u64,
    /// The most on the way: a new folder is written before an old one goes.
    pub peak: u64,
}

impl DiskPlan {
    /// The files of a run that takes this course.
    pub fn new(memory: &MemoryPlan, settings: &Settings, course: &Course) -> Self {
        let model = memory.weights;
        let parts = [memory.optimizer_file, memory.average];
        let checkpoint = parts.into_iter().fold(model, u64::saturating_add);
        let keep = settings.train.keep as u64;
        let checkpoints_kept = course.checkpoints.min(keep);
        // One more where an older one has to go, also when the run is interrupted.
        let most = (course.checkpoints + 1).min(keep.saturating_add(1));
        let with_models = |checkpoints: u64, models: u64| {
            let checkpoints = checkpoint.saturating_mul(checkpoints);
            checkpoints.saturating_add(model.saturating_mul(models))
        };
        Self {
            model,
            checkpoint,
            checkpoints_kept,
            kept: with_models(checkpoints_kept, 2),
            peak: with_models(most, 3),
        }
    }
}
