//! `llm search best`: the best settings, and how to train with them.

use anyhow::bail;
use serde_json::json;

use super::FolderArgs;
use crate::printer::Printer;
use crate::quantity::short;
use crate::search::in_words;

pub(super) fn run(args: &FolderArgs, printer: Printer) -> anyhow::Result<()> {
    let results = args.results()?;
    let (Some(number), Some(value)) = (results.best_trial, results.best_value) else {
        bail!(
            "{}: no trial is complete yet; `llm search show` tells how they stand",
            args.folder.display()
        );
    };
    let config = args.folder.join("best_config.toml");
    if args.json {
        return printer.json(&json!({
            "trial": number,
            "value": value,
            "params": results.best_params,
            "pareto_front": results.pareto_front,
            "config": config,
        }));
    }
    printer.line(format_args!(
        "trial {number}  {} {}",
        results.metrics[0],
        short(value)
    ))?;
    for (key, value) in &results.best_params {
        printer.line(format_args!("{key} = {}", in_words(value)))?;
    }
    printer.note(format_args!(
        "next: llm train --config {}",
        config.display()
    ));
    Ok(())
}
