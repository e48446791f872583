//! The one pool of threads that all kernels share.

use std::num::NonZeroUsize;

use thiserror::Error;

/// The pool was there already: something ran in parallel before, or it was set up twice.
#[derive(Debug, Error)]
#[error("the threads were already started")]
pub struct AlreadyStarted;

/// Starts the pool with the calling thread as one of its workers. To be called once, first in a program. `None`: `RAYON_NUM_THREADS`,
/// else one thread for each processor.
///
/// A step of a small model is hundreds of short parallel loops. With the caller among the workers none of them waits for a sleeping
/// thread to begin, and the rest only steal what the caller has not reached.
///
/// # Errors
/// [`AlreadyStarted`].
pub fn start(n_threads: Option<NonZeroUsize>) -> Result<(), AlreadyStarted> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads.map_or(0, NonZeroUsize::get))
        .use_current_thread()
        .build_global()
        .map_err(|_| AlreadyStarted)
}
