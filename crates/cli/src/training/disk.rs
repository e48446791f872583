//! Whether a run fits on the disk, asked before its first step.

use std::path::Path;

use anyhow::bail;

/// Fails when the checkpoints of a model with so many parameters will not fit beside each other.
///
/// A checkpoint holds the weights and two moments in f32; one more is written before the oldest goes, and `best` and `model` hold the
/// weights.
///
/// # Errors
/// Tells what is needed and what is free.
pub(crate) fn check(folder: &Path, parameters: usize, keep: usize) -> anyhow::Result<()> {
    let copies = 3 * (keep as u64 + 1) + 3;
    let needed = (parameters as u64).saturating_mul(4).saturating_mul(copies);
    // Where the system does not tell, writing will.
    let Ok(free) = fs4::available_space(folder) else {
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
        assert!(check(folder.path(), 1000, 2).is_ok());
        let error = check(folder.path(), 1 << 45, 2).unwrap_err().to_string();
        assert!(
            error.contains("MB are free") && error.contains("train.keep"),
            "{error}"
        );
    }
}
