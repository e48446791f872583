//! Whether a run fits on the disk, asked before its first step.

use std::path::Path;

use anyhow::bail;

use crate::run_folder::RUNS;

/// Fails when the checkpoints of a model with so many parameters will not fit beside each other in the run folder, which need not exist yet.
///
/// A checkpoint holds the weights and two moments in f32; one more is written before the oldest goes, and `best` and `model` hold the
/// weights.
///
/// # Errors
/// Tells what is needed and what is free.
pub(crate) fn check(
    output_dir: Option<&Path>,
    parameters: usize,
    keep: usize,
) -> anyhow::Result<()> {
    let folder = output_dir.unwrap_or(Path::new(RUNS));
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    let copies = 3 * (keep as u64 + 1) + 3;
    let needed = (parameters as u64).saturating_mul(4).saturating_mul(copies);
    // Where the system does not tell, writing will.
    let Ok(free) = fs4::available_space(there) else {
        return Ok(());
    };
    if needed > free {
        bail!(
            "{}: {} MB are free, but the checkpoints of this run need {} MB; free some, or lower train.keep",
            folder.display(),
            free / 1_000_000,
            needed.div_ceil(1_000_000)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_passes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(Some(folder.path()), 1000, 2).is_ok());
        let missing = folder.path().join("run");
        let error = check(Some(&missing), 1 << 45, 2).unwrap_err().to_string();
        assert!(
            error.contains("MB are free") && error.contains("train.keep"),
            "{error}"
        );
    }
}
