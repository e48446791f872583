//! Attention on a terminal: what every head tends to do, or one head as a map of shades.

use llm_models::inspect::AttentionMap;

use super::super::seen::Token;
use super::Seen;
use crate::printer::Printer;
use crate::quantity::short;
use crate::screen;
use crate::table::{Align, Table};

/// Shades from none to all attention, each for an equal part of the range.
const SHADES: [&str; 5] = ["· ", "░░", "▒▒", "▓▓", "██"];
/// Widest label of a row, in columns.
const LABEL: usize = 16;

/// Prints the tendencies of the heads; of a single one also its map.
pub(super) fn print(seen: &Seen, printer: Printer) -> anyhow::Result<()> {
    let width = screen::width();
    if let [map] = &seen.maps[..] {
        for line in shades(map, &seen.tokens, width) {
            printer.line(line)?;
        }
        printer.line("")?;
    }
    for line in tendencies(seen).lines(width) {
        printer.line(line)?;
    }
    printer.note(
        "means over all tokens but the first, which sees only itself; entropy in nats. --output FILE.html draws every head",
    );
    Ok(())
}

fn tendencies(seen: &Seen) -> Table {
    let mut table = Table::new(&[
        ("layer", Align::Right),
        ("head", Align::Right),
        ("entropy", Align::Right),
        ("to first", Align::Right),
        ("to itself", Align::Right),
        ("to previous", Align::Right),
        ("the last token looks at", Align::Left),
    ]);
    for map in &seen.maps {
        let found = map.tendencies();
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        table.push(vec![
            map.layer.to_string(),
            map.head.to_string(),
            short((1000.0 * found.entropy).round() / 1000.0),
            percent(found.to_first),
            percent(found.to_self),
            percent(found.to_previous),
            best(map.row(map.seq - 1), &seen.tokens),
        ]);
    }
    table
}

/// The three tokens with the most attention: their labels, places and shares.
fn best(row: &[f32], tokens: &[Token]) -> String {
    let mut places: Vec<usize> = (0..row.len()).collect();
    places.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    let said = places.into_iter().take(3).filter(|i| row[*i] >= 0.005);
    let said = said.map(|i| {
        let share = (100.0 * row[i]).round();
        format!("{} ({i}) {share} %", tokens[i].label)
    });
    said.collect::<Vec<_>>().join("  ")
}

/// A row of shades for each token, as many of the newest ones as there is room for.
fn shades(map: &AttentionMap, tokens: &[Token], width: Option<usize>) -> Vec<String> {
    let labels = tokens.iter().enumerate().map(|(i, token)| {
        let label = console::truncate_str(&token.label, LABEL, "…");
        format!(
            "{i:>4} {}",
            console::pad_str(&label, LABEL, console::Alignment::Left, None)
        )
    });
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(LABEL + 6) / 2);
    let shown = map.seq.min(room.max(1));
    let first = map.seq - shown;
    let mut lines = vec![
        format!(
            "layer {} head {}: rows look at columns, tokens {first} to {}",
            map.layer,
            map.head,
            map.seq - 1
        ),
        format!(
            "{}none  {} to a quarter  {} to a half  {} to three quarters  {} more",
            SHADES[0], SHADES[1], SHADES[2], SHADES[3], SHADES[4]
        ),
    ];
    for (token, label) in labels.enumerate().skip(first) {
        let row = map.row(token);
        let cells = row[first..=token].iter().map(|p| shade(*p));
        lines.push(format!("{label} {}", cells.collect::<String>().trim_end()));
    }
    lines
}

/// What is at least a hundredth is shaded.
fn shade(p: f32) -> &'static str {
    if p < 0.01 {
        return SHADES[0];
    }
    SHADES[(p * 4.0).ceil().clamp(1.0, 4.0) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_follow_the_attention() {
        let shown = [0.0, 0.001, 0.01, 0.25, 0.26, 0.75, 0.76, 1.0].map(shade);
        let [none, some, half, most, all] = SHADES;
        assert_eq!(shown, [none, none, some, some, half, most, all, all]);
    }
}
