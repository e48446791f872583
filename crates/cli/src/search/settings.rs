//! The `[search]` table: which keys are searched, how, and how long.
//!
//! It stands in the file of the trials' configuration, whose other tables know nothing of it. `hyperparameter_search.param_space`, as other tools
//! write it in YAML, is the same table.

use std::path::Path;

use anyhow::{anyhow, bail};
use figment::value::{Dict, Value as Tree};
use llm_data::parse_size;
use llm_search::{
    DatabaseUrl, Distribution, PrunerConfig, SamplerConfig, Space, SpaceConfig, StudyOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metric::Metric;
use crate::config::{self, ConfigFile};

/// The name of the table, and the one that other tools have for it.
const TABLES: [&str; 2] = ["search", "hyperparameter_search"];

/// Most characters of a study's name in Optuna's tables.
const LONGEST_NAME: usize = 512;

/// The `[search]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SearchSettings {
    /// The keys that are searched, and their values.
    #[serde(alias = "param_space")]
    pub(crate) space: Map<String, Value>,
    /// What must hold between searched keys, such as `model.d_model % model.n_heads == 0`.
    pub(crate) constraints: Vec<String>,
    /// Most parameters of a model.
    pub(crate) max_parameters: Option<u64>,
    /// Most memory of a run, as `llm plan` says it, such as `2GB`.
    pub(crate) max_memory: Option<String>,
    /// The name of a sampler, or a table with its `kind` and settings. Default: tpe.
    #[serde(alias = "search_type")]
    pub(crate) sampler: Value,
    /// The name of a pruner, or a table with its `kind` and settings. Default: median; none with several metrics.
    pub(crate) pruner: Option<Value>,
    /// What is compared, one or several. Default: `validation_loss`.
    pub(crate) metric: Metrics,
    /// Trials of the study. Default: no limit.
    pub(crate) n_trials: Option<usize>,
    /// Seconds after which the search ends; trials that run then are stopped. Default: no limit.
    pub(crate) timeout: Option<f64>,
    /// Seed of the sampler. Default: 0.
    pub(crate) seed: u64,
    /// Trials at a time. Default: 1.
    pub(crate) workers: usize,
    /// Whether the study must not depend on which trial ends first. Default: false.
    pub(crate) deterministic: bool,
    /// Address of a database that holds the study, which searches on several machines share. Default: a journal in the folder.
    pub(crate) storage: Option<String>,
    /// Name of the study there. Default: `llm`.
    pub(crate) study_name: String,
}

/// Metrics, as a name or a list of names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Metrics(pub(crate) Vec<Metric>);

impl Metrics {
    /// The metrics.
    pub(crate) fn as_slice(&self) -> &[Metric] {
        &self.0
    }
}

impl TryFrom<Value> for Metrics {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let names = match value {
            Value::Array(names) => names,
            name => vec![name],
        };
        let named = |name: &Value| {
            let metric = name.as_str().map(Metric::named);
            metric.unwrap_or_else(|| Err(format!("use one of {}", Metric::names())))
        };
        names.iter().map(named).collect::<Result<_, _>>().map(Self)
    }
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self {
            space: Map::new(),
            constraints: Vec::new(),
            max_parameters: None,
            max_memory: None,
            sampler: Value::from("tpe"),
            pruner: None,
            metric: Metrics(vec![Metric::ValidationLoss]),
            n_trials: None,
            timeout: None,
            seed: 0,
            workers: 1,
            deterministic: false,
            storage: None,
            study_name: "llm".to_owned(),
        }
    }
}

impl SearchSettings {
    /// Takes the table out of a file, which is then the configuration of the trials.
    ///
    /// # Errors
    /// There is no such table, or it has an unknown key or a wrong type.
    pub(crate) fn take(file: &mut ConfigFile) -> anyhow::Result<Self> {
        let found = TABLES
            .into_iter()
            .find_map(|table| Some((table, file.take(table)?)));
        let Some((table, value)) = found else {
            bail!(
                "{}: has no table [search.space] that names the keys to search, such as \"optimizer.learning_rate\" = {{ min = 1e-4, max = 1e-2, log = true }}",
                file.name
            );
        };
        #[derive(Deserialize)]
        struct Whole {
            search: SearchSettings,
        }
        let tree = Tree::from(Dict::from([("search".to_owned(), value)]));
        let whole: Whole = tree.deserialize().map_err(|error| {
            let key = error.path.join(".").replacen("search", table, 1);
            anyhow!("{}: {}", file.place(&key), config::explain(&error))
        })?;
        let settings = whole.search;
        settings
            .check()
            .map_err(|error| error.context(file.place(table)))?;
        Ok(settings)
    }

    /// Reads what [`Self::to_json`] has written down.
    ///
    /// # Errors
    /// The file is missing or something else.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = crate::input::read_text(path)?;
        serde_json::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    /// The table as JSON; unlike TOML it has a word for nothing, which a choice may contain. A password in the address of a database is left out.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        let shown = Self {
            storage: self.database()?.map(|url| url.to_string()),
            ..self.clone()
        };
        Ok(serde_json::to_string_pretty(&shown)? + "\n")
    }

    /// Checks everything that needs no data.
    fn check(&self) -> anyhow::Result<()> {
        let space = self.space()?;
        for parameter in space.parameters() {
            for value in ends(&parameter.distribution) {
                if value.is_null() {
                    continue;
                }
                if let Some(fault) =
                    config::fault_of_value(&parameter.name, Tree::serialize(&value)?)
                {
                    bail!("search space: {fault}");
                }
            }
        }
        self.sampler()?;
        self.pruner()?;
        self.max_memory()?;
        if self.metric.as_slice().is_empty() {
            bail!(
                "search.metric is an empty list; name at least one of {}",
                Metric::names()
            );
        }
        if self.workers == 0 || self.n_trials == Some(0) {
            bail!("search.workers and search.n_trials must be at least 1");
        }
        if self
            .timeout
            .is_some_and(|seconds| !(seconds > 0.0 && seconds <= 1e9))
        {
            bail!("search.timeout must be above 0 seconds");
        }
        Ok(())
    }

    /// Checks that the search ends, and that its pruner goes with its metrics, once flags have been taken in.
    ///
    /// # Errors
    /// They do not fit together.
    pub(crate) fn check_together(&self) -> anyhow::Result<()> {
        let space = self.space()?;
        if self.n_trials.is_none() && self.timeout.is_none() && space.cardinality().is_none() {
            bail!(
                "a search needs a number of trials (search.n_trials, --n-trials) or a time (search.timeout, --timeout), else it would never end"
            );
        }
        let metrics = self.metric.as_slice();
        if let Some(twice) = (1..metrics.len()).find(|i| metrics[..*i].contains(&metrics[*i])) {
            bail!("search.metric names {} twice", metrics[twice].name());
        }
        self.pruner()?;
        self.database()?;
        Ok(())
    }

    /// Most bytes of memory of a run.
    ///
    /// # Errors
    /// It is no size above 0.
    pub(crate) fn max_memory(&self) -> anyhow::Result<Option<u64>> {
        let Some(text) = &self.max_memory else {
            return Ok(None);
        };
        match parse_size(text) {
            Ok(bytes) if bytes > 0 => Ok(Some(bytes)),
            _ => bail!("search.max_memory: `{text}` is no size above 0, such as 4GB"),
        }
    }

    /// The database that holds the study, if it is not a journal in the folder.
    ///
    /// # Errors
    /// The address is none, or the name of the study is empty or stands beside no address.
    pub(crate) fn database(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let name = &self.study_name;
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            bail!("search.study_name must have 1 to {LONGEST_NAME} characters");
        }
        match &self.storage {
            // Also from another folder it is that one.
            Some(url) => Ok(Some(DatabaseUrl::parse(url)?.absolute()?)),
            None if *name != Self::default().study_name => bail!(
                "search.study_name (--study-name) tells studies of one database apart; without search.storage (--storage) leave it out"
            ),
            None => Ok(None),
        }
    }

    /// The space, without rules that need a configuration.
    ///
    /// # Errors
    /// It is empty, or a parameter or constraint is none.
    pub(crate) fn space(&self) -> anyhow::Result<Space> {
        let config: SpaceConfig = serde_json::from_value(Value::Object(self.space.clone()))?;
        let mut space = Space::new(config.parameters)?;
        for constraint in &self.constraints {
            space = space.with_constraint(constraint)?;
        }
        Ok(space)
    }

    /// The sampler.
    ///
    /// # Errors
    /// It is unknown, or has an unknown setting.
    pub(crate) fn sampler(&self) -> anyhow::Result<SamplerConfig> {
        match &self.sampler {
            Value::String(name) => Ok(SamplerConfig::named(name)?),
            table => serde_json::from_value(table.clone())
                .map_err(|error| anyhow!("search.sampler: {error}")),
        }
    }

    /// The pruner.
    ///
    /// # Errors
    /// It is unknown, has a setting out of range, or stands beside several metrics.
    pub(crate) fn pruner(&self) -> anyhow::Result<PrunerConfig> {
        let several = self.metric.as_slice().len() > 1;
        let pruner = match &self.pruner {
            None if several || !self.metric.as_slice()[0].is_a_loss() => PrunerConfig::None,
            None => PrunerConfig::named("median")?,
            Some(Value::String(name)) => PrunerConfig::named(name)?,
            Some(table) => serde_json::from_value(table.clone())
                .map_err(|error| anyhow!("search.pruner: {error}"))?,
        };
        if pruner != PrunerConfig::None && (several || !self.metric.as_slice()[0].is_a_loss()) {
            bail!(
                "search.pruner looks at validation losses on the way, which tells nothing of {}; leave it out",
                self.metric
                    .as_slice()
                    .iter()
                    .map(|m| m.name())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
        pruner.build()?;
        Ok(pruner)
    }

    /// What the study is, apart from its space.
    pub(crate) fn options(&self) -> StudyOptions {
        StudyOptions {
            name: self.study_name.clone(),
            directions: self
                .metric
                .as_slice()
                .iter()
                .map(|metric| metric.direction())
                .collect(),
            seed: self.seed,
            workers: self.workers,
            deterministic: self.deterministic,
            ..StudyOptions::default()
        }
    }
}

/// Values of a parameter that tell whether its key takes such: all choices, or both ends.
fn ends(distribution: &Distribution) -> Vec<Value> {
    match distribution {
        Distribution::Float { low, high, .. } => vec![Value::from(*low), Value::from(*high)],
        Distribution::Int { low, high, .. } => vec![Value::from(*low), Value::from(*high)],
        Distribution::Categorical { choices } => choices.clone(),
    }
}
