//! Memory of this process, as the operating system counts it.

/// Resident set size in bytes: physical memory that this process holds now. `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
}

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
