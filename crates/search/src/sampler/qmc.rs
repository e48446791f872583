//! Scrambled Sobol points: they leave no gaps and do not clump, as random points do.

use serde::Deserialize;

use super::{Proposal, Sampler};
use crate::error::Result;
use crate::history::Request;
use crate::sobol;
use crate::space::Point;

/// Takes the points of a scrambled Sobol sequence, trial by trial.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct QmcSampler {}

/// Where the sequence goes on for a trial whose point is not accepted.
const STRIDE: u32 = 1 << 20;
const TRIES: u32 = 64;

impl Sampler for QmcSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        first_sobol_point(request)
    }
}

/// The first point of the trial that is accepted.
pub(super) fn first_sobol_point(request: &Request<'_>) -> Result<Option<Proposal>> {
    for attempt in 0..TRIES {
        let point = sobol_point(request, attempt)?;
        if request.accepts(&point) {
            return Ok(Some(Proposal {
                point,
                ..Proposal::default()
            }));
        }
    }
    Ok(None)
}

/// The point of an attempt.
pub(super) fn sobol_point(request: &Request<'_>, attempt: u32) -> Result<Point> {
    let index = attempt
        .wrapping_mul(STRIDE)
        .wrapping_add(request.number() as u32);
    request
        .space()
        .point_of_units((0..).map(|dimension| sobol::scrambled(index, dimension, request.seed)))
}
