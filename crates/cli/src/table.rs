//! Tables on a terminal: columns side by side, as wide as what is in them.

use console::{measure_text_width, pad_str, truncate_str};

/// On which side a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "  ";

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[(&str, Align)]) -> Self {
        let headings = headings
            .iter()
            .map(|(name, align)| ((*name).to_owned(), *align));
        Self {
            headings: headings.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not as many cells as there are headings.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.headings.len(), "cells of a row");
        self.rows.push(row);
    }

    /// The lines, at most `width` columns wide where that is given. Where the columns do not fit beside each other, every row takes two lines: its
    /// first cells, up to the first number, then the numbers, indented. What is too wide even so is cut.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns: Vec<usize> = (0..self.headings.len()).collect();
        let fits = |columns: &[usize], indent| {
            width.is_none_or(|width| indent + self.width_of(columns) <= width)
        };
        let cut = |line: String| match width {
            Some(width) => truncate_str(line.trim_end(), width, "…").into_owned(),
            None => line.trim_end().to_owned(),
        };
        let names = self
            .headings
            .iter()
            .position(|(_, align)| *align == Align::Right)
            .unwrap_or(columns.len());
        let (first, rest) = columns.split_at(names);
        let parts: &[(&[usize], usize)] = if fits(&columns, 0) || rest.is_empty() {
            &[(&columns, 0)]
        } else {
            &[(first, 0), (rest, 2)]
        };
        let heading: Vec<&str> = self
            .headings
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let rows = self
            .rows
            .iter()
            .map(|row| row.iter().map(String::as_str).collect());
        std::iter::once(heading)
            .chain(rows)
            .flat_map(|cells: Vec<&str>| {
                parts
                    .iter()
                    .map(|(columns, indent)| cut(self.line(&cells, columns, *indent)))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn line(&self, cells: &[&str], columns: &[usize], indent: usize) -> String {
        let cells = columns.iter().map(|&column| {
            let alignment = match self.headings[column].1 {
                Align::Left => console::Alignment::Left,
                Align::Right => console::Alignment::Right,
            };
            pad_str(cells[column], self.column_width(column), alignment, None)
        });
        let cells: Vec<_> = cells.collect();
        format!("{:indent$}{}", "", cells.join(GAP))
    }

    fn width_of(&self, columns: &[usize]) -> usize {
        let widths = columns.iter().map(|column| self.column_width(*column));
        widths.sum::<usize>() + GAP.len() * columns.len().saturating_sub(1)
    }

    fn column_width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| &row[column]);
        let cells = cells.chain([&self.headings[column].0]);
        cells
            .map(|cell| measure_text_width(cell))
            .max()
            .unwrap_or(0)
    }
}

/// A whole number with commas between thousands: `124,439,808`.
pub(crate) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many bytes, with three digits and a decimal unit: `497 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let mut scaled = number as f64;
    for unit in ["bytes", "KB", "MB", "GB"] {
        if scaled < 999.5 {
            let decimals = match scaled {
                _ if unit == "bytes" => 0,
                s if s < 9.995 => 2,
                s if s < 99.95 => 1,
                _ => 0,
            };
            return format!("{scaled:.decimals$} {unit}");
        }
        scaled /= 1000.0;
    }
    format!("{scaled:.2} TB")
}

/// Four digits, as short as they can be written: `0.02041`, `-12.3`, `1.5e-7`.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return number.to_string();
    }
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{number:.2e}");
    }
    let digits_before = if size < 1.0 {
        0
    } else {
        size.log10() as usize + 1
    };
    let leading_zeros = if size == 0.0 || size >= 1.0 {
        0
    } else {
        (-size.log10()).floor() as usize
    };
    let decimals = 4usize.saturating_sub(digits_before) + leading_zeros;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-12.3, "-12.3"),
            (0.020_412_3, "0.02041"),
            (123.456, "123.5"),
            (99_999.0, "99999"),
            (1.5e-7, "1.50e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(number), text);
        }
        assert_eq!(with_commas(124_439_808), "124,439,808");
        assert_eq!(with_commas(12), "12");
        for (number, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.00 KB"),
            (497_759_232, "498 MB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn rows_that_do_not_fit_take_two_lines() {
        let mut table = Table::new(&[
            ("name", Align::Left),
            ("n", Align::Right),
            ("m", Align::Right),
        ]);
        table.push(vec!["漢字".into(), "1".into(), "22".into()]);
        table.push(vec!["a".into(), "333".into(), "4".into()]);
        let wide = ["name    n   m", "漢字    1  22", "a     333   4"];
        assert_eq!(table.lines(None), wide);
        assert_eq!(table.lines(Some(13)), wide);
        let narrow = ["name", "    n   m", "漢字", "    1  22", "a", "  333   4"];
        assert_eq!(table.lines(Some(12)), narrow);
        assert_eq!(table.lines(Some(3))[2], "漢…");
    }
}
