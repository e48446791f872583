//! The one pool of threads that all kernels share.

use std::num::NonZeroUsize;

use thiserror::Error;

/// The pool was there already, or the system gives no more threads.
#[derive(Debug, Error)]
#[error("cannot start the threads: {0}")]
pub struct ThreadsError(#[from] rayon::ThreadPoolBuildError);

/// Starts the pool with the calling thread as one of its workers. To be called once, first in a program. `None`: `RAYON_NUM_THREADS`,
/// else one thread for each processor.
///
/// A step of a small model is hundreds of short parallel loops. With the caller among the workers none of them waits for a sleeping
/// thread to begin, and the rest only steal what the caller has not reached.
///
/// # Errors
/// [`ThreadsError`], also when something ran in parallel before.
pub fn start(n_threads: Option<NonZeroUsize>) -> Result<(), ThreadsError> {
    Ok(rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads.map_or(0, NonZeroUsize::get))
        .use_current_thread()
        .build_global()?)
}
