//! One page of HTML about one run or several: curves, numbers, settings and how they differ, samples over time.

use llm_plot::{Figure, Page, PlotError};

use super::curves::{Against, Metric, Smoothing, chart, curves};
use super::{StoredRun, Summary, names};
use crate::config::{Config, Flat, differences};
use crate::quantity::{bytes, count, duration, with_commas};
use crate::training::samples::{self, Sample};

/// Samples that are shown; the others are folded.
const SHOWN: usize = 8;

/// The page.
///
/// # Errors
/// A file of a run can't be read, or a figure not drawn.
pub(crate) fn page(runs: &[StoredRun]) -> anyhow::Result<String> {
    let names = names(runs);
    let page = Page::new(names.join("  ·  "));
    let page = match runs {
        [run] => about_one(page, run),
        _ => about_several(page, runs, &names),
    };
    let page = draw(page.heading("Curves"), runs, &names)?;
    let page = settings(page, runs, &names)?;
    Ok(write_samples(page, runs, &names)?.html())
}

fn about_one(page: Page, run: &StoredRun) -> Page {
    let summary = Summary::of(run);
    let parameters = summary
        .parameters
        .map_or_else(String::new, |n| count(n as f64));
    let line = format!(
        "{}, {} of {} steps in {}; {} with {parameters} parameters",
        summary.state.name(),
        summary.step,
        summary.max_steps,
        duration(summary.seconds),
        summary.family,
    );
    let loss = |loss: f64| format!("{loss:.4}");
    let share = |share: f64| format!("{:.0} %", 100.0 * share);
    let amounts = [
        ("validation loss", summary.validation_loss.map(loss)),
        (
            "best validation loss",
            summary.best_validation_loss.map(loss),
        ),
        ("training loss", summary.training_loss.map(loss)),
        ("tokens seen", Some(count(summary.tokens as f64))),
        (
            "tokens a second",
            summary
                .tokens_per_s
                .map(|speed| with_commas(speed.round() as u64)),
        ),
        ("of the device's pace", summary.utilisation.map(share)),
        ("memory", summary.rss_bytes.map(bytes)),
    ];
    let amounts = amounts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    page.note(&line).amounts(amounts)
}

fn about_several(page: Page, runs: &[StoredRun], names: &[String]) -> Page {
    let summaries: Vec<_> = runs.iter().map(|run| Summary::of(run).rows()).collect();
    let quantities = summaries[0].iter().map(|row| row.0).enumerate();
    let rows: Vec<Vec<String>> = quantities
        .map(|(place, name)| {
            let values = summaries.iter().map(|rows| rows[place].1.clone());
            std::iter::once(name.to_owned()).chain(values).collect()
        })
        .collect();
    page.table(&head("", names), &rows, &[])
}

fn head(first: &str, names: &[String]) -> Vec<String> {
    let names = names.iter().cloned();
    std::iter::once(first.to_owned()).chain(names).collect()
}

fn draw(page: Page, runs: &[StoredRun], names: &[String]) -> Result<Page, PlotError> {
    let of = |metric| curves(runs, names, metric, Against::Step, Smoothing(None));
    let loss = of(Metric::Loss);
    if loss.is_empty() {
        return Ok(page.note("There are no records yet."));
    }
    let large = chart("Loss", &loss, Metric::Loss, Against::Step, false);
    let page = page.figure(&Figure::new([large]).panel_size(960, 400))?;
    let small = [
        ("Learning rate", Metric::LearningRate),
        ("Gradient norm", Metric::GradNorm),
        ("Tokens a second", Metric::TokensPerS),
        ("Use of the device", Metric::Utilisation),
        ("Memory", Metric::RssBytes),
        ("Passes over the text", Metric::Epoch),
    ];
    let charts = small.into_iter().filter_map(|(title, metric)| {
        let curves = of(metric);
        (!curves.is_empty()).then(|| chart(title, &curves, metric, Against::Step, false))
    });
    page.figure(&Figure::new(charts).columns(2).panel_size(480, 260))
}

/// All settings of one run, those that are not the program's own defaults first; of several, those that differ.
fn settings(page: Page, runs: &[StoredRun], names: &[String]) -> anyhow::Result<Page> {
    let configs = runs
        .iter()
        .map(|run| run.config.flat())
        .collect::<Result<Vec<_>, _>>()?;
    let row = |key: &String| -> Vec<String> {
        let values = configs.iter().map(|config| value(config, key));
        std::iter::once(key.clone()).chain(values).collect()
    };
    let mut all = Vec::new();
    for key in configs.iter().flat_map(Flat::keys) {
        if !all.contains(key) {
            all.push(key.clone());
        }
    }
    let (heading, keys, note) = if runs.len() == 1 {
        let defaults = Config::default().flat()?;
        let changed = differences(&[&defaults, &configs[0]]);
        let set = changed
            .into_iter()
            .filter(|key| configs[0].contains_key(key));
        (
            "Settings",
            set.collect(),
            "Those that are not the defaults of the program.",
        )
    } else {
        let all: Vec<&Flat> = configs.iter().collect();
        ("Settings that differ", differences(&all), "")
    };
    let keys: Vec<String> = keys;
    let mut page = page.heading(heading);
    if !note.is_empty() {
        page = page.note(note);
    }
    page = if keys.is_empty() {
        page.paragraph("None.")
    } else {
        let rows: Vec<_> = keys.iter().map(row).collect();
        page.table(&head("key", names), &rows, &[])
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let is_marked = |place: &usize| keys.contains(&all[*place]);
    let marked: Vec<usize> = (0..all.len()).filter(is_marked).collect();
    Ok(page.folded("All settings", |page| {
        page.table(&head("key", names), &rows, &marked)
    }))
}

/// A setting as it stands in a file.
pub(crate) fn value(config: &Flat, key: &str) -> String {
    config
        .get(key)
        .map_or_else(|| "-".to_owned(), toml::Value::to_string)
}

fn write_samples(page: Page, runs: &[StoredRun], names: &[String]) -> anyhow::Result<Page> {
    let mut all: Vec<(String, Sample)> = Vec::new();
    for (run, name) in runs.iter().zip(names) {
        let name = |step| match runs.len() {
            1 => format!("step {step}"),
            _ => format!("step {step}, {name}"),
        };
        let samples = samples::read(&run.folder)?.into_iter();
        all.extend(samples.map(|sample| (name(sample.step), sample)));
    }
    if all.is_empty() {
        return Ok(page);
    }
    // Samples of several runs stand together by step.
    all.sort_by_key(|(_, sample)| sample.step);
    let steps: std::collections::BTreeSet<u64> =
        all.iter().map(|(_, sample)| sample.step).collect();
    let steps: Vec<u64> = steps.into_iter().collect();
    let shown: Vec<u64> = (0..SHOWN.min(steps.len()))
        .map(|i| steps[i * (steps.len() - 1) / (SHOWN.min(steps.len()) - 1).max(1)])
        .collect();
    let write = |page: Page, of_shown: bool| {
        all.iter()
            .filter(|(_, sample)| shown.contains(&sample.step) == of_shown)
            .fold(page, |page, (name, sample)| {
                page.text(name, sample.text.trim())
            })
    };
    let page = write(page.heading("Samples over time"), true);
    if shown.len() == steps.len() {
        return Ok(page);
    }
    Ok(page.folded("The other samples", |page| write(page, false)))
}
