//! An [`Explanation`] as lines for people.

use std::fmt::Write;

use console::truncate_str;
use serde_json::Value;

use super::explain::{Candidate, Effect, Explanation, Token};
use crate::palette::Palette;

/// Columns of a token's text.
const TEXT: usize = 18;
/// Cells of the bar of the largest probability.
const BAR: usize = 20;

/// The lines, each at most `width` columns.
pub(super) fn render(title: &str, told: &Explanation, palette: Palette, width: usize) -> String {
    let mut lines = String::new();
    let chosen = told.candidates.iter().find(|c| c.token.id == told.token.id);
    let (before, after) = chosen.map_or((0.0, 0.0), |c| (c.probability, c.probability_after));
    let heading = format!("{title}{}", quoted(&told.token));
    let _ = writeln!(
        lines,
        "{}  {}",
        palette.chosen(heading),
        palette.faint(format_args!(
            "token {}, probability {} → {}",
            told.token.id,
            share(before),
            share(after)
        )),
    );
    for effect in &told.samplers {
        let name = format!("{} {}", effect.sampler, setting(effect));
        let what = what_it_did(effect);
        let rest = truncate_str(&what, width.saturating_sub(32), "…");
        let _ = writeln!(
            lines,
            "  {} {rest}",
            palette.name(format_args!("{name:<29}"))
        );
    }
    let header = format!(
        "  {:>7}  {:<TEXT$} {:>8} {:>8} {:>8}",
        "id", "token", "logit", "before", "after"
    );
    let _ = writeln!(lines, "{}", palette.faint(header));
    let tallest = told.candidates.iter().map(|c| c.probability_after);
    let tallest = tallest.fold(f32::MIN_POSITIVE, f32::max);
    let bar_cells = width.saturating_sub(58).min(BAR);
    for candidate in &told.candidates {
        let line = row(candidate, candidate.token.id == told.token.id, palette);
        let end = match candidate.removed_by {
            Some(sampler) => palette.lost(truncate_str(sampler, width.saturating_sub(57), "…")),
            None => bar(candidate.probability_after / tallest, bar_cells),
        };
        let _ = writeln!(lines, "{line}  {end}");
    }
    lines
}

fn row(candidate: &Candidate, is_chosen: bool, palette: Palette) -> String {
    let mark = if is_chosen { "›" } else { " " };
    let after = match candidate.removed_by {
        Some(_) => "-".to_owned(),
        None => share(candidate.probability_after),
    };
    let line = format!(
        "{mark} {:>7}  {:<TEXT$} {:>8.3} {:>8} {:>8}",
        candidate.token.id,
        truncate_str(&quoted(&candidate.token), TEXT, "…"),
        candidate.logit,
        share(candidate.probability),
        after,
    );
    match (is_chosen, candidate.removed_by) {
        (true, _) => palette.strong(line),
        (false, Some(_)) => palette.faint(line),
        (false, None) => line,
    }
}

/// What the user asked the sampler for.
fn setting(effect: &Effect) -> String {
    match &effect.setting {
        Value::Null => String::new(),
        Value::Array(ids) => format!("({})", ids.len()),
        Value::Object(biases) => format!("({})", biases.len()),
        Value::Number(number) => number
            .as_f64()
            .map(|x| format!("{}", x as f32))
            .unwrap_or_default(),
        other => other.to_string(),
    }
}

fn what_it_did(effect: &Effect) -> String {
    let mut parts = Vec::new();
    match (effect.sampler, effect.found) {
        ("dynatemp_range", Some(t)) => parts.push(format!("temperature {t:.3}")),
        (_, Some(mu)) => parts.push(format!("bound {mu:.3} bits")),
        _ => {}
    }
    if effect.changed == effect.left && effect.changed > 0 {
        parts.push("all logits changed".to_owned());
    } else if effect.changed > 0 {
        let change = |c: &super::explain::Change| {
            format!("{} {:.2} → {:.2}", quoted(&c.token), c.logit, c.logit_after)
        };
        let changes: Vec<_> = effect.changed_tokens.iter().map(change).collect();
        parts.push(format!(
            "{} changed: {}",
            effect.changed,
            changes.join(", ")
        ));
    }
    if effect.removed > 0 {
        let names: Vec<_> = effect.removed_tokens.iter().map(quoted).collect();
        let more = if effect.removed > names.len() {
            ", …"
        } else {
            ""
        };
        parts.push(format!(
            "{} left, {} removed ({}): {}{more}",
            effect.left,
            effect.removed,
            share(effect.removed_probability),
            names.join(" "),
        ));
    }
    if parts.is_empty() {
        return "changed nothing".to_owned();
    }
    parts.join("; ")
}

/// A token in quotation marks, what is not visible escaped.
fn quoted(token: &Token) -> String {
    format!("{:?}", token.text)
}

/// A probability in per cent.
fn share(probability: f32) -> String {
    format!("{:.2} %", 100.0 * probability)
}

/// A bar, to an eighth of a cell.
fn bar(share: f32, cells: usize) -> String {
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * 8.0 * cells as f32).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).map(|part| PARTS[part]));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_shares() {
        assert_eq!(bar(1.0, 3), "███");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(0.0, 3), "");
        assert_eq!(bar(2.0, 1), "█");
    }
}
