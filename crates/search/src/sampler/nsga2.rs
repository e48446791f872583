//! Evolution for several objectives: parents are chosen by the rank of their front, and among equals by how alone they stand.
//!
//! Populations are worked out from the history; a trial bears a note of the generation that it belongs to. Children are made by simulated binary
//! crossover and polynomial mutation in the unit cube.
//!
//! Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II"; Deb and Agrawal 1995 for the operators.

use serde::Deserialize;
use serde_json::json;

use super::{Proposal, Sampler};
use crate::distribution::Distribution;
use crate::error::{Result, SearchError};
use crate::history::{GENERATION, Observation, Request};
use crate::pareto;
use crate::random::Stream;
use crate::trial::TrialState;

/// Evolves a population.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Nsga2Sampler {
    /// Trials of a generation, at least 2. Default: 50.
    pub population: usize,
    /// Chance that a child has two parents, from 0 to 1. Default: 0.9.
    pub crossover: f64,
}

impl Default for Nsga2Sampler {
    fn default() -> Self {
        Self {
            population: 50,
            crossover: 0.9,
        }
    }
}

/// How close children stay to their parents: larger is closer.
const CROSSOVER_INDEX: f64 = 15.0;
const MUTATION_INDEX: f64 = 20.0;

/// A trial that may become a parent.
struct Individual<'a> {
    trial: &'a Observation,
    rank: usize,
    crowding: f64,
}

impl Sampler for Nsga2Sampler {
    fn propose(&mut self, request: &Request<'_>) -> Result<Option<Proposal>> {
        if self.population < 2 || !(0.0..=1.0).contains(&self.crossover) {
            return Err(SearchError::Setting(
                "nsga2 needs a population of at least 2 and crossover from 0 to 1".to_owned(),
            ));
        }
        let (generation, parents) = self.parents(request);
        let mut notes = serde_json::Map::new();
        notes.insert(GENERATION.to_owned(), json!(generation));
        for attempt in 0..100 {
            let mut stream = request.stream(&[0x4E, attempt]);
            let units = if parents.is_empty() {
                request
                    .space()
                    .parameters()
                    .iter()
                    .map(|_| stream.uniform())
                    .collect()
            } else {
                self.child(request, &parents, &mut stream)
            };
            let point = request.space().point_of_units(units.into_iter())?;
            if request.accepts(&point) {
                return Ok(Some(Proposal { point, notes }));
            }
        }
        Ok(None)
    }
}

impl Nsga2Sampler {
    /// The generation that the next trial belongs to, and those that it comes from.
    fn parents<'a>(&self, request: &'a Request<'_>) -> (u64, Vec<Individual<'a>>) {
        let mut parents: Vec<Individual<'a>> = Vec::new();
        for generation in 0.. {
            let finished: Vec<(TrialState, &Observation)> = request
                .observations()
                .filter(|(state, trial)| {
                    state.is_finished() && trial.generation == Some(generation)
                })
                .collect();
            if finished.len() < self.population {
                return (generation, parents);
            }
            let children = finished
                .into_iter()
                .filter(|(state, trial)| *state == TrialState::Complete && !trial.losses.is_empty())
                .map(|(_, trial)| trial);
            let pool = parents
                .into_iter()
                .map(|parent| parent.trial)
                .chain(children)
                .collect();
            parents = select(pool, self.population);
        }
        (0, parents)
    }

    fn child(
        &self,
        request: &Request<'_>,
        parents: &[Individual<'_>],
        stream: &mut Stream,
    ) -> Vec<f64> {
        let mother = tournament(parents, stream);
        let father = tournament(parents, stream);
        let crosses = stream.uniform() < self.crossover;
        let parameters = request.space().parameters();
        let mutation = 1.0 / parameters.len() as f64;
        let mut units = Vec::with_capacity(parameters.len());
        for (place, parameter) in parameters.iter().enumerate() {
            let distribution = &parameter.distribution;
            let mut unit = |trial: &Observation| {
                trial.point[place]
                    .map_or_else(|| stream.uniform(), |value| distribution.unit_of(value))
            };
            let (mut one, other) = (unit(mother), unit(father));
            let is_choice = matches!(**distribution, Distribution::Categorical { .. });
            if crosses && stream.uniform() < 0.5 {
                one = if is_choice {
                    other
                } else {
                    crossed(one, other, stream)
                };
            }
            if stream.uniform() < mutation {
                one = if is_choice {
                    stream.uniform()
                } else {
                    mutated(one, stream)
                };
            }
            units.push(one.clamp(0.0, 1.0));
        }
        units
    }
}

/// The `n` best by rank, then by how alone they stand; those that break constraints come after all that do not.
fn select(pool: Vec<&Observation>, n: usize) -> Vec<Individual<'_>> {
    let (feasible, mut broken): (Vec<_>, Vec<_>) =
        pool.into_iter().partition(|trial| trial.violation <= 0.0);
    let losses: Vec<&[f64]> = feasible
        .iter()
        .map(|trial| trial.losses.as_slice())
        .collect();
    let ranks = pareto::ranks(&losses);
    let last = ranks.iter().copied().max().map_or(0, |rank| rank + 1);
    let mut chosen = Vec::new();
    for rank in 0..last {
        let places: Vec<usize> = (0..feasible.len())
            .filter(|place| ranks[*place] == rank)
            .collect();
        let front: Vec<&[f64]> = places.iter().map(|place| losses[*place]).collect();
        let mut individuals: Vec<Individual<'_>> = places
            .iter()
            .zip(pareto::crowding(&front))
            .map(|(place, crowding)| Individual {
                trial: feasible[*place],
                rank,
                crowding,
            })
            .collect();
        individuals.sort_by(|a, b| b.crowding.total_cmp(&a.crowding));
        chosen.extend(individuals);
    }
    broken.sort_by(|a, b| a.violation.total_cmp(&b.violation));
    chosen.extend(
        broken
            .into_iter()
            .enumerate()
            .map(|(place, trial)| Individual {
                trial,
                rank: last + place,
                crowding: 0.0,
            }),
    );
    chosen.truncate(n);
    chosen
}

/// The better of two at random.
fn tournament<'a>(parents: &[Individual<'a>], stream: &mut Stream) -> &'a Observation {
    let a = &parents[stream.below(parents.len())];
    let b = &parents[stream.below(parents.len())];
    let a_wins = (a.rank, -a.crowding) < (b.rank, -b.crowding);
    if a_wins { a.trial } else { b.trial }
}

/// One child of simulated binary crossover.
fn crossed(one: f64, other: f64, stream: &mut Stream) -> f64 {
    let u = stream.uniform();
    let spread = if u < 0.5 {
        (2.0 * u).powf(1.0 / (CROSSOVER_INDEX + 1.0))
    } else {
        (1.0 / (2.0 * (1.0 - u))).powf(1.0 / (CROSSOVER_INDEX + 1.0))
    };
    let side = if stream.uniform() < 0.5 { 1.0 } else { -1.0 };
    0.5 * (one + other) + side * 0.5 * spread * (one - other)
}

/// A polynomial mutation inside the unit interval.
fn mutated(unit: f64, stream: &mut Stream) -> f64 {
    let u = stream.uniform();
    let power = 1.0 / (MUTATION_INDEX + 1.0);
    let shift = if u < 0.5 {
        let reach = (1.0 - unit).powf(MUTATION_INDEX + 1.0);
        (2.0 * u + (1.0 - 2.0 * u) * reach).powf(power) - 1.0
    } else {
        let reach = unit.powf(MUTATION_INDEX + 1.0);
        1.0 - (2.0 * (1.0 - u) + (2.0 * u - 1.0) * reach).powf(power)
    };
    unit + shift
}
