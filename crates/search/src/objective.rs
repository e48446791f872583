//! What is searched for, and the loop that searches.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::error::{Result, SearchError};
use crate::study::{Asked, Limits, Outcome, Recovery, Started, Study};
use crate::trial::TrialState;

/// Something with parameters and a value. Closures from a [`Running`] trial to a number, a list of numbers or a `Result` of these are objectives.
pub trait Objective: Sync {
    /// Runs one trial.
    fn evaluate(&self, trial: &Running<'_>) -> Outcome;
}

impl<F, R> Objective for F
where
    F: Fn(&Running<'_>) -> R + Sync,
    R: Into<Outcome>,
{
    fn evaluate(&self, trial: &Running<'_>) -> Outcome {
        self(trial).into()
    }
}

impl From<f64> for Outcome {
    fn from(value: f64) -> Self {
        Self::Complete(vec![value])
    }
}

impl From<Vec<f64>> for Outcome {
    fn from(values: Vec<f64>) -> Self {
        Self::Complete(values)
    }
}

impl<T: Into<Outcome>, E: std::fmt::Display> From<Result<T, E>> for Outcome {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => value.into(),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// A trial in the hands of an [`Objective`].
pub struct Running<'a> {
    started: Started,
    report: &'a dyn Fn(i64, f64) -> Result<bool>,
}

impl Running<'_> {
    /// Its number in the study.
    #[must_use]
    pub fn number(&self) -> usize {
        self.started.number
    }

    /// The values of its active parameters.
    #[must_use]
    pub fn params(&self) -> &Map<String, Value> {
        &self.started.params
    }

    /// The value of a parameter; nothing where it is not active.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.started.params.get(name)
    }

    /// The value of a numeric parameter; NaN where it is not active or not numeric, which makes the trial fail.
    #[must_use]
    pub fn float(&self, name: &str) -> f64 {
        self.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }

    /// Enters a value on the way, and says whether the trial shall end with [`Outcome::Pruned`].
    ///
    /// # Errors
    /// A storage that fails.
    pub fn report(&self, step: i64, value: f64) -> Result<bool> {
        (self.report)(step, value)
    }
}

/// Why [`Study::optimize`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There are as many trials as were wanted.
    Trials,
    /// The time is over.
    Timeout,
    /// Every point of the space has been tried.
    Exhausted,
}

/// The study among the threads of [`Study::optimize`].
struct Shared<'a> {
    study: Mutex<&'a mut Study>,
    /// Told when a trial has ended.
    ended: Condvar,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, &'a mut Study> {
        // The study is whole between two operations even if an objective panicked.
        self.study.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a worker sleeps before it looks again whether other processes have ended trials.
const POLL: Duration = Duration::from_millis(50);

impl Study {
    /// Runs trials of `objective` in as many threads as the study has workers, until a limit is reached or the space is exhausted.
    ///
    /// # Errors
    /// Limits that are 0 or missing for a space without end, a storage that fails, and a study all of whose trials failed.
    pub fn optimize(&mut self, objective: &impl Objective, limits: Limits) -> Result<Stop> {
        if limits.timeout == Some(Duration::ZERO) {
            return Err(SearchError::Setting(
                "timeout must be above 0 seconds".to_owned(),
            ));
        }
        if limits.trials == Some(0) {
            return Err(SearchError::Setting(
                "the number of trials must be above 0".to_owned(),
            ));
        }
        if limits.trials.is_none()
            && limits.timeout.is_none()
            && self.space().cardinality().is_none()
        {
            return Err(SearchError::Setting(
                "a search needs a number of trials or a timeout, else it would never end"
                    .to_owned(),
            ));
        }
        let deadline = limits.timeout.map(|timeout| Instant::now() + timeout);
        let workers = self.options().workers;
        let shared = Shared {
            study: Mutex::new(self),
            ended: Condvar::new(),
        };
        let stops: Vec<Result<Stop>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|_| scope.spawn(|| work(&shared, objective, limits, deadline)))
                .collect();
            let panicked = || SearchError::Setting("the objective panicked".to_owned());
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
                .collect()
        });
        let mut stop = Stop::Trials;
        for result in stops {
            match result? {
                Stop::Trials => {}
                other => stop = other,
            }
        }
        let succeeded = self.count(TrialState::Complete) + self.count(TrialState::Pruned);
        let failed = self.count(TrialState::Failed);
        if succeeded == 0 && failed > 0 {
            let last = self.trials().iter().rev().find_map(|trial| trial.failure());
            return Err(SearchError::AllFailed {
                count: failed,
                reason: last.unwrap_or("nobody said why").to_owned(),
            });
        }
        Ok(stop)
    }
}

fn work(
    shared: &Shared<'_>,
    objective: &impl Objective,
    limits: Limits,
    deadline: Option<Instant>,
) -> Result<Stop> {
    loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(Stop::Timeout);
        }
        let mut study = shared.lock();
        let asked = match study.try_ask(limits.trials) {
            Err(SearchError::Exhausted(_)) => return Ok(Stop::Exhausted),
            asked => asked?,
        };
        match asked {
            Asked::Trial(started) => {
                drop(study);
                let number = started.number;
                let report = |step, value| {
                    let mut study = shared.lock();
                    study.report(number, step, value)?;
                    study.should_prune(number)
                };
                let outcome = objective.evaluate(&Running {
                    started,
                    report: &report,
                });
                shared.lock().tell(number, &outcome)?;
                shared.ended.notify_all();
            }
            // The trials of other processes are theirs, unless they are gone.
            Asked::Enough if study.recover(Recovery::DeadWorkers)?.is_empty() => {
                return Ok(Stop::Trials);
            }
            Asked::Enough => {}
            Asked::Wait => {
                if study.recover(Recovery::DeadWorkers)?.is_empty() {
                    let _ = shared.ended.wait_timeout(study, POLL);
                }
            }
        }
    }
}
