//! A study: trials of one space, asked for and told about.
//!
//! [`Study::ask`] gives a trial, [`Study::report`] and [`Study::should_prune`] go with it, [`Study::tell`] ends it. Who runs the trial does not matter:
//! a closure, a thread, a child process, a machine elsewhere. [`Study::optimize`] is the loop for closures.

mod proposal;
mod queue;
mod results;

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use self::proposal::propose;
pub use self::queue::Recovery;
use self::queue::{parameters_of, start_waiting};
use crate::error::{Result, SearchError};
use crate::history::History;
use crate::pruner::{NoPruner, Pruner, Reports};
use crate::sampler::{Sampler, TpeSampler};
use crate::space::Space;
use crate::storage::{Change, MemoryStorage, NewTrial, State, Storage, StudyRecord};
use crate::trial::{Direction, FAILURE, Trial, TrialState};

/// What a study is, apart from its space.
#[derive(Clone, Debug)]
pub struct StudyOptions {
    /// Its name in the storage. Default: `study`.
    pub name: String,
    /// One for each objective. Default: one, minimized.
    pub directions: Vec<Direction>,
    /// Seed of all draws. A study that exists keeps its own.
    pub seed: u64,
    /// How many trials may run at a time; with [`Self::deterministic`] the study depends on it. Default: 1.
    pub workers: usize,
    /// Whether trial `n` is made up from the results of trials up to `n - workers` alone, and waits for them. Then a study is the same whatever the timing.
    pub deterministic: bool,
    /// How often a trial whose worker died is run again. Default: 3.
    pub max_retries: usize,
}

impl Default for StudyOptions {
    fn default() -> Self {
        Self {
            name: "study".to_owned(),
            directions: vec![Direction::Minimize],
            seed: 0,
            workers: 1,
            deterministic: false,
            max_retries: 3,
        }
    }
}

/// A trial that was given out.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Its number in the study.
    pub number: usize,
    /// The values of its active parameters.
    pub params: Map<String, Value>,
}

/// The answer to [`Study::try_ask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Run this trial.
    Trial(Started),
    /// Others must end first.
    Wait,
    /// There are as many trials as were wanted.
    Enough,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a value for each objective. A value that is NaN makes it failed.
    Complete(Vec<f64>),
    /// Stopped early, as [`Study::should_prune`] said.
    Pruned,
    /// Without values, and why.
    Failed(String),
}

/// A note on a study: the seed of its draws.
const SEED: &str = "llm:seed";
/// A search in progress.
pub struct Study {
    storage: Box<dyn Storage>,
    id: i64,
    seed: u64,
    space: Space,
    options: StudyOptions,
    sampler: Box<dyn Sampler>,
    pruner: Box<dyn Pruner>,
    history: History,
}

impl Study {
    /// A study in memory, searched by TPE and pruned by nobody.
    ///
    /// # Errors
    /// Settings that are out of range.
    pub fn new(space: Space, options: StudyOptions) -> Result<Self> {
        Self::open(Box::new(MemoryStorage::new()), space, options)
    }

    /// Makes the study of that name in `storage`, or goes on with it.
    ///
    /// # Errors
    /// Settings that are out of range, other directions than those of the study that is there, a storage that cannot be written.
    pub fn open(
        mut storage: Box<dyn Storage>,
        space: Space,
        options: StudyOptions,
    ) -> Result<Self> {
        if options.directions.is_empty() {
            return Err(SearchError::Setting(
                "a study needs at least one direction".to_owned(),
            ));
        }
        if options.workers == 0 {
            return Err(SearchError::Setting(
                "workers must be at least 1".to_owned(),
            ));
        }
        let name = options.name.clone();
        storage.sync()?;
        // Whoever only looks needs no right to write.
        if storage.state().study_named(&name).is_none() {
            storage.transaction(&mut |state| {
                if state.study_named(&name).is_some() {
                    return Ok(Vec::new());
                }
                let create = Change::CreateStudy {
                    name: name.clone(),
                    directions: options.directions.clone(),
                };
                Ok(vec![create])
            })?;
        }
        let missing = || SearchError::Storage {
            url: name.clone(),
            message: "the study is gone".to_owned(),
        };
        let record = storage.state().study_named(&name).ok_or_else(missing)?;
        if record.directions != options.directions {
            return Err(SearchError::Setting(format!(
                "the study `{name}` has the directions {:?}, not {:?}; give it another name, or leave them as they are",
                record.directions, options.directions
            )));
        }
        let id = record.id;
        let seed = note_once(storage.as_mut(), id, &name, SEED, &json!(options.seed))?;
        let seed = seed.as_u64().unwrap_or(options.seed);
        Ok(Self {
            storage,
            id,
            seed,
            space,
            options,
            sampler: Box::new(TpeSampler::default()),
            pruner: Box::new(NoPruner),
            history: History::default(),
        }
        .informed())
    }

    /// The study, its history up to date with what the storage knows.
    fn informed(mut self) -> Self {
        self.update_history();
        self
    }

    fn update_history(&mut self) {
        if let Some(study) = self.storage.state().study(self.id) {
            self.history.update(&self.space, study);
        }
    }

    /// The study, searched by another sampler.
    #[must_use]
    pub fn with_sampler(mut self, sampler: Box<dyn Sampler>) -> Self {
        self.sampler = sampler;
        self
    }

    /// The study, with a pruner.
    ///
    /// # Errors
    /// Several objectives, of which no report says which it means.
    pub fn with_pruner(mut self, pruner: Box<dyn Pruner>) -> Result<Self> {
        if self.options.directions.len() > 1 {
            return Err(SearchError::Setting(
                "trials with several objectives cannot be pruned; leave the pruner out".to_owned(),
            ));
        }
        self.pruner = pruner;
        Ok(self)
    }

    /// Its settings; the seed is that of the study.
    #[must_use]
    pub fn options(&self) -> StudyOptions {
        StudyOptions {
            seed: self.seed,
            ..self.options.clone()
        }
    }

    /// Its space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// All trials, as of the last exchange with the storage.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        self.record().map_or(&[], |record| &record.trials)
    }

    /// Enters a note on the study unless it has one of that name, and gives the one that it has then. Whoever joins a study can see by it whether all search
    /// the same.
    ///
    /// # Errors
    /// A storage that fails.
    pub fn note_once(&mut self, key: &str, value: &Value) -> Result<Value> {
        let name = &self.options.name;
        note_once(self.storage.as_mut(), self.id, name, key, value)
    }

    /// Takes in what others have written.
    ///
    /// # Errors
    /// A storage that cannot be read.
    pub fn sync(&mut self) -> Result<()> {
        self.storage.sync()?;
        self.update_history();
        Ok(())
    }

    /// Shows others that this worker lives; to be called every few seconds while trials run, as a connection that breaks is made anew by it.
    ///
    /// # Errors
    /// A storage that fails.
    pub fn keep_alive(&mut self) -> Result<()> {
        self.storage.keep_alive()
    }

    /// A trial to run.
    ///
    /// # Errors
    /// A space that is exhausted or that no point satisfies, a storage that fails, and a deterministic study whose earlier trials have not ended.
    pub fn ask(&mut self) -> Result<Started> {
        match self.try_ask(None)? {
            Asked::Trial(started) => Ok(started),
            Asked::Wait | Asked::Enough => Err(SearchError::Trial {
                number: self.history.observations.len(),
                message: format!(
                    "a deterministic study of {} workers needs the results of earlier trials first",
                    self.options.workers
                ),
            }),
        }
    }

    /// A trial to run, unless the study has `limit` of them already, those run again counted once, or others must end first.
    ///
    /// # Errors
    /// A space that is exhausted or that no point satisfies, and a storage that fails.
    pub fn try_ask(&mut self, limit: Option<usize>) -> Result<Asked> {
        let Self {
            storage,
            id,
            seed,
            space,
            options,
            sampler,
            history,
            ..
        } = self;
        let mut answer = Asked::Wait;
        storage.transaction(&mut |state| {
            // The storage may ask again.
            answer = Asked::Wait;
            let study = known_study(state, *id, &options.name)?;
            history.update(space, study);
            let now = OffsetDateTime::now_utc();
            let waiting = history.open.iter().map(|number| &study.trials[*number]);
            if let Some(trial) = waiting
                .filter(|trial| trial.state == TrialState::Waiting)
                .min_by_key(|trial| trial.number)
            {
                let proposal = propose(
                    history,
                    trial.number,
                    space,
                    options,
                    *seed,
                    sampler.as_mut(),
                )?;
                let (params, changes) = start_waiting(trial, space, &proposal.point, now)?;
                answer = Asked::Trial(Started {
                    number: trial.number,
                    params,
                });
                return Ok(changes);
            }
            if limit.is_some_and(|limit| history.distinct() >= limit) {
                answer = Asked::Enough;
                return Ok(Vec::new());
            }
            let number = study.trials.len();
            let horizon = horizon(options, number);
            if history.open.first().is_some_and(|open| *open < horizon) && options.deterministic {
                return Ok(Vec::new());
            }
            let proposal = propose(history, number, space, options, *seed, sampler.as_mut())?;
            answer = Asked::Trial(Started {
                number,
                params: space.values(&proposal.point),
            });
            let trial = NewTrial {
                state: TrialState::Running,
                values: Vec::new(),
                parameters: parameters_of(space, &proposal.point),
                intermediate: Vec::new(),
                user_attributes: Map::new(),
                system_attributes: proposal.notes,
                started: Some(now),
                finished: None,
            };
            Ok(vec![Change::CreateTrial {
                study: *id,
                trial: Box::new(trial),
            }])
        })?;
        Ok(answer)
    }

    /// Enters a value on the way.
    ///
    /// # Errors
    /// A trial that is not running, and a storage that fails.
    pub fn report(&mut self, number: usize, step: i64, value: f64) -> Result<()> {
        self.change(number, &mut |trial| {
            Ok(vec![Change::Report {
                trial: trial.id,
                step,
                value,
            }])
        })
    }

    /// Whether the pruner would end the trial after its last report.
    ///
    /// # Errors
    /// A trial that is not there, and a storage that fails.
    pub fn should_prune(&mut self, number: usize) -> Result<bool> {
        self.storage.sync()?;
        let study = known_study(self.storage.state(), self.id, &self.options.name)?;
        let trial = known_trial(study, number)?;
        let reports = Reports {
            trials: &study.trials,
            horizon: horizon(&self.options, number),
            direction: self.options.directions[0],
            study: &study.name,
        };
        Ok(trial.last_report().is_some() && self.pruner.prunes(&reports, trial))
    }

    /// Enters a note on a running trial, which dashboards show.
    ///
    /// # Errors
    /// A trial that is not running, and a storage that fails.
    pub fn note(&mut self, number: usize, key: &str, value: &Value) -> Result<()> {
        self.change(number, &mut |trial| {
            Ok(vec![Change::SetUserAttribute {
                trial: trial.id,
                key: key.to_owned(),
                value: value.clone(),
            }])
        })
    }

    /// Enters constraints that were measured while the trial ran: those above 0 are broken, by that much. Such a trial is never the best.
    ///
    /// # Errors
    /// A trial that is not running, and a storage that fails.
    pub fn measured_constraints(&mut self, number: usize, values: &[f64]) -> Result<()> {
        self.change(number, &mut |trial| {
            Ok(vec![Change::SetSystemAttribute {
                trial: trial.id,
                key: "constraints".to_owned(),
                value: json!(values),
            }])
        })
    }

    /// Ends a trial.
    ///
    /// # Errors
    /// A trial that is not running, another number of values than of objectives, and a storage that fails.
    pub fn tell(&mut self, number: usize, outcome: &Outcome) -> Result<()> {
        let objectives = self.options.directions.len();
        let (state, values, failure) = match outcome {
            Outcome::Complete(values) if values.len() != objectives => {
                return Err(SearchError::Trial {
                    number,
                    message: format!("has {} values for {objectives} objectives", values.len()),
                });
            }
            Outcome::Complete(values) if values.iter().any(|value| value.is_nan()) => {
                (TrialState::Failed, None, Some("the value is NaN"))
            }
            Outcome::Complete(values) => (TrialState::Complete, Some(values.clone()), None),
            // As Optuna does, the last report stands for the value, so that it is shown.
            Outcome::Pruned => (TrialState::Pruned, None, None),
            Outcome::Failed(reason) => (TrialState::Failed, None, Some(reason.as_str())),
        };
        let now = OffsetDateTime::now_utc();
        self.change(number, &mut |trial| {
            let mut changes = Vec::new();
            if let Some(reason) = failure {
                changes.push(Change::SetUserAttribute {
                    trial: trial.id,
                    key: FAILURE.to_owned(),
                    value: json!(reason),
                });
            }
            let last = trial.last_report().filter(|_| state == TrialState::Pruned);
            let values = values.clone().or_else(|| {
                last.filter(|(_, value)| value.is_finite())
                    .map(|(_, value)| vec![value])
            });
            changes.push(Change::SetState {
                trial: trial.id,
                state,
                values,
                at: now,
            });
            Ok(changes)
        })
    }

    fn record(&self) -> Option<&StudyRecord> {
        self.storage.state().study(self.id)
    }

    /// Changes a running trial.
    fn change(
        &mut self,
        number: usize,
        body: &mut dyn FnMut(&Trial) -> Result<Vec<Change>>,
    ) -> Result<()> {
        let (id, name) = (self.id, &self.options.name);
        self.storage.transaction(&mut |state| {
            let trial = known_trial(known_study(state, id, name)?, number)?;
            if trial.state != TrialState::Running {
                return Err(SearchError::Trial {
                    number,
                    message: format!("is {}, not running", trial.state.name()),
                });
            }
            body(trial)
        })
    }
}

/// The first trial whose result trial `number` must not see.
fn horizon(options: &StudyOptions, number: usize) -> usize {
    if options.deterministic {
        (number + 1).saturating_sub(options.workers)
    } else {
        usize::MAX
    }
}

/// Enters a note on a study unless it has one of that name, and gives the one that it has then.
fn note_once(
    storage: &mut dyn Storage,
    study: i64,
    name: &str,
    key: &str,
    value: &Value,
) -> Result<Value> {
    let known = known_study(storage.state(), study, name)?;
    if let Some(noted) = known.system_attributes.get(key) {
        return Ok(noted.clone());
    }
    storage.transaction(&mut |state| {
        let is_noted = known_study(state, study, name)?
            .system_attributes
            .contains_key(key);
        let note = Change::SetStudySystemAttribute {
            study,
            key: key.to_owned(),
            value: value.clone(),
        };
        Ok(if is_noted { Vec::new() } else { vec![note] })
    })?;
    let known = known_study(storage.state(), study, name)?;
    Ok(known
        .system_attributes
        .get(key)
        .cloned()
        .unwrap_or_default())
}

fn known_study<'a>(state: &'a State, id: i64, name: &str) -> Result<&'a StudyRecord> {
    state.study(id).ok_or_else(|| SearchError::Storage {
        url: name.to_owned(),
        message: "the study was deleted".to_owned(),
    })
}

fn known_trial(study: &StudyRecord, number: usize) -> Result<&Trial> {
    study.trials.get(number).ok_or_else(|| SearchError::Trial {
        number,
        message: format!(
            "is not in the study, which has {} trials",
            study.trials.len()
        ),
    })
}

/// When [`Study::optimize`] ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// After so many trials of the study, those that it had before included.
    pub trials: Option<usize>,
    /// After so long; trials that run then are ended in order.
    pub timeout: Option<Duration>,
}
