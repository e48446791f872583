//! Tables of numbers as colours: attention, say, or what each layer would predict.

use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::PlotError;
use crate::axis::short;
use crate::figure::packed;
use crate::pen::{Area, GRID, MUTED, Pen, clipped, titled};

/// What numbers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// From dark to bright, for shares and other numbers of one sign.
    Sequential,
    /// Blue below 0, red above.
    Diverging,
}

/// A table of numbers with named rows and columns.
#[derive(Clone, Debug)]
pub struct HeatMap {
    pub(crate) title: String,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) values: Vec<Vec<f64>>,
    texts: Vec<Vec<String>>,
    colors: Colors,
    pub(crate) rooted: bool,
    range: Option<(f64, f64)>,
}

impl HeatMap {
    /// A map of `values`, which hold a row for each name in `rows`, with a number for each name in `columns`. Numbers that are not finite
    /// are left blank.
    ///
    /// # Panics
    /// The sizes differ.
    pub fn new(
        title: impl Into<String>,
        rows: Vec<String>,
        columns: Vec<String>,
        values: Vec<Vec<f64>>,
    ) -> Self {
        assert_eq!(values.len(), rows.len(), "a row of values for each name");
        for row in &values {
            assert_eq!(row.len(), columns.len(), "a value for each column");
        }
        Self {
            title: title.into(),
            rows,
            columns,
            values,
            texts: Vec::new(),
            colors: Colors::Sequential,
            rooted: false,
            range: None,
        }
    }

    /// Writes a text into each cell; a cell should be wide enough for some letters.
    ///
    /// # Panics
    /// The sizes differ from those of the values.
    #[must_use]
    pub fn texts(mut self, texts: Vec<Vec<String>>) -> Self {
        let sizes = |row: &Vec<String>| row.len() == self.columns.len();
        assert!(texts.len() == self.rows.len() && texts.iter().all(sizes));
        self.texts = texts;
        self
    }

    /// Chooses the colours.
    #[must_use]
    pub fn colors(mut self, colors: Colors) -> Self {
        self.colors = colors;
        self
    }

    /// Lets sequential colours follow the square root of a number's share of the range, so that small shares are told from none.
    #[must_use]
    pub fn rooted(mut self) -> Self {
        self.rooted = true;
        self
    }

    /// Sets which numbers have the first and the last colour, so that several maps can be compared. Default: the least and the largest.
    #[must_use]
    pub fn range(mut self, from: f64, to: f64) -> Self {
        self.range = Some((from, to));
        self
    }

    pub(crate) fn ends(&self) -> (f64, f64) {
        if let Some(ends) = self.range {
            return ends;
        }
        let finite = self
            .values
            .iter()
            .flatten()
            .filter(|value| value.is_finite());
        let (from, to) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), &value| {
            (from.min(value), to.max(value))
        });
        match self.colors {
            _ if from > to => (0.0, 1.0),
            Colors::Sequential => (from, to),
            Colors::Diverging => {
                let size = from.abs().max(to.abs());
                (-size, size)
            }
        }
    }

    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
    ) -> Result<(), PlotError> {
        const LONGEST_NAME: usize = 16;
        let area = titled(area, pen, &self.title)?;
        let label = pen.text(9.0, MUTED);
        let longest = |names: &[String]| {
            let widths = names
                .iter()
                .map(|name| pen.width(&clipped(name, LONGEST_NAME), &label));
            widths.max().unwrap_or(0)
        };
        let (left, below) = (
            longest(&self.rows) + pen.px(16),
            longest(&self.columns) + pen.px(14),
        );
        let (right, above) = (pen.px(58), pen.px(4));
        let (width, height) = area.dim_in_pixel();
        let width = (width as i32 - left - right).max(1);
        let height = (height as i32 - above - below).max(1);
        let (n_rows, n_columns) = (self.rows.len(), self.columns.len());
        let x = |column: usize| {
            left + (column as i64 * i64::from(width) / n_columns.max(1) as i64) as i32
        };
        let y = |row: usize| above + (row as i64 * i64::from(height) / n_rows.max(1) as i64) as i32;

        let (from, to) = self.ends();
        for (row, values) in self.values.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let Some(color) = self.color(value, from, to) else {
                    continue;
                };
                let corners = [(x(column), y(row)), (x(column + 1), y(row + 1))];
                area.draw(&Rectangle::new(corners, color.filled()))
                    .map_err(PlotError::drawing)?;
                let text = self.texts.get(row).map_or("", |texts| &texts[column]);
                if !text.is_empty() {
                    let fits = (x(column + 1) - x(column)) / pen.px(6).max(1);
                    let style = pen
                        .text(9.0, readable_on(color))
                        .pos(Pos::new(HPos::Center, VPos::Center));
                    let middle = ((x(column) + x(column + 1)) / 2, (y(row) + y(row + 1)) / 2);
                    let text = clipped(text, usize::try_from(fits).unwrap_or(1).max(1));
                    area.draw_text(&text, &style, middle)
                        .map_err(PlotError::drawing)?;
                }
            }
        }
        let frame = [(left, above), (left + width, above + height)];
        area.draw(&Rectangle::new(frame, GRID.stroke_width(pen.stroke(1.0))))
            .map_err(PlotError::drawing)?;

        let letter = pen.px(11).max(1);
        let every =
            |n: usize, length: i32| (n as i32 * letter).div_euclid(length.max(1)) as usize + 1;
        let style = label.clone().pos(Pos::new(HPos::Right, VPos::Center));
        for (row, name) in self.rows.iter().enumerate().step_by(every(n_rows, height)) {
            let place = (left - pen.px(6), (y(row) + y(row + 1)) / 2);
            area.draw_text(&clipped(name, LONGEST_NAME), &style, place)
                .map_err(PlotError::drawing)?;
        }
        let mut style = label.clone().pos(Pos::new(HPos::Right, VPos::Center));
        style.font = style.font.transform(FontTransform::Rotate270);
        for (column, name) in self
            .columns
            .iter()
            .enumerate()
            .step_by(every(n_columns, width))
        {
            let place = ((x(column) + x(column + 1)) / 2, above + height + pen.px(6));
            area.draw_text(&clipped(name, LONGEST_NAME), &style, place)
                .map_err(PlotError::drawing)?;
        }
        self.draw_bar(&area, pen, left + width + pen.px(12), (above, height))
    }

    /// The colours with their numbers, at `x`.
    fn draw_bar<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
        x: i32,
        (above, height): (i32, i32),
    ) -> Result<(), PlotError> {
        const STEPS: i32 = 48;
        let (from, to) = self.ends();
        for step in 0..STEPS {
            let share = 1.0 - (f64::from(step) + 0.5) / f64::from(STEPS);
            let Some(color) = self.color(from + share * (to - from), from, to) else {
                continue;
            };
            let top = above + step * height / STEPS;
            let bottom = above + (step + 1) * height / STEPS;
            let corners = [(x, top), (x + pen.px(10), bottom)];
            area.draw(&Rectangle::new(corners, color.filled()))
                .map_err(PlotError::drawing)?;
        }
        let style = pen.text(9.0, MUTED);
        for (value, y, anchor) in [(to, above, VPos::Top), (from, above + height, VPos::Bottom)] {
            let style = style.clone().pos(Pos::new(HPos::Left, anchor));
            area.draw_text(&short(rounded(value)), &style, (x + pen.px(14), y))
                .map_err(PlotError::drawing)?;
        }
        Ok(())
    }

    /// The map alone as PNG, with a pixel for each number; blank ones let the ground through.
    pub(crate) fn pixels(&self) -> Result<Vec<u8>, PlotError> {
        let (from, to) = self.ends();
        let colors = self.values.iter().flatten().map(|value| {
            let color = self.color(*value, from, to);
            color.map_or([0; 4], |RGBColor(r, g, b)| [r, g, b, 0xFF])
        });
        let rgba: Vec<u8> = colors.flatten().collect();
        if rgba.is_empty() {
            // A picture has at least one pixel.
            return packed(&[0; 4], (1, 1), png::ColorType::Rgba);
        }
        let size = (self.columns.len() as u32, self.rows.len() as u32);
        packed(&rgba, size, png::ColorType::Rgba)
    }

    /// The colour of `value`; none where it is not finite.
    pub(crate) fn color(&self, value: f64, from: f64, to: f64) -> Option<RGBColor> {
        let share = if to > from {
            (value - from) / (to - from)
        } else {
            0.5
        };
        value.is_finite().then(|| match self.colors {
            Colors::Sequential if self.rooted => between(&VIRIDIS, share.max(0.0).sqrt()),
            Colors::Sequential => between(&VIRIDIS, share),
            Colors::Diverging => between(&BLUE_TO_RED, share),
        })
    }
}

/// Every eighth of matplotlib's viridis, which grows evenly in brightness.
const VIRIDIS: [(u8, u8, u8); 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// ColorBrewer's RdBu from its other end.
const BLUE_TO_RED: [(u8, u8, u8); 7] = [
    (33, 102, 172),
    (103, 169, 207),
    (209, 229, 240),
    (247, 247, 247),
    (253, 219, 199),
    (239, 138, 98),
    (178, 24, 43),
];

/// The colour at `share` of the way along `stops`.
fn between(stops: &[(u8, u8, u8)], share: f64) -> RGBColor {
    let at = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let before = (at.floor() as usize).min(stops.len() - 2);
    let mix = |a: u8, b: u8| {
        let part = at - before as f64;
        (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8
    };
    let (a, b) = (stops[before], stops[before + 1]);
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Dark letters on bright ground, and the reverse.
fn readable_on(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let brightness = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if brightness > 140.0 {
        // Not the ink of the page: the ground of a cell is the same on a dark page.
        RGBColor(0x10, 0x12, 0x15)
    } else {
        RGBColor(0xF4, 0xF6, 0xF8)
    }
}

/// Three digits that count.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_reach_from_the_first_to_the_last() {
        assert_eq!(between(&VIRIDIS, 0.0), RGBColor(68, 1, 84));
        assert_eq!(between(&VIRIDIS, 1.0), RGBColor(253, 231, 37));
        assert_eq!(between(&BLUE_TO_RED, 0.5), RGBColor(247, 247, 247));
        assert_eq!(between(&VIRIDIS, -3.0), between(&VIRIDIS, 0.0));
    }

    #[test]
    fn zero_is_the_middle_of_diverging_colours() {
        let names = |n| vec![String::new(); n];
        let map = HeatMap::new("", names(1), names(3), vec![vec![-1.0, 0.5, f64::NAN]])
            .colors(Colors::Diverging);
        assert_eq!(map.ends(), (-1.0, 1.0));
        assert_eq!(map.color(f64::NAN, -1.0, 1.0), None);
    }
}
