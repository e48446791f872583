//! `llm inspect tensors`: what the numbers of every tensor are like, one tensor in memory at a time.

use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use llm_models::checkpoint::{Checkpoint, Statistics, StoredTensor};
use serde::Serialize;

use super::difference;
use super::selection::{Filter, by_number};
use crate::interrupt;
use crate::named_model;
use crate::printer::Printer;
use crate::quantity::{short, with_commas};
use crate::screen;
use crate::table::{Align, Table};

/// Parts of a histogram, in a table and with `--json`.
const BINS: usize = 24;
/// Heights of its bars.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Arguments of `llm inspect tensors`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, .bin file of llama2.c, or hf://owner/name
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Which are listed
    #[command(flatten)]
    filter: Filter,
    /// Order of the list, the largest first but for names [default: name, and with --against change]
    #[arg(long, value_enum)]
    sort: Option<Sort>,
    /// How the values of each tensor are spread from the smallest to the largest; reads the tensors twice
    #[arg(long, conflicts_with = "against")]
    histogram: bool,
    /// Compare the parameters with those of this model, of the same sizes and in any format
    #[arg(long, value_name = "MODEL")]
    against: Option<PathBuf>,
    /// Fail with exit code 1 where a value is not finite
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// By name, counting numbers in it
    Name,
    /// By number of values
    Size,
    /// By the largest absolute value
    Range,
    /// By the mean's absolute value
    Mean,
    /// By standard deviation
    Std,
    /// By norm
    Norm,
    /// By the share of zeros
    Zeros,
    /// By the number of values that are not finite
    NotFinite,
    /// By the relative norm of the difference; with --against
    Change,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report {
    tensors: Vec<Row>,
    /// Values that are not finite, in all tensors listed.
    not_finite: u64,
}

/// A tensor.
#[derive(Serialize)]
struct Row {
    name: String,
    file: String,
    dtype: String,
    shape: Vec<usize>,
    bytes: Option<u64>,
    #[serde(flatten)]
    numbers: Option<Numbers>,
}

/// What its numbers are like.
#[derive(Serialize)]
struct Numbers {
    count: u64,
    min: f32,
    max: f32,
    mean: f64,
    std: f64,
    norm: f64,
    /// Share of values that are zero.
    zeros: f64,
    nan: u64,
    infinite: u64,
    /// Values in equal parts of the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<Vec<u64>>,
}

/// Runs the command.
///
/// # Errors
/// A model can't be read, the two can't be compared, or with `--strict` a value is not finite.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let (checkpoint, path) = named_model::open(&args.model)?;
    let not_finite = match &args.against {
        Some(other) => {
            let (other, other_path) = named_model::open(other)?;
            let sort = args.sort.unwrap_or(Sort::Change);
            let pair = [(checkpoint, path), (other, other_path)];
            difference::run(&pair, &args.filter, sort, args.json, printer)?
        }
        None => list(args, &checkpoint, printer)?,
    };
    if let Some(what) = not_finite {
        if args.strict {
            bail!("{}: {what}", args.model.display());
        }
        printer.warn(what);
    }
    Ok(())
}

/// Prints the list, and tells of values that are not finite, if there are any.
fn list(args: &Args, checkpoint: &Checkpoint, printer: Printer) -> anyhow::Result<Option<String>> {
    let sort = args.sort.unwrap_or(Sort::Name);
    if sort == Sort::Change {
        return Err(crate::failure::usage(
            "--sort change: needs a second model, with --against",
        ));
    }
    let tensors = args
        .filter
        .keep(checkpoint.tensors()?, |tensor| tensor.name.as_str())?;
    let mut rows = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        interrupt::check()?;
        rows.push(Row::of(tensor, checkpoint, args.histogram)?);
    }
    rows.sort_by(|a, b| by_number(&a.name, &b.name));
    let faults = |row: &Row| row.numbers.as_ref().map_or(0, Numbers::not_finite);
    let first = rows.iter().find(|row| faults(row) > 0);
    let first = first.map(|row| row.name.clone());
    let not_finite = rows.iter().map(faults).sum();
    if sort != Sort::Name {
        rows.sort_by(|a, b| b.key(sort).total_cmp(&a.key(sort)));
    }
    if args.json {
        let tensors = rows;
        printer.json(&Report {
            tensors,
            not_finite,
        })?;
    } else {
        for line in table(&rows, not_finite > 0, args.histogram).lines(screen::width()) {
            printer.line(line)?;
        }
    }
    Ok(first.map(|first| {
        let n = with_commas(not_finite);
        format!("{n} values are not finite, the first of them in {first}")
    }))
}

impl Row {
    fn of(tensor: StoredTensor, checkpoint: &Checkpoint, histogram: bool) -> anyhow::Result<Self> {
        let mut numbers = None;
        if tensor.readable {
            let found = checkpoint.statistics(&tensor.name)?;
            let histogram = histogram
                .then(|| checkpoint.histogram(&tensor.name, [found.min, found.max], BINS))
                .transpose()?;
            numbers = Some(Numbers::new(&found, histogram));
        }
        Ok(Self {
            name: tensor.name,
            file: tensor.file.display().to_string(),
            dtype: tensor.dtype,
            shape: tensor.shape,
            bytes: tensor.bytes,
            numbers,
        })
    }

    /// What the list is sorted by; what can't be read comes last.
    fn key(&self, sort: Sort) -> f64 {
        if sort == Sort::Size {
            return self.shape.iter().map(|n| *n as f64).product();
        }
        let Some(numbers) = &self.numbers else {
            return f64::NEG_INFINITY;
        };
        match sort {
            Sort::Range => f64::from(numbers.min.abs().max(numbers.max.abs())),
            Sort::Mean => numbers.mean.abs(),
            Sort::Std => numbers.std,
            Sort::Norm => numbers.norm,
            Sort::Zeros => numbers.zeros,
            Sort::NotFinite => numbers.not_finite() as f64,
            Sort::Name | Sort::Size | Sort::Change => 0.0,
        }
    }
}

impl Numbers {
    fn new(found: &Statistics, histogram: Option<Vec<u64>>) -> Self {
        Self {
            count: found.count,
            min: found.min,
            max: found.max,
            mean: found.mean,
            std: found.std,
            norm: found.norm,
            zeros: found.zeros as f64 / found.count.max(1) as f64,
            nan: found.nan,
            infinite: found.infinite,
            histogram,
        }
    }

    fn not_finite(&self) -> u64 {
        self.nan + self.infinite
    }
}

fn table(rows: &[Row], not_finite: bool, histogram: bool) -> Table {
    let mut headings = vec![
        ("tensor", Align::Left),
        ("type", Align::Left),
        ("shape", Align::Left),
        ("min", Align::Right),
        ("max", Align::Right),
        ("mean", Align::Right),
        ("std", Align::Right),
        ("norm", Align::Right),
        ("zeros", Align::Right),
    ];
    if not_finite {
        headings.push(("NaN", Align::Right));
        headings.push(("infinite", Align::Right));
    }
    if histogram {
        headings.push(("from min to max", Align::Left));
    }
    let mut table = Table::new(&headings).in_pairs();
    for row in rows {
        let mut cells = vec![row.name.clone(), row.dtype.clone(), shape_text(&row.shape)];
        match &row.numbers {
            Some(numbers) => {
                let Numbers {
                    min,
                    max,
                    mean,
                    std,
                    norm,
                    ..
                } = *numbers;
                let found = [f64::from(min), f64::from(max), mean, std, norm];
                cells.extend(found.map(short));
                cells.push(percent(numbers.zeros));
                if not_finite {
                    let count = |n| {
                        if n == 0 {
                            String::new()
                        } else {
                            with_commas(n)
                        }
                    };
                    cells.extend([numbers.nan, numbers.infinite].map(count));
                }
                cells.extend(numbers.histogram.as_deref().map(bars));
            }
            None => cells.resize(headings.len(), "-".into()),
        }
        table.push(cells);
    }
    table
}

/// A row of bars, the highest for the fullest part; what is not empty is seen.
fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let height = |count: u64| (count * (BARS.len() as u64 - 1)).div_ceil(most) as usize;
    counts.iter().map(|count| BARS[height(*count)]).collect()
}

/// `[50257, 768]`.
pub(super) fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// A share from 0 to 1 as `12.3 %`; what is not nothing is not shown as nothing.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0 %".into(),
        p if p < 0.05 => "<0.1 %".into(),
        100.0 => "100 %".into(),
        p => format!("{p:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_part_is_highest_and_nothing_is_hidden() {
        assert_eq!(bars(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(bars(&[0, 0]), "  ");
        assert_eq!(percent(0.000_1), "<0.1 %");
    }
}
