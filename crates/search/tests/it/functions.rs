//! Published test functions, with the constants of `optimization_functions.json`, and the regret of a search on them.

use std::f64::consts::{E, PI, TAU};
use std::path::Path;

use llm_search::{Limits, Running, SamplerConfig, Space, SpaceConfig, Study, StudyOptions};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Trials of a search, and searches of a function, as in `optuna_baseline.json`.
pub(crate) const TRIALS: usize = 100;
pub(crate) const SEEDS: u64 = 20;

/// The functions, and Optuna's median regrets on them.
pub(crate) struct Functions {
    data: Value,
    baseline: Value,
}

impl Functions {
    /// Reads both files in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<Value> {
            Ok(serde_json::from_str(&std::fs::read_to_string(
                folder.join(name),
            )?)?)
        };
        Ok(Self {
            data: read("optimization_functions.json")?,
            baseline: read("optuna_baseline.json")?,
        })
    }

    /// The functions that Optuna's figures are there for.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.baseline["functions"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .map(String::as_str)
    }

    /// Optuna's median regret by a sampler of its own.
    pub(crate) fn optuna(&self, name: &str, sampler: &str) -> f64 {
        self.baseline["functions"][name]["median_regret"][sampler]
            .as_f64()
            .unwrap_or(f64::NAN)
    }

    /// The median over the seeds of the best value less the minimum.
    pub(crate) fn median_regret(&self, name: &str, sampler: &SamplerConfig) -> Result<f64> {
        let regrets: Result<Vec<f64>> = (0..SEEDS)
            .map(|seed| self.regret(name, seed, sampler))
            .collect();
        let mut regrets = regrets?;
        regrets.sort_by(f64::total_cmp);
        let half = regrets.len() / 2;
        Ok((regrets[half - 1] + regrets[half]) / 2.0)
    }

    fn regret(&self, name: &str, seed: u64, sampler: &SamplerConfig) -> Result<f64> {
        let function = &self.data["functions"][name];
        let dimensions = self.baseline["functions"][name]["dimensions"]
            .as_u64()
            .unwrap_or(0) as usize;
        // Bounds with one entry hold for every coordinate.
        let bounds = |i: usize| function["bounds"].get(i).unwrap_or(&function["bounds"][0]);
        let space: String = (0..dimensions)
            .map(|i| {
                format!(
                    "x{i} = {{ type = 'float', min = {}, max = {} }}\n",
                    bounds(i)[0],
                    bounds(i)[1]
                )
            })
            .collect();
        let config: SpaceConfig = toml::from_str(&space)?;
        let options = StudyOptions {
            seed,
            ..StudyOptions::default()
        };
        let mut study =
            Study::new(Space::new(config.parameters)?, options)?.with_sampler(sampler.build());
        let objective = |trial: &Running<'_>| {
            let x: Vec<f64> = (0..dimensions)
                .map(|i| trial.float(&format!("x{i}")))
                .collect();
            self.value(name, &x)
        };
        study.optimize(
            &objective,
            Limits {
                trials: Some(TRIALS),
                timeout: None,
            },
        )?;
        let best = study.best().ok_or("no trial is complete")?;
        Ok(best.values[0] - function["minimum"].as_f64().ok_or("no minimum")?)
    }

    /// The value of a function; NaN for one that is not known here.
    pub(crate) fn value(&self, name: &str, x: &[f64]) -> f64 {
        let n = x.len() as f64;
        let sum = |term: &dyn Fn(f64) -> f64| x.iter().copied().map(term).sum::<f64>();
        let pair = (x[0], x.get(1).copied().unwrap_or(0.0));
        match name {
            "sphere" => sum(&|x| x * x),
            "branin" => {
                let (x, y) = pair;
                (y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0).powi(2)
                    + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos()
                    + 10.0
            }
            "hartmann3" | "hartmann6" => self.hartmann(name, x),
            "rosenbrock" => x
                .windows(2)
                .map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (w[0] - 1.0).powi(2))
                .sum(),
            "ackley" => {
                let square = sum(&|x| x * x) / n;
                let cosine = sum(&|x| (TAU * x).cos()) / n;
                -20.0 * (-0.2 * square.sqrt()).exp() - cosine.exp() + 20.0 + E
            }
            "rastrigin" => 10.0 * n + sum(&|x| x * x - 10.0 * (TAU * x).cos()),
            "beale" => {
                let (x, y) = pair;
                (1.5 - x + x * y).powi(2)
                    + (2.25 - x + x * y * y).powi(2)
                    + (2.625 - x + x * y.powi(3)).powi(2)
            }
            "six_hump_camel" => {
                let (x, y) = pair;
                (4.0 - 2.1 * x * x + x.powi(4) / 3.0) * x * x + x * y + (4.0 * y * y - 4.0) * y * y
            }
            "styblinski_tang" => 0.5 * sum(&|x| x.powi(4) - 16.0 * x * x + 5.0 * x),
            _ => f64::NAN,
        }
    }

    fn hartmann(&self, name: &str, x: &[f64]) -> f64 {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let a = &self.data[format!("{name}_A")];
        let p = &self.data[format!("{name}_P")];
        let wells = (0..4).map(|i| {
            let inner =
                |(j, x): (usize, &f64)| number(&a[i][j]) * (x - 1e-4 * number(&p[i][j])).powi(2);
            let depth = x.iter().enumerate().map(inner).sum::<f64>();
            number(&self.data["hartmann_alpha"][i]) * (-depth).exp()
        });
        -wells.sum::<f64>()
    }

    /// Largest difference of our values from the samples of the file.
    pub(crate) fn largest_fault(&self) -> f64 {
        let functions = self.data["functions"].as_object();
        let mut largest = 0f64;
        for (name, function) in functions.into_iter().flatten() {
            for sample in function["samples"].as_array().into_iter().flatten() {
                let x: Vec<f64> = sample["x"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_f64)
                    .collect();
                let fault = self.value(name, &x) - sample["value"].as_f64().unwrap_or(f64::NAN);
                largest = if fault.is_nan() {
                    f64::INFINITY
                } else {
                    largest.max(fault.abs())
                };
            }
        }
        largest
    }
}

/// The mean of logarithms, out of the logarithm.
pub(crate) fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}
