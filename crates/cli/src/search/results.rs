//! What a study has found: the best trials, how many there were, and all of them.

use llm_search::{Study, Trial, TrialState};
use serde::Serialize;
use serde_json::{Map, Value};

use super::folder::StudyFolder;
use super::settings::SearchSettings;
use super::trials_config::assignments;
use crate::config::Layers;

/// A study as `search_results.json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    /// What was compared,
    pub(crate) metrics: Vec<&'static str>,
    /// and whether less or more of it is better.
    pub(crate) directions: Vec<&'static str>,
    pub(crate) sampler: Value,
    pub(crate) seed: u64,
    /// The trial with the best value of the first metric; none while none is complete.
    pub(crate) best_trial: Option<usize>,
    pub(crate) best_value: Option<f64>,
    pub(crate) best_params: Map<String, Value>,
    /// Trials that no other one beats in every metric.
    pub(crate) pareto_front: Vec<usize>,
    pub(crate) counts: Counts,
    /// How much each parameter matters, summing to 1 (PED-ANOVA).
    pub(crate) importance: Vec<Importance>,
    pub(crate) trials: Vec<TrialReport>,
}

/// How many trials ended how, those run again left out.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) complete: usize,
    pub(crate) pruned: usize,
    pub(crate) failed: usize,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

/// The weight of one parameter.
#[derive(Debug, Serialize)]
pub(crate) struct Importance {
    pub(crate) parameter: String,
    pub(crate) importance: f64,
}

/// One trial.
#[derive(Debug, Serialize)]
pub(crate) struct TrialReport {
    pub(crate) number: usize,
    pub(crate) state: &'static str,
    /// One for each metric, where it is complete; the last loss where it was pruned.
    pub(crate) values: Vec<f64>,
    pub(crate) params: Map<String, Value>,
    /// Validation losses on the way, by step.
    pub(crate) losses: Vec<(i64, f64)>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    pub(crate) seconds: Option<f64>,
    /// What was measured beside the metrics.
    pub(crate) notes: Map<String, Value>,
}

impl Results {
    /// The study as it stands.
    pub(crate) fn new(study: &Study, settings: &SearchSettings) -> Self {
        let metrics = settings.metric.as_slice();
        let front = study.front();
        let first = |trial: &&&Trial| metrics[0].direction().turned(trial.values[0]);
        let best = front.iter().min_by(|a, b| first(a).total_cmp(&first(b)));
        let count = |state| study.count(state);
        Self {
            metrics: metrics.iter().map(|metric| metric.name()).collect(),
            directions: metrics
                .iter()
                .map(|metric| match metric.direction() {
                    llm_search::Direction::Minimize => "minimize",
                    llm_search::Direction::Maximize => "maximize",
                })
                .collect(),
            sampler: settings.sampler.clone(),
            seed: study.options().seed,
            best_trial: best.map(|trial| trial.number),
            best_value: best.map(|trial| trial.values[0]),
            best_params: best.map(|trial| trial.params()).unwrap_or_default(),
            pareto_front: front.iter().map(|trial| trial.number).collect(),
            counts: Counts {
                complete: count(TrialState::Complete),
                pruned: count(TrialState::Pruned),
                failed: count(TrialState::Failed),
                running: count(TrialState::Running),
                waiting: count(TrialState::Waiting),
            },
            importance: llm_search::importance(study)
                .into_iter()
                .map(|(parameter, importance)| Importance {
                    parameter,
                    importance,
                })
                .collect(),
            trials: study.trials().iter().map(TrialReport::new).collect(),
        }
    }

    /// The reason that most failed trials give, and how many do.
    pub(crate) fn most_frequent_failure(&self) -> Option<(String, usize)> {
        let reasons = || {
            self.trials
                .iter()
                .filter_map(|trial| trial.failure.as_ref())
        };
        let count = |reason: &String| reasons().filter(|other| *other == reason).count();
        // Of equally many the first.
        let most = reasons().map(count).max()?;
        let reason = reasons().find(|reason| count(reason) == most)?;
        Some((reason.clone(), most))
    }

    /// Writes `search_results.json`, and the settings of the best trial as `best_config.toml`.
    ///
    /// # Errors
    /// A file can't be written.
    pub(crate) fn save(&self, folder: &StudyFolder) -> anyhow::Result<()> {
        folder.write(
            "search_results.json",
            &(serde_json::to_string_pretty(self)? + "\n"),
        )?;
        if self.best_trial.is_some() {
            // Its run may be on another machine.
            let layers = Layers::new().file(&folder.base())?;
            let config = layers.set(&assignments(&self.best_params))?.resolve()?;
            folder.write("best_config.toml", &config.to_toml()?)?;
        }
        Ok(())
    }
}

impl TrialReport {
    fn new(trial: &Trial) -> Self {
        let seconds = trial.started.zip(trial.finished);
        Self {
            number: trial.number,
            state: trial.state.name(),
            values: trial.values.clone(),
            params: trial.params(),
            losses: trial.intermediate.clone(),
            failure: trial.failure().map(ToOwned::to_owned),
            seconds: seconds.map(|(from, to)| (to - from).as_seconds_f64()),
            notes: trial.user_attributes.clone(),
        }
    }
}
