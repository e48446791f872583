//! Pictures of a study.

use clap::ValueEnum;
use llm_plot::{Axis, Bars, Chart, Coordinate, Figure, Page, Panel, Parallel, PlotError, Series};
use llm_search::{Distribution, Space};
use serde_json::Value;

use super::results::{Results, TrialReport};
use super::settings::SearchSettings;
use crate::quantity::short;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// The value of each trial, and the best so far
    History,
    /// The losses of each trial on the way
    Curves,
    /// A line for each trial, through its values of all parameters
    Parallel,
    /// The value of each trial over each parameter
    Slices,
    /// How much each parameter matters
    Importance,
    /// Each two metrics against each other, with the trials that none beats
    Pareto,
}

/// A study, for pictures.
pub(crate) struct Figures<'a> {
    results: &'a Results,
    space: Space,
}

impl<'a> Figures<'a> {
    /// Pictures of these results.
    ///
    /// # Errors
    /// The space of the settings is none.
    pub(crate) fn new(results: &'a Results, settings: &SearchSettings) -> anyhow::Result<Self> {
        Ok(Self {
            results,
            space: settings.space()?,
        })
    }

    /// A picture; nothing where the study has nothing of the kind to show.
    pub(crate) fn picture(&self, picture: Picture) -> Option<Figure> {
        let panels: Vec<Panel> = match picture {
            Picture::History => (0..self.results.metrics.len())
                .map(|metric| self.history(metric).into())
                .collect(),
            Picture::Curves => self.curves().into_iter().map(Into::into).collect(),
            Picture::Parallel => vec![self.parallel().into()],
            Picture::Slices => self.slices().into_iter().map(Into::into).collect(),
            Picture::Importance => vec![self.importance().into()],
            Picture::Pareto => self.fronts().into_iter().map(Into::into).collect(),
        };
        if panels.is_empty() {
            return None;
        }
        let figure = Figure::new(panels);
        Some(if picture == Picture::Parallel {
            figure.panel_size(960, 360)
        } else {
            figure
        })
    }

    /// A page with all pictures, the best settings and the trials.
    ///
    /// # Errors
    /// A picture can't be drawn.
    pub(crate) fn page(&self, title: &str) -> Result<Page, PlotError> {
        let results = self.results;
        let counts = results.counts;
        let best = results.best_value.map_or_else(|| "none".to_owned(), short);
        let mut page = Page::new(title).amounts([
            (results.metrics[0], best),
            ("complete", counts.complete.to_string()),
            ("pruned", counts.pruned.to_string()),
            ("failed", counts.failed.to_string()),
        ]);
        if let Some(number) = results.best_trial {
            let lines = results
                .best_params
                .iter()
                .map(|(key, value)| format!("{key} = {value}"));
            page = page.text(
                &format!("trial {number}"),
                &lines.collect::<Vec<_>>().join("\n"),
            );
        }
        for picture in Picture::value_variants() {
            let Some(figure) = self.picture(*picture) else {
                continue;
            };
            let name = picture.to_possible_value();
            page = page
                .heading(name.as_ref().map_or("", |name| name.get_name()))
                .figure(&figure)?;
        }
        let (head, rows) = self.table();
        let marked: Vec<usize> = results.pareto_front.clone();
        Ok(page.folded("trials", |page| page.table(&head, &rows, &marked)))
    }

    /// Headings and a row for each trial.
    pub(crate) fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let names = || {
            self.space
                .parameters()
                .iter()
                .map(|parameter| parameter.name.to_string())
        };
        let metrics = &self.results.metrics;
        let mut head = vec!["trial".to_owned(), "state".to_owned()];
        head.extend(metrics.iter().map(|metric| (*metric).to_owned()));
        head.extend(
            ["seconds".to_owned()]
                .into_iter()
                .chain(names())
                .chain(["failure".to_owned()]),
        );
        let row = |trial: &TrialReport| {
            let mut row = vec![trial.number.to_string(), trial.state.to_owned()];
            row.extend(
                (0..metrics.len())
                    .map(|i| trial.values.get(i).map_or_else(String::new, f64::to_string)),
            );
            row.push(
                trial
                    .seconds
                    .map_or_else(String::new, |seconds| format!("{seconds:.3}")),
            );
            row.extend(
                names().map(|name| trial.params.get(&name).map_or_else(String::new, in_words)),
            );
            row.push(trial.failure.clone().unwrap_or_default());
            row
        };
        (head, self.results.trials.iter().map(row).collect())
    }

    /// Trials with a value of the metric, those that were pruned included.
    fn valued(&self, metric: usize) -> impl Iterator<Item = (&TrialReport, f64)> {
        let trials = self.results.trials.iter();
        trials.filter_map(move |trial| Some((trial, *trial.values.get(metric)?)))
    }

    fn history(&self, metric: usize) -> Chart {
        let points = |state: &str| {
            let trials = self
                .valued(metric)
                .filter(|(trial, _)| trial.state == state);
            trials
                .map(|(trial, value)| (trial.number as f64, value))
                .collect::<Vec<_>>()
        };
        let complete = points("complete");
        let is_better = |a: f64, b: f64| match self.results.directions[metric] {
            "maximize" => a > b,
            _ => a < b,
        };
        let mut best: Vec<(f64, f64)> = Vec::new();
        for &(number, value) in &complete {
            let so_far = best.last().map_or(value, |last| last.1);
            best.push((
                number,
                if is_better(value, so_far) {
                    value
                } else {
                    so_far
                },
            ));
        }
        let mut series = vec![
            Series::dots("complete", complete),
            Series::line("best so far", best),
        ];
        let pruned = points("pruned");
        if !pruned.is_empty() {
            series.push(Series::dots("pruned", pruned));
        }
        let name = self.results.metrics[metric];
        Chart::new(
            format!("{name} of the trials"),
            Axis::linear("trial"),
            Axis::linear(name),
            series,
        )
    }

    fn curves(&self) -> Option<Chart> {
        let trials = self
            .results
            .trials
            .iter()
            .filter(|trial| trial.losses.len() > 1);
        let mut series: Vec<Series> = Vec::new();
        let mut best = None;
        for trial in trials {
            let points: Vec<_> = trial
                .losses
                .iter()
                .map(|(step, loss)| (*step as f64, *loss))
                .collect();
            if Some(trial.number) == self.results.best_trial {
                best = Some(Series::line(format!("trial {}", trial.number), points).colored(1));
            } else {
                series.push(Series::faint(points).colored(0));
            }
        }
        series.extend(best);
        (!series.is_empty()).then(|| {
            Chart::new(
                "losses on the way",
                Axis::linear("step"),
                Axis::linear("validation loss"),
                series,
            )
        })
    }

    fn slices(&self) -> Vec<Chart> {
        let metric = self.results.metrics[0];
        let slice = |parameter: &llm_search::Parameter| {
            let name = &*parameter.name;
            let place = |value: &Value| match &*parameter.distribution {
                Distribution::Categorical { choices } if !choices.iter().all(Value::is_number) => {
                    choices
                        .iter()
                        .position(|choice| choice == value)
                        .map(|place| place as f64)
                }
                _ => value.as_f64(),
            };
            let points = self
                .valued(0)
                .filter_map(|(trial, value)| Some((place(trial.params.get(name)?)?, value)));
            let label = match &*parameter.distribution {
                Distribution::Categorical { choices } if !choices.iter().all(Value::is_number) => {
                    let names = choices.iter().enumerate();
                    let names =
                        names.map(|(place, choice)| format!("{place} {}", in_words(choice)));
                    names.collect::<Vec<_>>().join(", ")
                }
                _ => name.to_owned(),
            };
            let axis = if is_log(&parameter.distribution) {
                Axis::log(label)
            } else {
                Axis::linear(label)
            };
            Chart::new(
                name,
                axis,
                Axis::linear(metric),
                vec![Series::dots("", points.collect())],
            )
        };
        self.space.parameters().iter().map(slice).collect()
    }

    fn parallel(&self) -> Parallel {
        let trials: Vec<(&TrialReport, f64)> = self.valued(0).collect();
        let coordinate = |parameter: &llm_search::Parameter| {
            let values = || {
                trials
                    .iter()
                    .map(|(trial, _)| trial.params.get(&*parameter.name))
            };
            let name = parameter.name.to_string();
            match &*parameter.distribution {
                Distribution::Categorical { choices } => {
                    let place = |value: &Value| choices.iter().position(|choice| choice == value);
                    let places: Vec<_> = values().map(|value| place(value?)).collect();
                    let names: Vec<_> = choices.iter().map(in_words).collect();
                    Coordinate::choices(name, &places, &names)
                }
                distribution => {
                    let numbers: Vec<_> = values().map(|value| value?.as_f64()).collect();
                    Coordinate::numbers(name, &numbers, is_log(distribution))
                }
            }
        };
        let mut coordinates: Vec<Coordinate> =
            self.space.parameters().iter().map(coordinate).collect();
        let metric: Vec<_> = trials.iter().map(|(_, value)| Some(*value)).collect();
        coordinates.push(Coordinate::numbers(self.results.metrics[0], &metric, false));
        Parallel::new("parallel coordinates", coordinates)
    }

    fn importance(&self) -> Bars {
        let bars = self
            .results
            .importance
            .iter()
            .map(|one| (one.parameter.clone(), one.importance));
        Bars::new("importance", bars.collect())
    }

    fn fronts(&self) -> Vec<Chart> {
        let metrics = &self.results.metrics;
        let pairs = (0..metrics.len()).flat_map(|x| (x + 1..metrics.len()).map(move |y| (x, y)));
        let chart = |(y, x): (usize, usize)| {
            let points = |front: bool| {
                let complete = self
                    .results
                    .trials
                    .iter()
                    .filter(|trial| trial.state == "complete");
                let chosen = complete
                    .filter(|trial| self.results.pareto_front.contains(&trial.number) == front);
                chosen
                    .map(|trial| (trial.values[x], trial.values[y]))
                    .collect::<Vec<_>>()
            };
            let mut front = points(true);
            front.sort_by(|a, b| a.0.total_cmp(&b.0));
            let series = vec![
                Series::dots("beaten", points(false)),
                Series::line_and_dots("Pareto front", front),
            ];
            Chart::new(
                format!("{} and {}", metrics[y], metrics[x]),
                Axis::linear(metrics[x]),
                Axis::linear(metrics[y]),
                series,
            )
        };
        pairs.map(chart).collect()
    }
}

fn is_log(distribution: &Distribution) -> bool {
    matches!(
        distribution,
        Distribution::Float { log: true, .. } | Distribution::Int { log: true, .. }
    )
}

/// A value as text: a text without quotes.
pub(crate) fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
