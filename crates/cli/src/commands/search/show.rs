//! `llm search show`: the trials of a search.

use serde_json::Value;

use super::FolderArgs;
use crate::printer::Printer;
use crate::quantity::short;
use crate::table::{Align, Table};

pub(super) fn run(args: &FolderArgs, printer: Printer) -> anyhow::Result<()> {
    let results = args.results()?;
    if args.json {
        return printer.json(&results);
    }
    let mut names: Vec<&String> = results
        .trials
        .iter()
        .flat_map(|trial| trial.params.keys())
        .collect();
    names.sort();
    names.dedup();
    let mut headings = vec![("trial", Align::Right), ("state", Align::Left)];
    headings.extend(results.metrics.iter().map(|metric| (*metric, Align::Right)));
    headings.push(("seconds", Align::Right));
    headings.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    headings.push(("", Align::Left));
    let mut table = Table::new(&headings);
    for trial in &results.trials {
        let mut row = vec![trial.number.to_string(), trial.state.to_owned()];
        let value = |i: usize| {
            trial
                .values
                .get(i)
                .map_or_else(String::new, |value| short(*value))
        };
        row.extend((0..results.metrics.len()).map(value));
        row.push(
            trial
                .seconds
                .map_or_else(String::new, |seconds| format!("{seconds:.1}")),
        );
        row.extend(
            names
                .iter()
                .map(|name| trial.params.get(*name).map_or_else(String::new, shown)),
        );
        let is_best = results.pareto_front.contains(&trial.number);
        row.push(trial.failure.clone().unwrap_or_else(|| {
            if is_best {
                "best".to_owned()
            } else {
                String::new()
            }
        }));
        table.push(row);
    }
    for line in table.lines(None) {
        printer.line(line)?;
    }
    Ok(())
}

/// A value of a parameter in few characters.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    }
}
