//! What a storage holds, and the operations that change it: those of Optuna's journal.
//!
//! An operation that comes too late, such as a value for a trial that another worker has ended, changes nothing; so every reader of the same
//! operations has the same state.

#[cfg(feature = "rdb")]
use std::cmp::Ordering;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::distribution::Distribution;
use crate::trial::{Direction, Trial, TrialParameter, TrialState};

/// One operation. Studies and trials are named by the storage's own numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new study; ignored if the name is taken.
    CreateStudy {
        /// Its name, unique in the storage.
        name: String,
        /// One for each objective.
        directions: Vec<Direction>,
    },
    /// A study and its trials are gone.
    DeleteStudy {
        /// Which.
        study: i64,
    },
    /// A note of people on a study.
    SetStudyUserAttribute {
        /// Which study.
        study: i64,
        /// Name of the note.
        key: String,
        /// The note.
        value: Value,
    },
    /// A note of programs on a study.
    SetStudySystemAttribute {
        /// Which study.
        study: i64,
        /// Name of the note.
        key: String,
        /// The note.
        value: Value,
    },
    /// A new trial.
    CreateTrial {
        /// Which study.
        study: i64,
        /// What is known of it.
        trial: Box<NewTrial>,
    },
    /// A parameter of a running trial.
    SetParameter {
        /// Which trial.
        trial: i64,
        /// The parameter.
        parameter: TrialParameter,
    },
    /// A trial begins or ends.
    SetState {
        /// Which trial.
        trial: i64,
        /// Where it stands now.
        state: TrialState,
        /// Its values, where it is complete.
        values: Option<Vec<f64>>,
        /// When that was.
        at: OffsetDateTime,
    },
    /// A value on the way.
    Report {
        /// Which trial.
        trial: i64,
        /// After so many steps.
        step: i64,
        /// The value.
        value: f64,
    },
    /// A note of people on a trial.
    SetUserAttribute {
        /// Which trial.
        trial: i64,
        /// Name of the note.
        key: String,
        /// The note.
        value: Value,
    },
    /// A note of programs on a trial.
    SetSystemAttribute {
        /// Which trial.
        trial: i64,
        /// Name of the note.
        key: String,
        /// The note.
        value: Value,
    },
}

/// A trial as it is created, finished ones from elsewhere included.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrial {
    /// Where it stands.
    pub state: TrialState,
    /// Values, where it is complete.
    pub values: Vec<f64>,
    /// Parameters.
    pub parameters: Vec<TrialParameter>,
    /// Values on the way, by ascending step.
    pub intermediate: Vec<(i64, f64)>,
    /// Notes of people.
    pub user_attributes: Map<String, Value>,
    /// Notes of programs.
    pub system_attributes: Map<String, Value>,
    /// When it began; nothing while it waits.
    pub started: Option<OffsetDateTime>,
    /// When it ended.
    pub finished: Option<OffsetDateTime>,
}

/// One study.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyRecord {
    /// What the storage calls it.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// One for each objective.
    pub directions: Vec<Direction>,
    /// Notes of people.
    pub user_attributes: Map<String, Value>,
    /// Notes of programs.
    pub system_attributes: Map<String, Value>,
    /// The trials; a trial's number is its place.
    pub trials: Vec<Trial>,
}

/// The studies of a storage.
#[derive(Debug, Default)]
pub struct State {
    studies: Vec<StudyRecord>,
    /// Study and number of every trial, by its id.
    places: FxHashMap<i64, (i64, usize)>,
    created_trials: i64,
    created_studies: i64,
    /// One copy of every name and every distribution, however many trials have it.
    names: FxHashMap<Arc<str>, ()>,
    distributions: FxHashMap<String, Arc<Distribution>>,
}

impl State {
    /// All studies.
    #[must_use]
    pub fn studies(&self) -> &[StudyRecord] {
        &self.studies
    }

    /// The study of a name.
    #[must_use]
    pub fn study_named(&self, name: &str) -> Option<&StudyRecord> {
        self.studies.iter().find(|study| study.name == name)
    }

    /// The study of an id.
    #[must_use]
    pub fn study(&self, id: i64) -> Option<&StudyRecord> {
        self.studies.iter().find(|study| study.id == id)
    }

    /// The trial of an id.
    #[must_use]
    pub fn trial(&self, id: i64) -> Option<&Trial> {
        let (study, number) = self.places.get(&id)?;
        self.study(*study)?.trials.get(*number)
    }

    /// The distribution of Optuna's JSON, read once.
    pub(crate) fn distribution(&mut self, text: &str) -> Result<Arc<Distribution>, String> {
        if let Some(known) = self.distributions.get(text) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Distribution::from_json(text)?);
        self.distributions
            .insert(text.to_owned(), Arc::clone(&read));
        Ok(read)
    }

    /// The one copy of a name.
    pub(crate) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some((known, ())) = self.names.get_key_value(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(name);
        self.names.insert(Arc::clone(&name), ());
        name
    }

    /// Takes in what a study is elsewhere; trials that are known of it stay.
    #[cfg(feature = "rdb")]
    pub(crate) fn put_study(&mut self, mut study: StudyRecord) {
        match self.study_mut(study.id) {
            Some(known) => {
                study.trials = std::mem::take(&mut known.trials);
                *known = study;
            }
            None => self.studies.push(study),
        }
    }

    /// Takes in a trial as it is elsewhere; `false` if the study does not have those before it.
    #[cfg(feature = "rdb")]
    pub(crate) fn put_trial(&mut self, study: i64, trial: Trial) -> bool {
        let (id, number) = (trial.id, trial.number);
        let Some(record) = self.study_mut(study) else {
            return false;
        };
        match number.cmp(&record.trials.len()) {
            Ordering::Less => record.trials[number] = trial,
            Ordering::Equal => record.trials.push(trial),
            Ordering::Greater => return false,
        }
        self.places.insert(id, (study, number));
        true
    }

    /// Carries out one operation of `worker`.
    pub(crate) fn apply(&mut self, change: Change, worker: &str) {
        match change {
            Change::CreateStudy { name, directions } => {
                if self.study_named(&name).is_none() {
                    self.studies.push(StudyRecord {
                        id: self.created_studies,
                        name,
                        directions,
                        user_attributes: Map::new(),
                        system_attributes: Map::new(),
                        trials: Vec::new(),
                    });
                    self.created_studies += 1;
                }
            }
            Change::DeleteStudy { study } => self.studies.retain(|record| record.id != study),
            Change::SetStudyUserAttribute { study, key, value } => {
                if let Some(study) = self.study_mut(study) {
                    study.user_attributes.insert(key, value);
                }
            }
            Change::SetStudySystemAttribute { study, key, value } => {
                if let Some(study) = self.study_mut(study) {
                    study.system_attributes.insert(key, value);
                }
            }
            Change::CreateTrial { study, trial } => self.create_trial(study, *trial, worker),
            Change::SetParameter { trial, parameter } => {
                if let Some(trial) = self.open_trial(trial) {
                    match trial
                        .parameters
                        .iter_mut()
                        .find(|known| known.name == parameter.name)
                    {
                        Some(known) => *known = parameter,
                        None => trial.parameters.push(parameter),
                    }
                }
            }
            Change::SetState {
                trial,
                state,
                values,
                at,
            } => {
                let worker = self.name(worker);
                let Some(trial) = self.open_trial(trial) else {
                    return;
                };
                match state {
                    TrialState::Running if trial.state == TrialState::Running => return,
                    TrialState::Running => {
                        trial.started = Some(at);
                        trial.worker = Some(worker);
                    }
                    TrialState::Waiting => {}
                    _ => trial.finished = Some(at),
                }
                trial.state = state;
                if let Some(values) = values {
                    trial.values = values;
                }
            }
            Change::Report { trial, step, value } => {
                if let Some(trial) = self.open_trial(trial) {
                    trial.report(step, value);
                }
            }
            Change::SetUserAttribute { trial, key, value } => {
                if let Some(trial) = self.open_trial(trial) {
                    trial.user_attributes.insert(key, value);
                }
            }
            Change::SetSystemAttribute { trial, key, value } => {
                if let Some(trial) = self.open_trial(trial) {
                    trial.system_attributes.insert(key, value);
                }
            }
        }
    }

    fn create_trial(&mut self, study: i64, new: NewTrial, worker: &str) {
        let worker = (new.state == TrialState::Running).then(|| self.name(worker));
        let id = self.created_trials;
        let Some(record) = self.study_mut(study) else {
            return;
        };
        let number = record.trials.len();
        record.trials.push(Trial {
            id,
            number,
            state: new.state,
            values: new.values,
            parameters: new.parameters,
            intermediate: new.intermediate,
            user_attributes: new.user_attributes,
            system_attributes: new.system_attributes,
            started: new.started,
            finished: new.finished,
            worker,
        });
        self.places.insert(id, (study, number));
        self.created_trials += 1;
    }

    fn study_mut(&mut self, id: i64) -> Option<&mut StudyRecord> {
        self.studies.iter_mut().find(|study| study.id == id)
    }

    /// The trial, if it is not finished.
    fn open_trial(&mut self, id: i64) -> Option<&mut Trial> {
        let (study, number) = *self.places.get(&id)?;
        let trial = self.study_mut(study)?.trials.get_mut(number)?;
        (!trial.state.is_finished()).then_some(trial)
    }
}
