//! Every combination of values, once, in an order that jumps over the whole grid.

use serde::Deserialize;

use super::{Proposal, Sampler};
use crate::error::{Result, SearchError};
use crate::history::Request;
use crate::random::Stream;
use crate::space::Point;

/// Goes through a grid. Parameters that have too many values to list, or none that can be listed, are cut into [`Self::points`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct GridSampler {
    /// Points of a continuous parameter, both ends included, evenly spaced on its scale; at least 2. Default: 5.
    pub points: usize,
}

impl Default for GridSampler {
    fn default() -> Self {
        Self { points: 5 }
    }
}

impl Sampler for GridSampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        if self.points < 2 {
            return Err(SearchError::Setting(format!(
                "points of a grid must be at least 2, not {}",
                self.points
            )));
        }
        let parameters = request.space().parameters();
        let counts: Vec<usize> = parameters
            .iter()
            .map(|parameter| parameter.distribution.cardinality().unwrap_or(self.points))
            .collect();
        let size = counts
            .iter()
            .try_fold(1usize, |size, count| size.checked_mul(*count));
        let Some(size) = size.filter(|size| *size <= u32::MAX as usize) else {
            return Err(SearchError::Space(
                "the grid has too many points to go through; give parameters a step, or take another sampler".to_owned(),
            ));
        };
        let (start, stride) = walk(size, request.seed);
        for visit in 0..size {
            // Trial by trial the walk goes on where the last one stopped; those before it are refused as tried.
            let place = (start + (request.number() + visit) % size * stride) % size;
            let point = self.point(request, &counts, place)?;
            if request.accepts(&point) {
                return Ok(Some(Proposal {
                    point,
                    ..Proposal::default()
                }));
            }
        }
        Err(SearchError::Exhausted(size))
    }
}

impl GridSampler {
    fn point(&self, request: &Request<'_>, counts: &[usize], mut place: usize) -> Result<Point> {
        let mut point = Vec::with_capacity(counts.len());
        for (parameter, count) in request.space().parameters().iter().zip(counts) {
            let step = place % count;
            place /= count;
            let distribution = &parameter.distribution;
            point.push(Some(match distribution.cardinality() {
                Some(_) => distribution.nth(step),
                None => distribution.at_unit(step as f64 / (count - 1) as f64),
            }));
        }
        request.space().prune_inactive(&mut point)?;
        Ok(point)
    }
}

/// A start and a stride that comes to every one of `size` places.
fn walk(size: usize, seed: u64) -> (usize, usize) {
    let mut stream = Stream::new(seed, &[0x47]);
    let start = stream.below(size);
    let golden = (size as f64 * 0.618_033_988_749_895) as usize;
    let stride = (golden.max(1)..)
        .find(|stride| gcd(*stride, size) == 1)
        .unwrap_or(1);
    (start, stride)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
