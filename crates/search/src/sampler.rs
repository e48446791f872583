//! Where the next trial goes. A sampler is a function of the history, the seed and the trial's number: it keeps nothing that it could not work out
//! again, so a study goes on the same after a restart and in another process.

mod cma_es;
mod gp;
mod grid;
mod nsga2;
mod qmc;
mod random;
mod tpe;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::cma_es::CmaEsSampler;
pub use self::gp::GpSampler;
pub use self::grid::GridSampler;
pub use self::nsga2::Nsga2Sampler;
pub use self::qmc::QmcSampler;
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

/// A sampler, as settings name it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SamplerConfig {
    /// Parzen estimators.
    #[serde(alias = "optuna")]
    Tpe(TpeSampler),
    /// Points at random.
    Random(RandomSampler),
    /// Every combination.
    Grid(GridSampler),
    /// Scrambled Sobol points.
    #[serde(alias = "sobol")]
    Qmc(QmcSampler),
    /// Covariance matrix adaptation.
    CmaEs(CmaEsSampler),
    /// A Gaussian process.
    Gp(GpSampler),
    /// Evolution for several objectives.
    Nsga2(Nsga2Sampler),
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self::Tpe(TpeSampler::default())
    }
}

const NAMES: [&str; 7] = ["tpe", "random", "grid", "qmc", "cma-es", "gp", "nsga2"];

impl SamplerConfig {
    /// The sampler of a name with its default settings; `optuna` is a name of `tpe`, `sobol` one of `qmc`.
    ///
    /// # Errors
    /// A name that is none of the known.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "tpe" | "optuna" => Self::Tpe(TpeSampler::default()),
            "random" => Self::Random(RandomSampler {}),
            "grid" => Self::Grid(GridSampler::default()),
            "qmc" | "sobol" => Self::Qmc(QmcSampler {}),
            "cma-es" | "cmaes" => Self::CmaEs(CmaEsSampler::default()),
            "gp" => Self::Gp(GpSampler::default()),
            "nsga2" | "nsga-ii" | "nsgaii" => Self::Nsga2(Nsga2Sampler::default()),
            _ => {
                return Err(SearchError::Setting(format!(
                    "no sampler is called `{name}`; {}",
                    nearest(name, NAMES)
                )));
            }
        })
    }

    /// The sampler. Settings out of their range are refused when it is asked for the first trial.
    #[must_use]
    pub fn build(&self) -> Box<dyn Sampler> {
        match self {
            Self::Tpe(sampler) => Box::new(*sampler),
            Self::Random(sampler) => Box::new(*sampler),
            Self::Grid(sampler) => Box::new(*sampler),
            Self::Qmc(sampler) => Box::new(*sampler),
            Self::CmaEs(sampler) => Box::new(sampler.clone()),
            Self::Gp(sampler) => Box::new(sampler.clone()),
            Self::Nsga2(sampler) => Box::new(*sampler),
        }
    }
}
