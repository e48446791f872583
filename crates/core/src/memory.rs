//! Memory of this process: how much the operating system counts, how much more it gives, and how large buffers are allocated.

mod limits;

pub use limits::available_bytes;

use std::alloc::{GlobalAlloc, Layout, System};

/// Resident set size in bytes: physical memory that this process holds now. `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
}

/// Bytes by which the heap grows at a time, beyond what is asked for: only what is written to becomes memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GROWTH: libc::c_int = 16 << 20;

/// Keeps freed buffers for the next training step. To be called first in a program, before it starts a thread.
///
/// glibc maps large blocks (from 128 KiB, later up to 32 MiB, upwards) on their own and hands them back to the system as soon as they
/// are freed. A training step allocates and frees the same large buffers every time, so each step would pay for mapping and zeroing
/// their pages again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "mallopt has no safe wrapper; it only sets numbers of the allocator"
)]
pub fn keep_large_buffers() {
    // SAFETY: mallopt takes two integers and reports a refusal by its result; a refusal costs speed only.
    unsafe {
        // No block is mapped on its own.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        // -1: what is free at the end of the heap is never handed back.
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        libc::mallopt(libc::M_TOP_PAD, GROWTH);
    }
}

/// Other systems keep large buffers, or have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_large_buffers() {}

/// Size of a huge page in bytes, on x86-64 and on Arm with pages of 4 KiB.
const HUGE_PAGE: usize = 2 << 20;

/// Buffers of at least so many bytes stand on huge pages.
const LARGE: usize = HUGE_PAGE;

/// The system's allocator, with large buffers on huge pages where the system has them (Linux, unless switched off there).
///
/// Reading weights at the speed of the memory needs it: at every border of a small page the processor stops reading ahead.
#[derive(Debug)]
pub struct HugePages;

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: every call goes to the system's allocator with the caller's own arguments; `advise` changes no contents.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let start = unsafe { System.alloc(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // The advice must come before the first write, so the system's own zeroing is too early.
        // SAFETY: as the caller promises; a block that is not null has the layout's size.
        unsafe {
            let start = self.alloc(layout);
            if !start.is_null() {
                start.write_bytes(0, layout.size());
            }
            start
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let start = unsafe { System.realloc(start, layout, new_size) };
        advise(start, new_size);
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(start, layout) };
    }
}

/// Asks for huge pages under a large buffer, and at its ends under what lies beside it: a block that began on a huge page could seldom be
/// used again for another. Refused, it costs speed only.
#[cfg(target_os = "linux")]
fn advise(start: *mut u8, size: usize) {
    if size < LARGE || start.is_null() {
        return;
    }
    let before = start.addr() % HUGE_PAGE;
    let length = (before + size).next_multiple_of(HUGE_PAGE);
    #[expect(unsafe_code, reason = "madvise has no safe wrapper in use here")]
    // SAFETY: the advice changes nothing of what memory holds, whoever it belongs to; what is not mapped is left out.
    unsafe {
        libc::madvise(
            start.wrapping_sub(before).cast(),
            length,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_every_size_hold_what_is_written() {
        let mut kept = Vec::new();
        for size in [1, 4096, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 12_345] {
            for align in [1, 64, 4 * HUGE_PAGE] {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                #[expect(unsafe_code, reason = "the allocator's own interface")]
                // SAFETY: the layout is not empty; the block is written within its size, and freed with its layout.
                unsafe {
                    let start = HugePages.alloc_zeroed(layout);
                    assert!(!start.is_null() && start.addr().is_multiple_of(align));
                    let bytes = std::slice::from_raw_parts_mut(start, size);
                    assert!(bytes.iter().all(|b| *b == 0));
                    bytes.fill(kept.len() as u8 + 1);
                    kept.push((start, layout));
                }
            }
        }
        for (i, (start, layout)) in kept.into_iter().enumerate() {
            #[expect(unsafe_code, reason = "the allocator's own interface")]
            // SAFETY: as above.
            unsafe {
                let bytes = std::slice::from_raw_parts(start, layout.size());
                assert!(bytes.iter().all(|b| *b == i as u8 + 1));
                HugePages.dealloc(start, layout);
            }
        }
    }

    #[test]
    fn a_touched_buffer_is_counted() {
        let before = resident_bytes().expect("this system tells");
        // Seen by nobody, it would not be made.
        let buffer = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = resident_bytes().expect("this system tells");
        assert!(
            after >= before + (60 << 20),
            "{before} → {after} with {} bytes held",
            buffer.len()
        );
    }
}
