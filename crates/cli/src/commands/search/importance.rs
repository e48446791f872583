//! `llm search importance`: how much each parameter matters.

use super::FolderArgs;
use crate::printer::Printer;
use crate::table::{Align, Table};

pub(super) fn run(args: &FolderArgs, printer: Printer) -> anyhow::Result<()> {
    let results = args.results()?;
    if args.json {
        return printer.json(&results.importance);
    }
    let mut table = Table::new(&[("parameter", Align::Left), ("importance", Align::Right)]);
    for one in &results.importance {
        table.push(vec![
            one.parameter.clone(),
            format!("{:.3}", one.importance),
        ]);
    }
    for line in table.lines(None) {
        printer.line(line)?;
    }
    Ok(())
}
