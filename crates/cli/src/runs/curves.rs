//! The records of runs as curves.

use clap::ValueEnum;
use llm_plot::{Axis, Chart, Series};
use llm_train::{Record, Split};
use serde::Serialize;

use super::StoredRun;

/// What is drawn; named as in `metrics.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Of training and validation, in nats per token
    Loss,
    /// Of all parameters but those of Muon
    LearningRate,
    /// Norm of all gradients before clipping
    GradNorm,
    /// Training tokens a second
    TokensPerS,
    /// Floating-point operations of the model a second
    FlopsPerS,
    /// Share of the device's own pace
    Utilisation,
    /// Memory of the process
    RssBytes,
    /// Passes over the text
    Epoch,
}

/// What it is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Against {
    /// Optimizer steps
    Step,
    /// Training tokens seen
    Tokens,
    /// Seconds of training
    Seconds,
}

impl Metric {
    /// What it is, with its unit.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Loss => "loss, nats a token",
            Self::LearningRate => "learning rate",
            Self::GradNorm => "gradient norm",
            Self::TokensPerS => "tokens a second",
            Self::FlopsPerS => "operations a second",
            Self::Utilisation => "share of the device's pace",
            Self::RssBytes => "memory, bytes",
            Self::Epoch => "epochs",
        }
    }

    fn of(self, record: &Record) -> Option<f64> {
        match self {
            Self::Loss => Some(record.loss),
            Self::LearningRate => record.learning_rate,
            Self::GradNorm => record.grad_norm,
            Self::TokensPerS => record.tokens_per_s,
            Self::FlopsPerS => record.flops_per_s,
            Self::Utilisation => record.utilisation,
            Self::RssBytes => record.rss_bytes.map(|bytes| bytes as f64),
            Self::Epoch => Some(record.epoch),
        }
    }
}

impl Against {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Tokens => "tokens",
            Self::Seconds => "seconds",
        }
    }
}

/// One curve of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunCurve {
    /// Place of the run among those that are drawn.
    #[serde(skip)]
    pub(crate) place: usize,
    pub(crate) run: String,
    pub(crate) split: Split,
    /// Means over neighbours.
    pub(crate) points: Vec<(f64, f64)>,
    /// As recorded.
    #[serde(skip)]
    pub(crate) raw: Vec<(f64, f64)>,
}

/// How many records are averaged; without a number, so many that the eye can follow the curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Smoothing(pub(crate) Option<usize>);

impl Smoothing {
    /// The mean of the records around each, as many to either side.
    fn apply(self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        const FOLLOWED: usize = 80;
        let half = self.0.unwrap_or(points.len() / FOLLOWED) / 2;
        let mean = |place: usize| {
            // Fewer at the ends, so that the window stays in the middle.
            let reach = half.min(place).min(points.len() - 1 - place);
            let around = &points[place - reach..=place + reach];
            around.iter().map(|point| point.1).sum::<f64>() / around.len() as f64
        };
        (0..points.len()).map(|i| (points[i].0, mean(i))).collect()
    }
}

/// The curves of a metric, those of a run after each other.
pub(crate) fn curves(
    runs: &[StoredRun],
    names: &[String],
    metric: Metric,
    against: Against,
    smoothing: Smoothing,
) -> Vec<RunCurve> {
    let splits: &[Split] = match metric {
        Metric::Loss => &[Split::Train, Split::Validation],
        _ => &[Split::Train],
    };
    let mut found = Vec::new();
    for (place, (run, name)) in runs.iter().zip(names).enumerate() {
        for &split in splits {
            let raw = points(run, split, metric, against);
            if raw.is_empty() {
                continue;
            }
            let points = match split {
                Split::Train => smoothing.apply(&raw),
                Split::Validation => raw.clone(),
            };
            found.push(RunCurve {
                place,
                run: name.clone(),
                split,
                points,
                raw,
            });
        }
    }
    found
}

fn points(run: &StoredRun, split: Split, metric: Metric, against: Against) -> Vec<(f64, f64)> {
    // The clock of every process begins at 0.
    let (mut before, mut last) = (0.0, 0.0);
    let mut points = Vec::new();
    for record in &run.records {
        if record.seconds < last {
            before += last;
        }
        last = record.seconds;
        let x = match against {
            Against::Step => record.step as f64,
            Against::Tokens => record.tokens as f64,
            Against::Seconds => before + record.seconds,
        };
        if let (true, Some(y)) = (record.split == split, metric.of(record)) {
            points.push((x, y));
        }
    }
    points
}

/// What each curve is called, so that no two are the same: by its run, its split, or both.
pub(crate) fn legend(curves: &[RunCurve]) -> Vec<String> {
    let several_runs = curves.iter().any(|curve| curve.place != curves[0].place);
    let several_splits = curves.iter().any(|curve| curve.split != curves[0].split);
    let split = |split| match split {
        Split::Train => "training",
        Split::Validation => "validation",
    };
    let name = |curve: &RunCurve| match (several_runs, several_splits) {
        (true, true) => format!("{}, {}", curve.run, split(curve.split)),
        (true, false) => curve.run.clone(),
        (false, true) => split(curve.split).to_owned(),
        (false, false) => String::new(),
    };
    curves.iter().map(name).collect()
}

/// The curves as a chart of a figure: what was recorded pale behind what is smooth.
pub(crate) fn chart(
    title: &str,
    curves: &[RunCurve],
    metric: Metric,
    against: Against,
    log: bool,
) -> Chart {
    let several_runs = curves.iter().any(|curve| curve.place != curves[0].place);
    let mut series = Vec::new();
    for (slot, (curve, name)) in curves.iter().zip(legend(curves)).enumerate() {
        // Both curves of a run have its colour, where there are several runs.
        let slot = if several_runs { curve.place } else { slot };
        if curve.points != curve.raw {
            series.push(Series::faint(curve.raw.clone()).colored(slot));
        }
        let points = curve.points.clone();
        let line = match curve.split {
            Split::Train => Series::line(name, points),
            Split::Validation => Series::line_and_dots(name, points),
        };
        series.push(line.colored(slot));
    }
    let y = if log {
        Axis::log(metric.label())
    } else {
        Axis::linear(metric.label())
    };
    Chart::new(title, Axis::linear(against.label()), y, series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_the_ends_and_straight_lines() {
        let line: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), f64::from(3 * i))).collect();
        for width in [None, Some(1), Some(7), Some(1000)] {
            let smooth = Smoothing(width).apply(&line);
            for (a, b) in smooth.iter().zip(&line) {
                assert!((a.1 - b.1).abs() < 1e-9, "{width:?}");
            }
        }
        let noisy = [0.0, 4.0, 2.0, 6.0, 0.0].map(|y| (0.0, y));
        let smooth = Smoothing(Some(3)).apply(&noisy);
        assert_eq!(
            smooth.iter().map(|p| p.1).collect::<Vec<_>>(),
            [0.0, 2.0, 4.0, 8.0 / 3.0, 0.0]
        );
        assert!(Smoothing(None).apply(&[]).is_empty());
    }
}
