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
    in_pairs: bool,
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
            in_pairs: false,
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

    /// Lets rows that are too wide take two lines: their first cells, up to the first number, then the rest, indented.
    pub(crate) fn in_pairs(mut self) -> Self {
        self.in_pairs = true;
        self
    }

    /// The lines, cut to `width` columns where that is given.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns: Vec<usize> = (0..self.headings.len()).collect();
        let is_number = |column: &usize| self.headings[*column].1 == Align::Right;
        let names = columns.iter().position(is_number).unwrap_or(columns.len());
        let (first, rest) = columns.split_at(names);
        let too_wide = width.is_some_and(|width| self.width_of(&columns) > width);
        let parts: &[(&[usize], usize)] = if self.in_pairs && too_wide {
            &[(first, 0), (rest, 2)]
        } else {
            &[(&columns, 0)]
        };
        let cut = |line: String| match width {
            Some(width) => truncate_str(line.trim_end(), width, "…").into_owned(),
            None => line.trim_end().to_owned(),
        };
        let heading: Vec<&str> = self
            .headings
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.iter().map(String::as_str).collect());
        std::iter::once(heading)
            .chain(rows)
            .flat_map(|cells: Vec<&str>| {
                let lines = parts.iter();
                let lines = lines.map(|(columns, indent)| cut(self.line(&cells, columns, *indent)));
                lines.collect::<Vec<_>>()
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(table.lines(Some(12))[1], "漢字    1  …");
        let table = table.in_pairs();
        assert_eq!(table.lines(Some(13)), wide);
        let narrow = ["name", "    n   m", "漢字", "    1  22", "a", "  333   4"];
        assert_eq!(table.lines(Some(12)), narrow);
        assert_eq!(table.lines(Some(3))[2], "漢…");
    }
}
