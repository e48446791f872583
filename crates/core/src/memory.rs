//! Memory of this process: how much the operating system counts, and what the allocator keeps.

/// Resident set size in bytes: physical memory that this process holds now. `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
}

/// Freed blocks up to this size in bytes stay with the process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEEP: libc::c_int = 1 << 30;

/// What versions of glibc that limit the threshold take in place of [`KEEP`].
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEEP_OLD: libc::c_int = 32 << 20;

/// Keeps freed buffers for the next training step. To be called first in a program, before it starts a thread.
///
/// glibc hands a block above its mmap threshold (at first 128 KiB, at most 32 MiB) back to the system as soon as it is freed. A training
/// step allocates and frees the same large buffers every time, so each step would pay for mapping and zeroing their pages again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "mallopt has no safe wrapper; it only sets two numbers of the allocator"
)]
pub fn keep_large_buffers() {
    // SAFETY: mallopt takes two integers and reports a refusal by its result; a refusal costs speed only.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, KEEP) == 0 {
            libc::mallopt(libc::M_MMAP_THRESHOLD, KEEP_OLD);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}

/// Other systems keep large buffers, or have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_large_buffers() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touched_buffer_is_counted() {
        let before = resident_bytes().expect("this system tells");
        let buffer = vec![1u8; 64 << 20];
        let after = resident_bytes().expect("this system tells");
        assert!(
            after >= before + (60 << 20),
            "{before} → {after} with {} bytes held",
            buffer.len()
        );
    }
}
