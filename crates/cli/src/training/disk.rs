//! Whether a run fits on the disk, asked before its first step.

use std::path::Path;

use anyhow::bail;
use llm_train::plan::DiskPlan;

use crate::run_folder::RUNS;

/// The folder that is there and in which the run folder is or will be.
pub(crate) fn place(output_dir: Option<&Path>) -> &Path {
    let folder = output_dir.unwrap_or(Path::new(RUNS));
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new("."))
}

/// Bytes that are free where the run will be; `None` where the system does not tell.
pub(crate) fn free(output_dir: Option<&Path>) -> Option<u64> {
    fs4::available_space(place(output_dir)).ok()
}

/// Fails when the files of the run will not fit beside each other in its folder, which need not exist yet.
///
/// # Errors
/// Tells what is needed and what is free.
pub(crate) fn check(output_dir: Option<&Path>, disk: &DiskPlan) -> anyhow::Result<()> {
    // Where the system does not tell, writing will.
    let Some(free) = free(output_dir) else {
        return Ok(());
    };
    if disk.peak > free {
        let folder = output_dir.unwrap_or(Path::new(RUNS));
        bail!(
            "{}: {} MB are free, but the checkpoints of this run need {} MB; free some, or lower train.keep",
            folder.display(),
            free / 1_000_000,
            disk.peak.div_ceil(1_000_000)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_passes() {
        let disk = |peak| DiskPlan {
            model: peak / 10,
            checkpoint: peak / 5,
            checkpoints_kept: 2,
            kept: peak,
            peak,
        };
        let folder = tempfile::tempdir().unwrap();
        assert!(check(Some(folder.path()), &disk(1000)).is_ok());
        let missing = folder.path().join("run");
        let error = check(Some(&missing), &disk(1 << 50))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("MB are free") && error.contains("train.keep"),
            "{error}"
        );
    }
}
