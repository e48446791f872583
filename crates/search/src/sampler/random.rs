//! Points at random, each on its own.

use serde::Deserialize;

use super::{Proposal, Sampler};
use crate::error::Result;
use crate::history::Request;
use crate::space::Point;

/// Draws every parameter by itself, uniformly on its scale.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomSampler {}

/// Points that are drawn before a random search gives up.
const TRIES: u64 = 100;

impl Sampler for RandomSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        for attempt in 0..TRIES {
            let point = random_point(request, attempt)?;
            if request.accepts(&point) {
                return Ok(Some(Proposal {
                    point,
                    ..Proposal::default()
                }));
            }
        }
        Ok(None)
    }
}

/// The random point of an attempt.
pub(crate) fn random_point(request: &Request<'_>, attempt: u64) -> Result<Point> {
    let mut stream = request.stream(&[0x52, attempt]);
    request
        .space()
        .point_of_units(std::iter::repeat_with(|| stream.uniform()))
}
