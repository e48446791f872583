//! The logit lens on a terminal: the likeliest token of every depth and position, and the depths in a few numbers.

use console::{Alignment, pad_str, truncate_str};
use llm_models::inspect::Reading;

use super::report::Summary;
use super::{Lens, name_of};
use crate::printer::Printer;
use crate::quantity::{short, with_commas};
use crate::screen;
use crate::table::{Align, Table};

/// Columns of a label, of a cell (a label and a probability in percent), and of the names of depths.
const LABEL: usize = 9;
const CELL: usize = LABEL + 6;
const NAME: usize = 11;
/// Columns that are used where stdout is no terminal.
const DEFAULT_WIDTH: usize = 120;

/// Prints everything.
pub(super) fn print(lens: &Lens<'_>, printer: Printer) -> anyhow::Result<()> {
    let width = screen::width();
    let room = width.unwrap_or(DEFAULT_WIDTH).saturating_sub(NAME) / CELL;
    for line in grid(lens, room.max(1)) {
        printer.line(line)?;
    }
    for line in summary(lens).lines(width) {
        printer.line(line)?;
    }
    printer.note(
        "cells: the likeliest token after that depth, its probability in percent, and * where it is the token that really comes next",
    );
    Ok(())
}

/// Prints the predictions at one position, with the likeliest tokens of each.
pub(super) fn print_position(
    lens: &Lens<'_>,
    position: usize,
    printer: Printer,
) -> anyhow::Result<()> {
    let label = |position: usize| lens.tokens[position].label.as_str();
    let next = match lens.tokens.get(position + 1) {
        Some(next) => format!("really comes {}", next.label),
        None => "the text ends".into(),
    };
    printer.line(format_args!(
        "after token {position}, {}, {next}",
        label(position)
    ))?;
    let mut table = Table::new(&[
        ("depth", Align::Left),
        ("next", Align::Right),
        ("rank", Align::Right),
        ("KL", Align::Right),
        ("entropy", Align::Right),
        ("likeliest tokens", Align::Left),
    ]);
    for depth in &lens.depths {
        let reading = &depth.readings[position];
        let best = reading.best.iter();
        let best = best.map(|guess| {
            let label = lens.label(guess.token);
            format!("{label} {}", percent(guess.probability))
        });
        let next = reading.next;
        table.push(vec![
            name_of(depth.depth),
            next.map_or("-".into(), |next| percent(next.probability)),
            next.map_or("-".into(), |next| with_commas(next.rank as u64)),
            short(thousandths(reading.kl)),
            short(thousandths(reading.entropy)),
            best.collect::<Vec<_>>().join("  "),
        ]);
    }
    for line in table.lines(screen::width()) {
        printer.line(line)?;
    }
    printer.note("next: the probability of the token that really comes; KL of the final prediction and entropy in nats");
    Ok(())
}

/// Positions side by side, as many as fit, then the next ones below.
fn grid(lens: &Lens<'_>, room: usize) -> Vec<String> {
    let n = lens.tokens.len();
    let mut lines = Vec::new();
    for first in (0..n).step_by(room) {
        let positions = first..(first + room).min(n);
        let line = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells = positions
                .clone()
                .map(|position| padded(&cell(position), CELL));
            let line = padded(name, NAME) + &cells.collect::<String>();
            line.trim_end().to_owned()
        };
        lines.push(line("position", &|position| position.to_string()));
        lines.push(line("token", &|position| {
            cut(&lens.tokens[position].label, CELL - 2)
        }));
        for depth in &lens.depths {
            lines.push(line(&name_of(depth.depth), &|position| {
                cell(&depth.readings[position], lens)
            }));
        }
        lines.push(line(
            "next",
            &|position| match lens.tokens.get(position + 1) {
                Some(next) => cut(&next.label, CELL - 2),
                None => "-".into(),
            },
        ));
        lines.push(String::new());
    }
    lines
}

fn cell(reading: &Reading, lens: &Lens<'_>) -> String {
    let best = reading.best[0];
    let hit = reading.next.is_some_and(|next| next.token == best.token);
    let label = padded(&cut(&lens.label(best.token), LABEL), LABEL);
    let mark = if hit { "*" } else { "" };
    format!("{label}{:>3.0}{mark}", 100.0 * best.probability)
}

fn summary(lens: &Lens<'_>) -> Table {
    let mut table = Table::new(&[
        ("depth", Align::Left),
        ("next", Align::Right),
        ("rank", Align::Right),
        ("next is best", Align::Right),
        ("best is final", Align::Right),
        ("KL", Align::Right),
        ("entropy", Align::Right),
    ]);
    for depth in &lens.depths {
        let summary = Summary::of(depth, lens);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        table.push(vec![
            name_of(depth.depth),
            or_dash(summary.next_probability.map(percent)),
            or_dash(summary.next_rank.map(|rank| with_commas(rank as u64))),
            or_dash(summary.next_is_best.map(percent)),
            percent(summary.best_is_final),
            short(thousandths(summary.mean_kl)),
            short(thousandths(summary.mean_entropy)),
        ]);
    }
    table
}

/// Beyond the third decimal a KL divergence of the last depth is rounding.
fn thousandths(number: f64) -> f64 {
    // Adding 0 makes -0 a 0.
    (1000.0 * number).round() / 1000.0 + 0.0
}

fn percent(share: f64) -> String {
    super::super::tensors::percent(share)
}

fn cut(label: &str, width: usize) -> String {
    truncate_str(label, width, "…").into_owned()
}

fn padded(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}
