//! Many heat maps on a page: all of them small, and the chosen one large, with the names of its rows and columns.
//!
//! There is no script: radio buttons choose, and the style sheet shows what belongs to the chosen one. Each map is one picture with a
//! pixel for each number, which both sizes use. In the large one, cells that stand out tell their numbers when pointed at.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plotters::style::RGBColor;

use crate::axis::short;
use crate::heat_map::rounded;
use crate::page::escape;
use crate::pen::clipped;
use crate::{HeatMap, PlotError};

/// Side of a cell of the large map, in its own units.
const CELL: usize = 20;
/// Names along a side beyond which some are left out.
const MOST_NAMES: usize = 52;
/// Characters of a name.
const LONGEST_NAME: usize = 14;
/// Share of the range from which on a cell tells its number.
const STANDS_OUT: f64 = 0.05;
/// Cells of a whole gallery that may tell their numbers; in larger ones none does, or the page would be slow.
const MOST_TELLING: usize = 40_000;

/// The HTML of a gallery of `maps`, `columns` of them in a row; `place` tells it apart from others on its page.
pub(crate) fn html(maps: &[HeatMap], columns: usize, place: usize) -> Result<String, PlotError> {
    let id = |i: usize| format!("g{place}-{i}");
    let mut html = format!("<div class=\"gallery\" style=\"--columns: {columns}\">\n<style>\n");
    for i in 0..maps.len() {
        let id = id(i);
        let _ = writeln!(
            html,
            "#{id}:checked ~ .large > .{id} {{ display: block; }} #{id}:checked ~ .small > [for={id}] {{ border-color: var(--ink); }} \
             #{id}:focus-visible ~ .small > [for={id}] {{ outline: 2px solid var(--ink); }}"
        );
    }
    html += "</style>\n<svg class=\"pictures\" aria-hidden=\"true\">\n";
    for (i, map) in maps.iter().enumerate() {
        let (rows, columns) = (map.rows.len().max(1), map.columns.len().max(1));
        let picture = BASE64_STANDARD.encode(map.pixels()?);
        let _ = writeln!(
            html,
            "<symbol id=\"{}-map\" viewBox=\"0 0 {columns} {rows}\" preserveAspectRatio=\"none\"><image width=\"{columns}\" height=\"{rows}\" \
             preserveAspectRatio=\"none\" style=\"image-rendering: pixelated\" href=\"data:image/png;base64,{picture}\"/></symbol>",
            id(i)
        );
    }
    html += "</svg>\n";
    for i in 0..maps.len() {
        let checked = if i == 0 { " checked" } else { "" };
        let id = id(i);
        let _ = writeln!(
            html,
            "<input type=\"radio\" name=\"g{place}\" id=\"{id}\"{checked}>"
        );
    }
    html += "<div class=\"small\">\n";
    for (i, map) in maps.iter().enumerate() {
        let (id, name) = (id(i), escape(&map.title));
        let (rows, columns) = (map.rows.len().max(1), map.columns.len().max(1));
        let _ = writeln!(
            html,
            "<label for=\"{id}\" title=\"{name}\"><svg viewBox=\"0 0 {columns} {rows}\"><use href=\"#{id}-map\"/></svg><span>{name}</span></label>"
        );
    }
    html += "</div>\n<div class=\"large\">\n";
    let telling: usize = maps.iter().map(|map| telling(map).count()).sum();
    for (i, map) in maps.iter().enumerate() {
        let (id, name) = (id(i), escape(&map.title));
        let _ = writeln!(html, "<section class=\"{id}\"><h3>{name}</h3>");
        large(map, &id, telling <= MOST_TELLING, &mut html);
        html += &scale(map);
        html += "</section>\n";
    }
    html += "</div>\n</div>\n";
    Ok(html)
}

/// A map with its names.
fn large(map: &HeatMap, id: &str, tells: bool, html: &mut String) {
    let (rows, columns) = (map.rows.len(), map.columns.len());
    let (width, height) = (columns * CELL, rows * CELL);
    // Letters grow with the map, as it is shown in one size whatever it holds.
    let letter = (CELL * 13 / 20).max(width.max(height) / MOST_NAMES);
    let longest = |names: &[String]| {
        let lengths = names
            .iter()
            .map(|name| name.chars().count().min(LONGEST_NAME));
        lengths.max().unwrap_or(0) * letter * 13 / 20 + letter
    };
    let (left, above) = (longest(&map.rows), longest(&map.columns));
    let _ = writeln!(
        html,
        "<svg viewBox=\"0 0 {} {}\" font-size=\"{letter}\"><use href=\"#{id}-map\" x=\"{left}\" y=\"{above}\" width=\"{width}\" height=\"{height}\"/>\
         <rect class=\"frame\" x=\"{left}\" y=\"{above}\" width=\"{width}\" height=\"{height}\"/>",
        left + width + CELL / 2,
        above + height + CELL / 2
    );
    let every = |n: usize| n.div_ceil(MOST_NAMES).max(1);
    for (row, name) in map.rows.iter().enumerate().step_by(every(rows)) {
        let (x, y) = (left - letter / 2, above + row * CELL + CELL / 2);
        let name = escape(&clipped(name, LONGEST_NAME));
        let _ = writeln!(
            html,
            "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" text-anchor=\"end\">{name}</text>"
        );
    }
    for (column, name) in map.columns.iter().enumerate().step_by(every(columns)) {
        let (x, y) = (left + column * CELL + CELL / 2, above - letter / 2);
        let name = escape(&clipped(name, LONGEST_NAME));
        let _ = writeln!(
            html,
            "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" transform=\"rotate(-90 {x} {y})\">{name}</text>"
        );
    }
    if tells {
        for (row, column, value) in telling(map) {
            let (x, y) = (left + column * CELL, above + row * CELL);
            let (from, to) = (escape(&map.rows[row]), escape(&map.columns[column]));
            let _ = writeln!(
                html,
                "<rect class=\"cell\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\"><title>{from} ({row}) → {to} ({column}): {value:.3}</title></rect>"
            );
        }
    }
    *html += "</svg>\n";
}

/// A line of colours with their numbers.
fn scale(map: &HeatMap) -> String {
    let shares: &[f64] = if map.rooted {
        &[0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0]
    } else {
        &[0.0, 0.25, 0.5, 0.75, 1.0]
    };
    let (from, to) = map.ends();
    let swatches = shares.iter().filter_map(|share| {
        let value = from + share * (to - from);
        let RGBColor(r, g, b) = map.color(value, from, to)?;
        let number = short(rounded(value));
        Some(format!(
            "<i style=\"background: #{r:02x}{g:02x}{b:02x}\"></i>{number}"
        ))
    });
    let swatches: String = swatches.collect();
    format!("<p class=\"scale\">{swatches}</p>\n")
}

/// The cells that stand out, with their numbers.
fn telling(map: &HeatMap) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
    let (from, to) = map.ends();
    let least = from + STANDS_OUT * (to - from);
    let rows = map.values.iter().enumerate();
    rows.flat_map(move |(row, values)| {
        let cells = values.iter().enumerate();
        let cells = cells.filter(move |(_, value)| **value >= least);
        cells.map(move |(column, value)| (row, column, *value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Page;

    fn map(title: &str, n: usize) -> HeatMap {
        let names: Vec<String> = (0..n).map(|i| format!("<b>{i}&")).collect();
        let value = |row: usize, column: usize| {
            if column > row {
                f64::NAN
            } else {
                1.0 / (row + 1) as f64
            }
        };
        let values = (0..n).map(|row| (0..n).map(|column| value(row, column)).collect());
        HeatMap::new(title, names.clone(), names, values.collect()).range(0.0, 1.0)
    }

    #[test]
    fn every_map_is_there_once_and_shown_twice() {
        let maps = [map("one & only", 3), map("<two>", 3)];
        let page = Page::new("maps")
            .gallery(&maps, 2)
            .unwrap()
            .gallery(&maps, 1);
        let page = page.unwrap().html();
        assert_eq!(page.matches("data:image/png").count(), 4);
        assert_eq!(page.matches("<use href=\"#g0-1-map\"").count(), 2);
        assert_eq!(page.matches(" checked>").count(), 2);
        // Six cells of each map are not blank.
        assert_eq!(page.matches("class=\"cell\"").count(), 24);
        assert!(page.contains("&lt;b&gt;1&amp; (1) → &lt;b&gt;0&amp; (0): 0.500"));
        assert!(!page.contains("<b>") && !page.contains("<two>"));
        for word in ["http", "<script", "<link", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn large_galleries_tell_no_numbers() {
        let maps = vec![map("", 20); 300];
        assert!(!html(&maps, 4, 0).unwrap().contains("class=\"cell\""));
    }
}
