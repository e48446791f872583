//! The logit lens as heat maps: how sure each depth is, what it makes of the token that really comes, and how far it is from the end.

use llm_models::inspect::Reading;
use llm_plot::{Figure, HeatMap, Page, PlotError};

use super::report::Summary;
use super::{Lens, name_of};
use crate::quantity::{short, with_commas};

/// Positions side by side; further ones come below.
const POSITIONS: usize = 14;
/// Width of a position and height of a depth, in units.
const CELL: (u32, u32) = (60, 19);
/// Room around the cells.
const AROUND: (u32, u32) = (150, 132);
/// Characters of a token in a column of probabilities.
const LABEL: usize = 24;

/// What a map shows of a prediction: a number for the colour, and a text.
struct Measure {
    title: &'static str,
    of: fn(&Reading, &Lens<'_>) -> (f64, String),
    /// Ends of the colours; none for those that are found.
    range: Option<(f64, f64)>,
}

const MEASURES: [Measure; 3] = [
    Measure {
        title: "the likeliest token, and in colour its probability",
        of: |reading, lens| {
            let best = reading.best[0];
            (best.probability, lens.label(best.token))
        },
        range: Some((0.0, 1.0)),
    },
    Measure {
        title: "rank of the token that really comes, in colour its probability",
        of: |reading, _| match reading.next {
            Some(next) => (next.probability, with_commas(next.rank as u64)),
            None => (f64::NAN, String::new()),
        },
        range: Some((0.0, 1.0)),
    },
    Measure {
        title: "KL divergence of the final prediction, in nats",
        of: |reading, _| {
            (
                reading.kl.max(0.0),
                short((100.0 * reading.kl).round().max(0.0) / 100.0),
            )
        },
        range: None,
    },
];

/// The page.
pub(super) fn html(lens: &Lens<'_>) -> Result<String, PlotError> {
    let mut page = Page::new(format!("Logit lens of {}", lens.title))
        .note(&format!("{} depths, {} tokens", lens.depths.len(), lens.tokens.len()))
        .paragraph(
            "What the model would predict if it stopped early: the residual stream after the embedding and after each block, read by the \
             model's own last norm and head. Below each column stands the token that the prediction was made after. The last row is the model itself.",
        );
    for measure in &MEASURES {
        page = page.heading(measure.title);
        for first in (0..lens.tokens.len()).step_by(POSITIONS) {
            page = page.figure(&framed([map(measure, lens, first, "")]))?;
        }
    }
    page = page.heading("each depth, on average").table(
        &[
            "depth",
            "next",
            "median rank",
            "next is best",
            "best is final",
            "KL, nats",
            "entropy, nats",
        ]
        .map(str::to_owned),
        &summaries(lens),
        &[],
    );
    page = page.heading("the likeliest tokens at each position");
    for position in 0..lens.tokens.len() {
        let next = lens.tokens.get(position + 1);
        let name = match next {
            Some(next) => format!(
                "{position}: after {} comes {}",
                lens.tokens[position].label, next.label
            ),
            None => format!(
                "{position}: after {} the text ends",
                lens.tokens[position].label
            ),
        };
        let rows: Vec<Vec<String>> = lens
            .depths
            .iter()
            .map(|depth| {
                let best = depth.readings[position].best.iter();
                let best = best.map(|guess| {
                    let label = lens.label(guess.token);
                    let label: String = label.chars().take(LABEL).collect();
                    format!("{label} {:.1} %", 100.0 * guess.probability)
                });
                std::iter::once(name_of(depth.depth)).chain(best).collect()
            })
            .collect();
        let n = rows.first().map_or(0, Vec::len);
        let head: Vec<String> = std::iter::once("depth".to_owned())
            .chain((1..n).map(|i| i.to_string()))
            .collect();
        page = page.folded(&name, |page| page.table(&head, &rows, &[]));
    }
    Ok(page.html())
}

/// All maps below each other.
pub(super) fn figure(lens: &Lens<'_>) -> Figure {
    let maps = MEASURES.iter().flat_map(|measure| {
        let firsts = (0..lens.tokens.len()).step_by(POSITIONS);
        firsts.map(|first| map(measure, lens, first, measure.title))
    });
    let maps: Vec<(HeatMap, usize, usize)> = maps.collect();
    framed(maps)
}

/// A figure of maps, with the numbers of their columns and rows, as large as the largest.
fn framed(maps: impl IntoIterator<Item = (HeatMap, usize, usize)>) -> Figure {
    let maps: Vec<_> = maps.into_iter().collect();
    let columns = maps
        .iter()
        .map(|(_, columns, _)| *columns)
        .max()
        .unwrap_or(1) as u32;
    let rows = maps.iter().map(|(.., rows)| *rows).max().unwrap_or(1) as u32;
    // A title needs some width, however short the text.
    let width = (AROUND.0 + columns * CELL.0).max(480);
    Figure::new(maps.into_iter().map(|(map, ..)| map))
        .columns(1)
        .panel_size(width, AROUND.1 + rows * CELL.1)
}

/// The map of the positions from `first` on.
fn map(measure: &Measure, lens: &Lens<'_>, first: usize, title: &str) -> (HeatMap, usize, usize) {
    let positions = first..(first + POSITIONS).min(lens.tokens.len());
    // The last depth is the model itself, and stands below, as it is read from top to bottom.
    let cells: Vec<Vec<(f64, String)>> = lens
        .depths
        .iter()
        .map(|depth| {
            let readings = depth.readings[positions.clone()].iter();
            readings
                .map(|reading| (measure.of)(reading, lens))
                .collect()
        })
        .collect();
    let rows: Vec<String> = lens
        .depths
        .iter()
        .map(|depth| name_of(depth.depth))
        .collect();
    let columns: Vec<String> = positions
        .map(|position| format!("{position} {}", lens.tokens[position].label))
        .collect();
    let values = cells
        .iter()
        .map(|row| row.iter().map(|(value, _)| *value).collect());
    let texts = cells
        .iter()
        .map(|row| row.iter().map(|(_, text)| text.clone()).collect());
    let (n_columns, n_rows) = (columns.len(), rows.len());
    let mut map = HeatMap::new(title, rows, columns, values.collect()).texts(texts.collect());
    let (from, to) = measure
        .range
        .unwrap_or_else(|| (0.0, largest(measure, lens)));
    map = map.range(from, to);
    (map, n_columns, n_rows)
}

/// The largest number of a measure anywhere, so that the maps of all positions have the same colours.
fn largest(measure: &Measure, lens: &Lens<'_>) -> f64 {
    let readings = lens.depths.iter().flat_map(|depth| &depth.readings);
    let values = readings.map(|reading| (measure.of)(reading, lens).0);
    values.fold(0.0, f64::max)
}

fn summaries(lens: &Lens<'_>) -> Vec<Vec<String>> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows = lens.depths.iter().map(|depth| {
        let summary = Summary::of(depth, lens);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        vec![
            name_of(depth.depth),
            or_dash(summary.next_probability.map(percent)),
            or_dash(summary.next_rank.map(|rank| with_commas(rank as u64))),
            or_dash(summary.next_is_best.map(percent)),
            percent(summary.best_is_final),
            format!("{:.3}", summary.mean_kl.max(0.0)),
            format!("{:.3}", summary.mean_entropy.max(0.0)),
        ]
    });
    rows.collect()
}
