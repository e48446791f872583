//! What samplers see of a study: points of its space with losses, for which less is always better.
//!
//! Kept up to date trial by trial, so that asking costs no pass over all that came before.

use rustc_hash::FxHashSet;
use serde_json::Value;

use crate::random::Stream;
use crate::space::{Point, Space, fingerprint};
use crate::storage::StudyRecord;
use crate::trial::{Trial, TrialState};

/// A note on a trial: numbers of the trials that it runs again, the oldest first. Optuna's name.
pub(crate) const RETRY_HISTORY: &str = "retry_history";
/// A note on a trial: the generation of an evolving sampler that it belongs to.
pub(crate) const GENERATION: &str = "llm:generation";

/// One trial, for a sampler.
#[derive(Clone, Debug)]
pub struct Observation {
    /// A stored number for each parameter of the space; nothing where it is not active, or was not a value of the space.
    pub point: Point,
    /// Where it stands.
    pub state: TrialState,
    /// One loss for each objective, if it is complete.
    pub losses: Vec<f64>,
    /// The last report on the way, its value turned into a loss.
    pub report: Option<(i64, f64)>,
    /// By how much it breaks constraints that were measured; 0 if it breaks none.
    pub violation: f64,
    /// The generation of an evolving sampler.
    pub generation: Option<u64>,
}

#[derive(Default)]
pub(crate) struct History {
    pub(crate) observations: Vec<Observation>,
    /// Numbers of the trials that are not finished.
    pub(crate) open: Vec<usize>,
    /// Points that were tried or are.
    tried: FxHashSet<u64>,
    /// Numbers of failed trials that were given to another one.
    superseded: FxHashSet<usize>,
}

impl History {
    /// Takes in what is new in `study`.
    pub(crate) fn update(&mut self, space: &Space, study: &StudyRecord) {
        let mut open = Vec::new();
        let new = self.observations.len()..study.trials.len();
        for number in std::mem::take(&mut self.open).into_iter().chain(new) {
            let trial = &study.trials[number];
            let observation = observe(space, study, trial);
            if !trial.parameters.is_empty() {
                self.tried.insert(fingerprint(&observation.point));
            }
            for retried in retries(trial) {
                self.superseded.insert(retried);
            }
            if number == self.observations.len() {
                self.observations.push(observation);
            } else {
                self.observations[number] = observation;
            }
            if !trial.state.is_finished() {
                open.push(number);
            }
        }
        self.open = open;
    }

    /// The number of trials, those run again counted once.
    pub(crate) fn distinct(&self) -> usize {
        self.observations.len() - self.superseded.len()
    }

    pub(crate) fn was_tried(&self, point: &Point) -> bool {
        self.tried.contains(&fingerprint(point))
    }

    pub(crate) fn tried(&self) -> usize {
        self.tried.len()
    }

    pub(crate) fn is_superseded(&self, number: usize) -> bool {
        self.superseded.contains(&number)
    }
}

/// The numbers of the trials that `trial` runs again.
pub(crate) fn retries(trial: &Trial) -> impl Iterator<Item = usize> {
    let list = trial
        .system_attributes
        .get(RETRY_HISTORY)
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|number| usize::try_from(number.as_u64()?).ok())
}

fn observe(space: &Space, study: &StudyRecord, trial: &Trial) -> Observation {
    let direction = study.directions.first().copied().unwrap_or_default();
    let turned = study
        .directions
        .iter()
        .zip(&trial.values)
        .map(|(d, value)| d.turned(*value));
    let losses: Vec<f64> = turned.collect();
    let point = space
        .parameters()
        .iter()
        .enumerate()
        .map(|(place, parameter)| {
            // Our own trials have the parameters in the order of the space.
            let same = |known: &&crate::trial::TrialParameter| known.name == parameter.name;
            let known = trial.parameters.get(place).filter(same);
            let known = known.or_else(|| trial.parameters.iter().find(same))?;
            if *known.distribution == *parameter.distribution {
                return Some(known.internal);
            }
            let value = known.distribution.external(known.internal);
            parameter.distribution.internal(&value)
        });
    Observation {
        point: point.collect(),
        state: trial.state,
        report: trial
            .last_report()
            .map(|(step, value)| (step, direction.turned(value))),
        violation: trial.violation(),
        generation: trial
            .system_attributes
            .get(GENERATION)
            .and_then(Value::as_u64),
        losses,
    }
}

/// A question to a sampler: a point for trial `number`.
pub struct Request<'a> {
    pub(crate) space: &'a Space,
    pub(crate) observations: &'a [Observation],
    /// Results of trials from this number on are not to be looked at.
    pub(crate) horizon: usize,
    pub(crate) number: usize,
    pub(crate) objectives: usize,
    pub(crate) seed: u64,
    pub(crate) accept: &'a dyn Fn(&Point) -> bool,
}

impl Request<'_> {
    /// The space.
    #[must_use]
    pub fn space(&self) -> &Space {
        self.space
    }

    /// The trial that the point is for.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The number of objectives.
    #[must_use]
    pub fn objectives(&self) -> usize {
        self.objectives
    }

    /// Whether a point satisfies the constraints and has not been tried.
    #[must_use]
    pub fn accepts(&self, point: &Point) -> bool {
        (self.accept)(point)
    }

    /// The trials before this one, whose state is `Running` where their result must not be used.
    pub fn observations(&self) -> impl Iterator<Item = (TrialState, &Observation)> {
        self.observations
            .iter()
            .enumerate()
            .map(|(number, observation)| {
                let hidden = number >= self.horizon && observation.state.is_finished();
                (
                    if hidden {
                        TrialState::Running
                    } else {
                        observation.state
                    },
                    observation,
                )
            })
    }

    /// The trials that ended with values.
    pub fn complete(&self) -> impl Iterator<Item = &Observation> {
        self.observations()
            .filter(|(state, observation)| {
                *state == TrialState::Complete && !observation.losses.is_empty()
            })
            .map(|(_, observation)| observation)
    }

    pub(crate) fn stream(&self, place: &[u64]) -> Stream {
        let mut whole = vec![self.number as u64];
        whole.extend_from_slice(place);
        Stream::new(self.seed, &whole)
    }
}
