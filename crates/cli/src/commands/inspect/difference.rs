//! `llm inspect tensors --against`: how far the parameters of two models are apart, whatever their formats.

use std::path::PathBuf;

use anyhow::bail;
use llm_models::checkpoint::{Checkpoint, Difference, StoredParameter};
use serde::Serialize;

use super::selection::{Filter, by_number};
use super::tensors::{Sort, percent, shape_text};
use crate::failure::usage;
use crate::interrupt;
use crate::printer::Printer;
use crate::quantity::short;
use crate::screen;
use crate::table::{Align, Table};

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report {
    parameters: Vec<Row>,
    /// Parameters that only one of the models has: biases, or a head of its own.
    only_in: [Vec<String>; 2],
}

/// A parameter of both.
#[derive(Serialize)]
struct Row {
    path: String,
    shape: Vec<usize>,
    dtypes: [String; 2],
    /// Share of values that differ.
    changed: f64,
    /// Largest absolute difference; null where it is not finite, as below.
    largest: f64,
    /// Norm of the difference over that of the first model's values.
    relative: f64,
    /// Cosine of the angle between the two.
    cosine: f64,
}

/// Prints the list, and tells of differences that are not finite, if there are any.
///
/// # Errors
/// A parameter can't be read, or those of the two are not of one shape.
pub(super) fn run(
    pair: &[(Checkpoint, PathBuf); 2],
    filter: &Filter,
    sort: Sort,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Option<String>> {
    if !matches!(sort, Sort::Name | Sort::Size | Sort::Change) {
        return Err(usage(
            "--sort: with --against the orders are name, size and change",
        ));
    }
    let [(a, a_path), (b, b_path)] = pair;
    let ours = filter.keep(a.parameters()?, |parameter| parameter.path.as_str())?;
    let theirs = filter.keep(b.parameters()?, |parameter| parameter.path.as_str())?;
    let only = |some: &[StoredParameter], others: &[StoredParameter]| -> Vec<String> {
        let has = |path: &str| others.iter().any(|other| other.path == path);
        let alone = some.iter().filter(|one| !has(&one.path));
        alone.map(|one| one.path.clone()).collect()
    };
    let only_in = [only(&ours, &theirs), only(&theirs, &ours)];
    let mut rows = Vec::new();
    for one in &ours {
        interrupt::check()?;
        let Some(other) = theirs.iter().find(|other| other.path == one.path) else {
            continue;
        };
        if one.shape != other.shape {
            bail!(
                "{} is {} in {}, but {} in {}: only models of the same sizes can be compared",
                one.path,
                shape_text(&one.shape),
                a_path.display(),
                shape_text(&other.shape),
                b_path.display()
            );
        }
        let values = |checkpoint: &Checkpoint| checkpoint.values(&one.path, &one.shape);
        let found = Difference::of(&values(a)?, &values(b)?);
        rows.push(Row {
            path: one.path.clone(),
            shape: one.shape.clone(),
            dtypes: [one.dtype.clone(), other.dtype.clone()],
            changed: found.changed as f64 / found.count.max(1) as f64,
            largest: found.largest,
            relative: found.relative,
            cosine: found.cosine,
        });
    }
    if rows.is_empty() {
        bail!(
            "{} and {} have no parameter in common",
            a_path.display(),
            b_path.display()
        );
    }
    let faults = rows.iter().filter(|row| !row.largest.is_finite());
    let n = faults.clone().count();
    let first = faults.map(|row| row.path.clone()).next();
    match sort {
        // What is not a number comes first.
        Sort::Change => rows.sort_by(|a, b| b.relative.abs().total_cmp(&a.relative.abs())),
        Sort::Size => {
            let size = |row: &Row| row.shape.iter().product::<usize>();
            rows.sort_by_key(|row| std::cmp::Reverse(size(row)));
        }
        _ => rows.sort_by(|a, b| by_number(&a.path, &b.path)),
    }
    if json {
        printer.json(&Report {
            parameters: rows,
            only_in,
        })?;
    } else {
        for line in table(&rows).lines(screen::width()) {
            printer.line(line)?;
        }
        for (names, path) in only_in.iter().zip([a_path, b_path]) {
            if let Some(first) = names.first() {
                let n = names.len();
                printer.line(format_args!(
                    "only {} has {n} parameters more, such as {first}",
                    path.display()
                ))?;
            }
        }
    }
    Ok(first.map(|first| {
        format!("the differences of {n} parameters are not finite, the first is that of {first}")
    }))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        ("parameter", Align::Left),
        ("types", Align::Left),
        ("shape", Align::Left),
        ("changed", Align::Right),
        ("largest", Align::Right),
        ("relative", Align::Right),
        ("cosine", Align::Right),
    ])
    .in_pairs();
    for row in rows {
        let [a, b] = &row.dtypes;
        table.push(vec![
            row.path.clone(),
            if a == b {
                a.clone()
            } else {
                format!("{a}, {b}")
            },
            shape_text(&row.shape),
            percent(row.changed),
            short(row.largest),
            short(row.relative),
            format!("{:.6}", row.cosine),
        ]);
    }
    table
}
