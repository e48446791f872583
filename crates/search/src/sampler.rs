//! Where the next trial goes. A sampler is a function of the history, the seed and the trial's number: it keeps nothing that it could not work out
//! again, so a study goes on the same after a restart and in another process.

mod random;
mod tpe;

use serde_json::{Map, Value};

pub use self::random::RandomSampler;
pub(crate) use self::random::random_point;
pub use self::tpe::TpeSampler;
use crate::error::{Result, SearchError, nearest};
use crate::history::Request;
use crate::space::Point;

/// A point for a trial.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// The point, which the request accepts.
    pub point: Point,
    /// Notes for the trial, found again in the history.
    pub notes: Map<String, Value>,
}

/// Makes up points.
pub trait Sampler: Send {
    /// A point that the request accepts; nothing where it finds none, and random points shall be tried.
    ///
    /// # Errors
    /// A space that it cannot search.
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>>;
}

const NAMES: [&str; 2] = ["tpe", "random"];

/// The sampler of a name, with its default settings: `tpe` (also `optuna`), `random`, `grid`, `qmc` (also `sobol`), `cma-es`, `gp` or `nsga2`.
///
/// # Errors
/// A name that is none of these.
pub fn sampler_named(name: &str) -> Result<Box<dyn Sampler>> {
    Ok(match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "tpe" | "optuna" => Box::new(TpeSampler::default()),
        "random" => Box::new(RandomSampler),
        _ => {
            return Err(SearchError::Setting(format!(
                "no sampler is called `{name}`; {}",
                nearest(name, NAMES)
            )));
        }
    })
}
