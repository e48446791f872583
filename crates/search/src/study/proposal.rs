//! A point for a trial: from the sampler, else at random, else the first that is left of a finite space.

use super::{StudyOptions, horizon};
use crate::error::{Result, SearchError};
use crate::history::{History, Request};
use crate::random::mix;
use crate::sampler::{Proposal, Sampler, random_point};
use crate::space::{Point, Space};

/// Random points that are tried before a space is searched through, or held for impossible.
const RANDOM_TRIES: u64 = 2_000;
/// Spaces up to so many points are searched through when random points fail.
const ENUMERABLE: usize = 1_000_000;

/// A point for trial `number`: from the sampler, at random, or the first that is left.
pub(super) fn propose(
    history: &History,
    number: usize,
    space: &Space,
    options: &StudyOptions,
    seed: u64,
    sampler: &mut dyn Sampler,
) -> Result<Proposal> {
    let fault = std::cell::RefCell::new(None);
    let broken = std::cell::RefCell::new(None);
    let accept = |point: &Point| match space.broken(point) {
        Ok(None) => !history.was_tried(point),
        Ok(Some(constraint)) => {
            broken.replace(Some(constraint));
            false
        }
        Err(error) => {
            fault.replace(Some(error));
            false
        }
    };
    let mut request = Request {
        space,
        observations: &history.observations,
        horizon: horizon(options, number),
        number,
        objectives: options.directions.len(),
        seed,
        accept: &accept,
    };
    let mut found = sampler.propose(&request)?;
    if found.is_none() {
        request.seed = mix(seed);
        for attempt in 0..RANDOM_TRIES {
            let point = random_point(&request, attempt)?;
            if accept(&point) {
                found = Some(Proposal {
                    point,
                    ..Proposal::default()
                });
                break;
            }
        }
    }
    if let Some(error) = fault.take() {
        return Err(error);
    }
    if let Some(proposal) = found {
        return Ok(proposal);
    }
    let points = space.cardinality().filter(|points| *points <= ENUMERABLE);
    if let Some(points) = points {
        for place in 0..points {
            let point = space.nth_point(place)?;
            if accept(&point) {
                return Ok(Proposal {
                    point,
                    ..Proposal::default()
                });
            }
        }
        if history.tried() > 0 {
            return Err(SearchError::Exhausted(history.tried()));
        }
    }
    Err(SearchError::Space(match broken.take() {
        Some(constraint) => format!(
            "no point satisfies `{constraint}`{}; widen the parameters in it",
            if points.is_some() {
                String::new()
            } else {
                format!(" among {RANDOM_TRIES} drawn")
            }
        ),
        None => "no new point was found".to_owned(),
    }))
}
