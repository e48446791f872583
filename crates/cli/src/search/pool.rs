//! Workers that run the trials of one study side by side, each trial in a process of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use llm_search::{Asked, Outcome, Recovery, SearchError, Started, Study, TrialState};
use serde_json::json;

use super::folder::StudyFolder;
use super::metric::Metric;
use super::progress::SearchProgress;
use super::results::Results;
use super::settings::SearchSettings;
use super::trial::{Ended, TrialRun, Verdict, parameters};
use super::trials_config::assignments;
use crate::interrupt;
use crate::printer::Printer;
use crate::quantity::clock;
use crate::quantity::short;

/// How long a worker sleeps before it looks again whether others have ended trials.
const POLL: Duration = Duration::from_millis(50);
/// The same where each look is one at a database that others work with.
const POLL_DATABASE: Duration = Duration::from_millis(500);
/// How often it is looked for trials of workers that are gone.
const LOOK: Duration = Duration::from_secs(30);
/// How often this worker shows that it lives.
const SHOW: Duration = Duration::from_secs(5);

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// There are as many trials as were wanted.
    Trials,
    /// The time is over.
    Timeout,
    /// Every point has been tried.
    Exhausted,
    /// Ctrl-C.
    Interrupted,
}

/// A study and who works on it.
pub(crate) struct Pool<'a> {
    study: Mutex<Study>,
    settings: &'a SearchSettings,
    folder: &'a StudyFolder,
    /// What every trial's `llm train` is given beside its values.
    arguments: Vec<String>,
    progress: SearchProgress,
    began: Instant,
    /// When somebody last looked for trials of workers that are gone, and when this one last showed that it lives.
    looked: Mutex<Instant>,
    shown: Mutex<Instant>,
    /// Trials that had ended before.
    had: usize,
}

impl<'a> Pool<'a> {
    /// Workers for `study`; their runs get `arguments`.
    pub(crate) fn new(
        study: Study,
        settings: &'a SearchSettings,
        folder: &'a StudyFolder,
        arguments: Vec<String>,
        printer: Printer,
    ) -> Self {
        let had = ended(&study);
        Self {
            study: Mutex::new(study),
            settings,
            folder,
            arguments,
            progress: SearchProgress::new(printer, settings.n_trials),
            began: Instant::now(),
            looked: Mutex::new(Instant::now()),
            shown: Mutex::new(Instant::now()),
            had,
        }
    }

    /// Runs trials until the search ends, and gives back the study.
    ///
    /// # Errors
    /// A journal or file that can't be written, or a space that no point of is left.
    pub(crate) fn run(self) -> anyhow::Result<(Study, Stop)> {
        let stops: Vec<anyhow::Result<Stop>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.settings.workers)
                .map(|_| scope.spawn(|| self.work()))
                .collect();
            let panicked = || Err(anyhow!("a worker panicked"));
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| panicked()))
                .collect()
        });
        self.progress.finish();
        let mut stop = Stop::Trials;
        for result in stops {
            match result? {
                Stop::Trials => {}
                other => stop = other,
            }
        }
        let study = self
            .study
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((study, stop))
    }

    fn lock(&self) -> MutexGuard<'_, Study> {
        // The study is whole between two operations, even if a worker panicked.
        self.study.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no trial shall go on, if it shall not.
    fn over(&self) -> Option<Stop> {
        let limit = self.settings.timeout.map(Duration::from_secs_f64);
        if interrupt::pending().is_some() {
            Some(Stop::Interrupted)
        } else if limit.is_some_and(|limit| self.began.elapsed() >= limit) {
            Some(Stop::Timeout)
        } else {
            None
        }
    }

    fn work(&self) -> anyhow::Result<Stop> {
        loop {
            if let Some(stop) = self.over() {
                return Ok(stop);
            }
            let mut study = self.lock();
            if is_due(&self.looked, LOOK) {
                study.recover(Recovery::DeadWorkers)?;
            }
            let (asked, stop) = match study.try_ask(self.settings.n_trials) {
                Err(SearchError::Exhausted(_)) => (Asked::Enough, Stop::Exhausted),
                asked => (asked?, Stop::Trials),
            };
            match asked {
                Asked::Trial(started) => {
                    drop(study);
                    self.progress.begin(started.number);
                    let ended = self.trial(&started);
                    self.progress.end(started.number);
                    match ended {
                        Err(error) if is_of_trial(&error) => self.leave(started.number)?,
                        ended => ended?,
                    }
                }
                Asked::Enough | Asked::Wait => {
                    let is_lost = !study.recover(Recovery::DeadWorkers)?.is_empty();
                    if asked == Asked::Enough && !is_lost {
                        return Ok(stop);
                    }
                    drop(study);
                    thread::sleep(match self.settings.storage {
                        Some(_) => POLL_DATABASE,
                        None => POLL,
                    });
                }
            }
        }
    }

    /// Runs one trial and enters how it ended; one that Ctrl-C stopped is left as it is, for `--resume` to run again.
    fn trial(&self, started: &Started) -> anyhow::Result<()> {
        let number = started.number;
        let folder = self.folder.trial(number);
        let mut arguments = self.arguments.clone();
        arguments.extend(["--output-dir".to_owned(), folder.display().to_string()]);
        for assignment in assignments(&started.params) {
            arguments.extend(["--set".to_owned(), assignment]);
        }
        let mut run = TrialRun::start(&arguments, &folder)?;
        let report = |step: u64, loss: f64| {
            let mut study = self.lock();
            study.report(number, i64::try_from(step)?, loss)?;
            self.progress.evaluated(number, step, loss);
            let done = ended(&study);
            self.progress.show(done, self.time_left(done));
            let prunes =
                self.settings.metric.as_slice().len() == 1 && study.should_prune(number)?;
            Ok(if prunes { Verdict::Stop } else { Verdict::GoOn })
        };
        let look = || {
            if is_due(&self.shown, SHOW) {
                // A database that does not answer is the next report's to tell.
                let _ = self.lock().keep_alive();
            }
            match self.over() {
                Some(_) => Verdict::Stop,
                None => Verdict::GoOn,
            }
        };
        let ended = run.follow(report, look)?;
        let outcome = match ended {
            Ended::Trained => self.measure(number, &run)?,
            // On a terminal Ctrl-C reaches the run itself too.
            Ended::Failed(_) if interrupt::pending().is_some() => {
                self.folder.slim(number)?;
                return Ok(());
            }
            Ended::Failed(reason) => Outcome::Failed(reason),
            Ended::Stopped => match self.over() {
                Some(Stop::Interrupted) => {
                    self.folder.slim(number)?;
                    return Ok(());
                }
                Some(_) => Outcome::Failed("the time was over before its end".to_owned()),
                None => Outcome::Pruned,
            },
        };
        let mut study = self.lock();
        study.tell(number, &outcome)?;
        let results = Results::new(&study, self.settings);
        results.save(self.folder)?;
        self.tell(&study, &results, number);
        // Only the best keep their weights.
        for trial in study
            .trials()
            .iter()
            .filter(|trial| trial.state.is_finished())
        {
            if !results.pareto_front.contains(&trial.number) {
                self.folder.slim(trial.number)?;
            }
        }
        Ok(())
    }

    /// Leaves a trial to others: while this machine could not be seen, they took it for gone, and run the trial again.
    fn leave(&self, number: usize) -> anyhow::Result<()> {
        self.progress.note(format_args!(
            "trial {number} was given to another worker, while this one could not be seen"
        ));
        self.folder.slim(number)
    }

    /// The values of a run that went well, with notes of everything else that was measured.
    fn measure(&self, number: usize, run: &TrialRun) -> anyhow::Result<Outcome> {
        let parameters = parameters(&self.folder.trial(number))?;
        let mut study = self.lock();
        for metric in [
            Metric::Parameters,
            Metric::TokensPerS,
            Metric::Seconds,
            Metric::PeakMemory,
        ] {
            if let Some(value) = metric.of(&run.records, parameters) {
                study.note(number, metric.name(), &json!(value))?;
            }
        }
        let metrics = self.settings.metric.as_slice();
        let values: Option<Vec<f64>> = metrics
            .iter()
            .map(|metric| metric.of(&run.records, parameters))
            .collect();
        Ok(match values {
            Some(values) => Outcome::Complete(values),
            None => Outcome::Failed("the run has not recorded what is compared".to_owned()),
        })
    }

    /// Says how a trial ended, what is best, and how long the rest takes.
    fn tell(&self, study: &Study, results: &Results, number: usize) {
        let trial = &results.trials[number];
        let values: Vec<String> = trial.values.iter().map(|value| short(*value)).collect();
        let mut parts = vec![format!("trial {number}  {}", trial.state)];
        match &trial.failure {
            Some(reason) => parts.push(reason.clone()),
            None => parts.push(values.join(" ")),
        }
        if let (Some(best), Some(value)) = (results.best_trial, results.best_value) {
            parts.push(format!("best {} (trial {best})", short(value)));
        }
        let done = ended(study);
        parts.push(match self.settings.n_trials {
            Some(wanted) => format!("{done}/{wanted}"),
            None => format!("{done} trials"),
        });
        parts.extend(
            self.time_left(done)
                .map(|left| format!("{} left", clock(left))),
        );
        self.progress.end(number);
        self.progress.note(parts.join("  "));
        self.progress.show(done, self.time_left(done));
    }

    fn time_left(&self, done: usize) -> Option<Duration> {
        let elapsed = self.began.elapsed();
        let by_time = self
            .settings
            .timeout
            .map(|limit| Duration::from_secs_f64(limit).saturating_sub(elapsed));
        let here = done.saturating_sub(self.had).max(1);
        let by_trials = self
            .settings
            .n_trials
            .map(|wanted| elapsed.mul_f64(wanted.saturating_sub(done) as f64 / here as f64));
        [by_time, by_trials].into_iter().flatten().min()
    }
}

/// Whether `every` has passed since; if so, it begins anew.
fn is_due(since: &Mutex<Instant>, every: Duration) -> bool {
    let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
    let due = since.elapsed() >= every;
    if due {
        *since = Instant::now();
    }
    due
}

/// Whether the trial is no longer this worker's.
fn is_of_trial(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(SearchError::Trial { .. }))
}

/// Trials that have ended, those run again left out.
fn ended(study: &Study) -> usize {
    [TrialState::Complete, TrialState::Pruned, TrialState::Failed]
        .into_iter()
        .map(|state| study.count(state))
        .sum()
}
