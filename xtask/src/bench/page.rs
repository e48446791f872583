//! `docs/performance.md`: the measured parts of the page, written from the files in `results`. What stands outside of them is kept.
//!
//! A part lies between `<!--measured NAME-->` and `<!--/measured-->`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::RESULTS;
use super::cases::{self, Case, Goal, MOST_PAGE_FAULTS};
use super::charts;
use super::host::Host;
use super::plans::{self, Plans};
use super::quantities::{Quantity, Sample};
use super::report::{CaseReport, Compared, Report};
use super::scaling::{Point, Scaling};
use crate::workspace::Workspace;

const PAGE: &str = "docs/performance.md";
/// Where the charts lie, from the root and from the page.
const CHARTS: (&str, &str) = ("docs/performance", "performance");
const CLOSING: &str = "<!--/measured-->";

/// Writes the measured parts of the page, and the charts.
pub(super) fn write(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(PAGE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let scaling = Scaling::read(workspace)?;
    if let Some(scaling) = &scaling {
        let folder = workspace.root.join(CHARTS.0);
        std::fs::create_dir_all(&folder)?;
        for chart in charts::ALL {
            chart.draw(scaling, &folder.join(format!("{}.svg", chart.axis)))?;
        }
    }
    let report = Report::read(&workspace.root.join(RESULTS))?;
    let plans = Plans::read(&workspace.root.join(plans::RESULTS))?;
    let text = filled(&text, report.as_ref(), scaling.as_ref(), plans.as_ref())?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {PAGE}"))
}

/// `text` with the measured parts as the files have them.
fn filled(
    text: &str,
    report: Option<&Report>,
    scaling: Option<&Scaling>,
    plans: Option<&Plans>,
) -> Result<String> {
    let cases = cases::all();
    let every: Vec<&Case> = cases.iter().collect();
    let comparison = report.map_or_else(nothing, |report| {
        let mut parts = vec![conditions(report), goals_table(report, &every)];
        parts.extend(page_faults_table(report));
        parts.join("\n\n")
    });
    let text = replaced(text, "comparison", &comparison)?;
    let preparing = report.map_or_else(nothing, |report| preparing_table(report, &every));
    let text = replaced(&text, "preparing", &preparing)?;
    let text = replaced(
        &text,
        "scaling",
        &scaling.map_or_else(nothing, charts_and_table),
    )?;
    replaced(&text, "plans", &plans.map_or_else(nothing, Plans::tables))
}

fn nothing() -> String {
    "Nothing measured yet.".to_owned()
}

/// `text` with another body in the part called `name`.
fn replaced(text: &str, name: &str, body: &str) -> Result<String> {
    let opening = format!("<!--measured {name}-->");
    let parts = text.split_once(&opening).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(CLOSING)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        bail!("{PAGE} has no part {opening} … {CLOSING}");
    };
    Ok(format!("{before}{opening}\n{body}\n{CLOSING}{after}"))
}

/// What the comparison was measured on.
fn conditions(report: &Report) -> String {
    let list = |items: BTreeSet<String>| items.into_iter().collect::<Vec<_>>().join(", ");
    let of_cases = |item: fn(&CaseReport) -> String| list(report.cases.iter().map(item).collect());
    let rounds = report.cases.iter().flat_map(|case| &case.programs);
    let rounds = rounds.flat_map(|program| program.measured.values());
    let rounds = list(
        rounds
            .map(|sample| sample.values.len().to_string())
            .collect(),
    );
    let mut text = format!(
        "{}; measured on {} at revision {}. Medians of the rounds ({rounds}), quartiles in brackets.",
        machine(&report.host),
        of_cases(|case| case.date.clone()),
        of_cases(|case| case.revision.clone()),
    );
    if !report.versions.is_empty() {
        let versions = report.versions.iter();
        let versions = versions.map(|(package, version)| format!("{package} {version}"));
        text += &format!(" With {}.", list(versions.collect()));
    }
    text
}

fn machine(host: &Host) -> String {
    format!(
        "{}, {} cores, {} GB of memory, {}",
        host.cpu, host.cores, host.memory_gb, host.os
    )
}

/// The table of goals: how many times better than the peer ours is, and should be.
pub(super) fn goals_table(report: &Report, cases: &[&Case]) -> String {
    let mut lines = vec![
        "| work | measured | must reach | aim | ours | peer | ratio | |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for case in cases {
        let mut work = format!("{}: {}", case.name, case.title);
        for goal in &case.goals {
            let compared = report
                .case(case.name)
                .ok_or_else(|| "not yet".to_owned())
                .and_then(|measured| measured.compared(goal));
            lines.push(goal_row(&work, goal, compared));
            work = case.name.to_owned();
        }
    }
    lines.join("\n")
}

fn goal_row(work: &str, goal: &Goal, compared: Result<Compared<'_>, String>) -> String {
    let measured = match compared {
        Ok(Compared { ours, peer, theirs }) => {
            let ratio = goal.quantity.ratio(ours.median, theirs.median);
            let verdict = match ratio {
                ratio if ratio >= goal.aim => "aim reached",
                ratio if ratio >= goal.must => "reached",
                _ => "**missed**",
            };
            format!(
                "{} | {peer}: {} | {ratio:.2} | {verdict}",
                sample(ours),
                sample(theirs)
            )
        }
        Err(reason) => format!("– | {} | – | **not measured**: {reason}", goal.peer),
    };
    let what = match goal.quantity {
        Quantity::Memory => "peak memory, MB",
        other => other.unit(),
    };
    format!(
        "| {work} | {what} | {} | {} | {measured} |",
        times(goal.must),
        times(goal.aim),
    )
}

/// The table of page faults, if they were measured.
fn page_faults_table(report: &Report) -> Option<String> {
    let row = |case: &CaseReport| {
        let faults = case.programs.first()?.measured.get(&Quantity::PageFaults)?;
        let verdict = match faults.median <= MOST_PAGE_FAULTS {
            true => "reached",
            false => "**missed**",
        };
        Some(format!(
            "\n| {} | {} | {verdict} |",
            case.name,
            sample(faults)
        ))
    };
    let rows: String = report.cases.iter().filter_map(row).collect();
    let head = format!(
        "| minor page faults of a training step | ours | at most {MOST_PAGE_FAULTS} |\n|---|---|---|"
    );
    (!rows.is_empty()).then(|| head + &rows)
}

/// The table of work that no peer does: megabytes of text a second and memory.
fn preparing_table(report: &Report, cases: &[&Case]) -> String {
    let mut lines = vec![
        "| text | MB/s | peak memory, MB |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for case in cases.iter().filter(|case| case.peers.is_empty()) {
        let ours = report
            .case(case.name)
            .and_then(|case| case.programs.first());
        let value = |quantity| {
            ours.and_then(|program| program.measured.get(&quantity))
                .map_or_else(|| "not measured yet".to_owned(), sample)
        };
        lines.push(format!(
            "| {} | {} | {} |",
            case.title,
            value(Quantity::Throughput),
            value(Quantity::Memory)
        ));
    }
    lines.join("\n")
}

fn charts_and_table(scaling: &Scaling) -> String {
    let mut text = format!(
        "{}; measured on {} at revision {}.\n\n",
        machine(&scaling.host),
        scaling.date,
        scaling.revision
    );
    for chart in charts::ALL {
        let (folder, axis) = (CHARTS.1, chart.axis);
        text += &format!(
            "![speed and memory against {}]({folder}/{axis}.svg)\n\n",
            chart.label
        );
    }
    text += "| context, tokens | training, tokens/s | peak memory, MB | KB more for each token more | decoding, tokens/s |\n";
    text += "|---|---|---|---|---|";
    let mut before: Option<&Point> = None;
    for point in scaling.axis("context") {
        let growth = before.map_or_else(
            || "–".to_owned(),
            |before| {
                let bytes = 1e3 * (point.peak_mb - before.peak_mb);
                number(bytes / (point.size - before.size) as f64)
            },
        );
        let decoding = scaling
            .axis("decode")
            .find(|other| other.size == point.size);
        text += &format!(
            "\n| {} | {} | {} | {growth} | {} |",
            point.size,
            number(point.tokens_per_s),
            number(point.peak_mb),
            decoding.map_or_else(|| "–".to_owned(), |point| number(point.tokens_per_s)),
        );
        before = Some(point);
    }
    text
}

/// Median and quartiles, as in `38,822 (38,100–39,500)`.
fn sample(sample: &Sample) -> String {
    let [median, lower, upper] =
        [sample.median, sample.lower_quartile, sample.upper_quartile].map(number);
    format!("{median} ({lower}–{upper})")
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}

/// Three digits or more: `1.23`, `12.3`, `1,234`.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::case_report;
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_more() {
        let check = |value, expected| assert_eq!(number(value), expected);
        check(1.234, "1.23");
        check(9.999, "10.0");
        check(12.34, "12.3");
        check(99.99, "100");
        check(123.4, "123");
        check(38_821.8, "38,822");
        check(1_234_567.0, "1,234,567");
        check(-123_456.0, "-123,456");
    }

    #[test]
    fn only_the_named_part_is_replaced() {
        let text = "a\n<!--measured x-->\nold\n<!--/measured-->\nb\n<!--measured y-->\nkept\n<!--/measured-->\n";
        let expected = text.replace("old", "new\nnew");
        assert_eq!(replaced(text, "x", "new\nnew").unwrap(), expected);
        let error = replaced(text, "z", "new").unwrap_err().to_string();
        assert!(error.contains("<!--measured z-->"), "{error}");
    }

    #[track_caller]
    fn check_row(quantity: Quantity, ours: &[f64], theirs: &[f64], expected: &str) {
        let all = cases::all();
        let case = all.iter().find(|case| case.name == "char-small").unwrap();
        let goal = case.goals.iter().find(|goal| goal.quantity == quantity);
        let mut measured = case_report(case.name, quantity, &[("llm", ours), ("PyTorch", theirs)]);
        if theirs.is_empty() {
            measured.programs[1].not_measured = Some("this Python has no torch".to_owned());
        }
        let row = goal_row("a step", goal.unwrap(), measured.compared(goal.unwrap()));
        assert_eq!(row, format!("| a step | {expected} |"));
    }

    #[test]
    fn a_row_shows_both_numbers_the_ratio_and_the_verdict() {
        check_row(
            Quantity::Speed,
            &[30_000.0, 34_000.0, 32_000.0],
            &[20_000.0],
            "tokens/s | 1.30× | 1.60× | 32,000 (31,000–33,000) | PyTorch: 20,000 (20,000–20,000) | 1.60 | aim reached",
        );
        check_row(
            Quantity::Speed,
            &[14.0],
            &[10.0],
            "tokens/s | 1.30× | 1.60× | 14.0 (14.0–14.0) | PyTorch: 10.0 (10.0–10.0) | 1.40 | reached",
        );
        check_row(
            Quantity::Memory,
            &[400.0],
            &[600.0],
            "peak memory, MB | 2.00× | 4.00× | 400 (400–400) | PyTorch: 600 (600–600) | 1.50 | **missed**",
        );
        check_row(
            Quantity::Speed,
            &[14.0],
            &[],
            "tokens/s | 1.30× | 1.60× | – | PyTorch | – | **not measured**: PyTorch: this Python has no torch",
        );
    }

    #[test]
    fn the_page_shows_what_was_measured() {
        let workspace = Workspace::find().unwrap();
        let page = std::fs::read_to_string(workspace.root.join(PAGE)).unwrap();
        let report = Report::read(&workspace.root.join(RESULTS)).unwrap();
        let scaling = Scaling::read(&workspace).unwrap();
        let plans = Plans::read(&workspace.root.join(plans::RESULTS)).unwrap();
        let written = filled(&page, report.as_ref(), scaling.as_ref(), plans.as_ref()).unwrap();
        assert_eq!(page, written, "run `cargo xtask bench --page`");
    }

    #[test]
    fn memory_that_grows_in_proportion_has_one_growth() {
        let point = |axis: &str, size: u64, peak_mb| Point {
            axis: axis.to_owned(),
            size,
            tokens_per_s: 1000.0,
            peak_mb,
            page_faults: None,
        };
        let scaling = Scaling {
            host: Host::current(),
            revision: "abc".to_owned(),
            date: "2026-01-31".to_owned(),
            points: vec![
                point("context", 64, 30.0),
                point("context", 128, 36.4),
                point("decode", 128, 20.0),
            ],
        };
        let text = charts_and_table(&scaling);
        let rows: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(
            rows,
            [
                "| 128 | 1,000 | 36.4 | 100 | 1,000 |",
                "| 64 | 1,000 | 30.0 | – | – |"
            ]
        );
        assert!(text.contains("](performance/context.svg)"));
    }
}
