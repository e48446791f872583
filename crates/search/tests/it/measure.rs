//! Time and memory of this process.

use std::time::Instant;

/// Measures a search: by the processor where the system tells, for the machine may have other things to do.
pub(crate) fn seconds(search: impl FnOnce()) -> f64 {
    let processor = || {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
    };
    let (begin, before) = (Instant::now(), processor());
    search();
    let wall = begin.elapsed().as_secs_f64();
    before
        .zip(processor())
        .map_or(wall, |(before, after)| wall.min(after - before))
}

/// Resident memory in bytes.
pub(crate) fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}
