//! A bound on the memory that an input takes.
//!
//! libFuzzer's own bound on one allocation needs a sanitizer, and its bound on all sees only pages that were written to; what a file makes
//! a reader reserve is neither.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the program may hold at a time. Inputs are below 1 MiB, models of them at most 8 times as large.
const MOST: usize = 192 << 20;

struct Bounded;

#[global_allocator]
static BOUNDED: Bounded = Bounded;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Counts `more` bytes, and ends the program when they are too many.
fn hold(more: usize) {
    if HELD.fetch_add(more, Ordering::Relaxed) > MOST - more.min(MOST) {
        // Nothing is to be counted while the message is made.
        HELD.store(0, Ordering::Relaxed);
        eprintln!("an allocation of {more} bytes goes beyond {MOST} in all");
        std::process::abort();
    }
}

fn release(less: usize) {
    HELD.fetch_sub(less, Ordering::Relaxed);
}

// SAFETY: every call is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size);
        release(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}
