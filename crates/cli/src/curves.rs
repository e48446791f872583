//! Curves drawn with characters: in the live view of a run, and by `llm runs`.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use crate::palette::Palette;
use crate::quantity::short;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The sixteen colours that the user's terminal has chosen.
    Colored,
    /// Curves differ by their dots alone.
    Plain,
}

impl Ink {
    /// As other text is painted.
    pub(crate) fn of(palette: Palette) -> Self {
        if palette.is_on() {
            Self::Colored
        } else {
            Self::Plain
        }
    }

    /// What the curve with this number looks like, and a sample of it.
    fn curve(self, slot: usize) -> (Style, Marker, &'static str) {
        const COLORS: [Color; 6] = [
            Color::Blue,
            Color::Yellow,
            Color::Green,
            Color::Magenta,
            Color::Cyan,
            Color::Red,
        ];
        const MARKERS: [(Marker, &str); 3] = [
            (Marker::Braille, "⠒⠒"),
            (Marker::Dot, "••"),
            (Marker::Block, "██"),
        ];
        match self {
            Self::Colored => {
                let style = Style::new().fg(COLORS[slot % COLORS.len()]);
                (style, Marker::Braille, "⠒⠒")
            }
            Self::Plain => {
                let (marker, sample) = MARKERS[slot % MARKERS.len()];
                (Style::new(), marker, sample)
            }
        }
    }

    /// For what is read after everything else.
    pub(crate) fn faint(self) -> Style {
        match self {
            Self::Colored => Style::new().add_modifier(Modifier::DIM),
            Self::Plain => Style::new(),
        }
    }
}

/// A named curve.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Ascending in the first number.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Curves over common axes.
#[derive(Clone, Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    pub(crate) curves: Vec<Curve>,
    /// Whether heights are in proportion to the logarithm.
    pub(crate) log: bool,
}

/// Dots beside each other in a braille character.
const DOTS: usize = 2;

impl Plot<'_> {
    /// Draws the plot into `area`: what it shows and the names of the curves in the first line, the axes below.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer, ink: Ink) {
        if area.height < 4 || area.width < 20 {
            return;
        }
        buffer.set_line(area.x, area.y, &self.legend(ink), area.width);
        let columns = usize::from(area.width) * DOTS;
        let curves: Vec<Vec<(f64, f64)>> = self
            .curves
            .iter()
            .map(|curve| self.visible(&curve.points, columns))
            .collect();
        let points = || curves.iter().flatten();
        if points().next().is_none() {
            let message = Span::styled("no numbers yet", ink.faint());
            buffer.set_span(area.x + 2, area.y + 1, &message, area.width);
            return;
        }
        let (left, right) = ends(points().map(|point| point.0));
        let (bottom, top) = ends(points().map(|point| point.1));
        let (heights, labels) = self.heights(bottom, top, area.height / 3);
        let datasets = curves.iter().enumerate().map(|(slot, points)| {
            let (style, marker, _) = ink.curve(slot);
            // A single evaluation is a point, not a line.
            let kind = if points.len() > 1 {
                GraphType::Line
            } else {
                GraphType::Scatter
            };
            Dataset::default()
                .data(points)
                .marker(marker)
                .graph_type(kind)
                .style(style)
        });
        // Steps are whole; where the axis is longer than a few of anything, whole numbers say enough.
        let whole = |x: f64| if right - left >= 4.0 { x.round() } else { x };
        let widths = [left, (left + right) / 2.0, right].map(whole);
        let chart = Chart::new(datasets.collect())
            .legend_position(None)
            .x_axis(
                Axis::default()
                    .bounds([left, right])
                    .labels(widths.map(amount))
                    .style(ink.faint()),
            )
            .y_axis(
                Axis::default()
                    .bounds(heights)
                    .labels(labels)
                    .style(ink.faint()),
            );
        chart.render(
            Rect {
                y: area.y + 1,
                height: area.height - 1,
                ..area
            },
            buffer,
        );
    }

    /// As lines of `width` characters; with colours, where there are any, as escape sequences of a terminal.
    pub(crate) fn lines(&self, width: u16, height: u16, ink: Ink) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        self.draw(area, &mut buffer, ink);
        (0..height).map(|y| line(&buffer, y)).collect()
    }

    fn legend(&self, ink: Ink) -> Line<'static> {
        let mut spans = vec![Span::raw(self.y_label.to_owned())];
        for (slot, curve) in self.curves.iter().enumerate() {
            if !curve.name.is_empty() {
                let (style, _, sample) = ink.curve(slot);
                spans.push(Span::styled(format!("   {sample} "), style));
                spans.push(Span::raw(curve.name.clone()));
            }
        }
        if !self.x_label.is_empty() {
            spans.push(Span::styled(format!("   by {}", self.x_label), ink.faint()));
        }
        Line::from(spans)
    }

    /// The points that have a place, heights as they are drawn, at most one for each dot: the mean of those above it.
    fn visible(&self, points: &[(f64, f64)], dots: usize) -> Vec<(f64, f64)> {
        let height = |y: f64| if self.log { y.log10() } else { y };
        let points = points.iter().map(|&(x, y)| (x, height(y)));
        let points: Vec<_> = points
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return points;
        };
        let dot = |x: f64| ((x - first.0) / (last.0 - first.0) * dots as f64) as usize;
        points
            .chunk_by(|a, b| dot(a.0) == dot(b.0))
            .map(|chunk| {
                let mean = |of: fn(&(f64, f64)) -> f64| {
                    chunk.iter().map(of).sum::<f64>() / chunk.len() as f64
                };
                (mean(|point| point.0), mean(|point| point.1))
            })
            .collect()
    }

    /// The ends of the axis and its labels, which stand at equal distances: at round numbers where the axis is straight.
    fn heights(&self, bottom: f64, top: f64, most: u16) -> ([f64; 2], Vec<String>) {
        if self.log {
            let middle = (bottom + top) / 2.0;
            let labels = [bottom, middle, top].map(|height| amount(10f64.powf(height)));
            return ([bottom, top], labels.to_vec());
        }
        let raw = (top - bottom) / f64::from(most.max(1));
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|&step| step >= raw).unwrap_or(raw);
        let (first, last) = ((bottom / step).floor(), (top / step).ceil());
        let marks = (0..=(last - first) as u32).map(|i| (first + f64::from(i)) * step);
        ([first * step, last * step], marks.map(amount).collect())
    }
}

/// The least and the largest, or a little around a single value.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (from, to) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| {
        (from.min(value), to.max(value))
    });
    if from < to {
        return (from, to);
    }
    let room = if from == 0.0 { 1.0 } else { 0.1 * from.abs() };
    (from - room, to + room)
}

/// A number for an axis.
fn amount(number: f64) -> String {
    let size = number.abs();
    for (unit, name) in [(1e12, "T"), (1e9, "G"), (1e6, "M")] {
        if size >= unit {
            return short((number / unit * 100.0).round() / 100.0) + name;
        }
    }
    // The sum of rounded steps is not always 0 where it should be.
    let number = if size < 1e-12 { 0.0 } else { number };
    short(number)
}

/// One line of a buffer with the escape sequences that colour it, without spaces at its end.
fn line(buffer: &Buffer, y: u16) -> String {
    let area = buffer.area();
    let cells: Vec<&Cell> = (area.left()..area.right())
        .filter_map(|x| buffer.cell(Position { x, y }))
        .collect();
    let used = cells.iter().rposition(|cell| cell.symbol() != " ");
    let mut text = String::new();
    let mut code = None;
    for cell in &cells[..used.map_or(0, |last| last + 1)] {
        let wanted = escape_code(cell);
        if wanted != code && cell.symbol() != " " {
            if code.is_some() {
                text += "\x1b[0m";
            }
            if let Some(code) = wanted {
                text += &format!("\x1b[{code}m");
            }
            code = wanted;
        }
        text += cell.symbol();
    }
    if code.is_some() {
        text += "\x1b[0m";
    }
    text
}

/// The number by which a terminal switches the style of a cell on, for the styles used here.
fn escape_code(cell: &Cell) -> Option<u8> {
    match cell.fg {
        Color::Red => Some(31),
        Color::Green => Some(32),
        Color::Yellow => Some(33),
        Color::Blue => Some(34),
        Color::Magenta => Some(35),
        Color::Cyan => Some(36),
        _ if cell.modifier.contains(Modifier::DIM) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(curves: &[&[(f64, f64)]], log: bool) -> Plot<'static> {
        let named = curves.iter().enumerate().map(|(i, points)| Curve {
            name: format!("run {i}"),
            points: points.to_vec(),
        });
        Plot {
            x_label: "step",
            y_label: "loss",
            curves: named.collect(),
            log,
        }
    }

    #[test]
    fn a_falling_curve_falls() {
        let points: Vec<(f64, f64)> = (0..100)
            .map(|i| (f64::from(i), f64::from(100 - i)))
            .collect();
        let lines = plot(&[&points], false).lines(60, 12, Ink::Plain);
        assert_eq!(lines.len(), 12);
        assert!(
            lines[0].starts_with("loss   ⠒⠒ run 0   by step"),
            "{lines:?}"
        );
        let dots = |line: &str| {
            line.chars()
                .position(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
        };
        let (high, low) = (dots(&lines[2]).unwrap(), dots(&lines[8]).unwrap());
        assert!(high < low, "{lines:#?}");
        assert!(lines[11].trim_start().starts_with('0'), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\x1b')));
    }

    #[test]
    fn colours_are_escape_codes_that_are_closed() {
        let one: &[(f64, f64)] = &[(0.0, 1.0), (1.0, 2.0)];
        let lines = plot(&[one, &[(0.0, 2.0), (1.0, 1.0)]], true).lines(60, 10, Ink::Colored);
        let all = lines.join("\n");
        assert!(
            all.contains("\x1b[34m") && all.contains("\x1b[33m"),
            "{all}"
        );
        for line in &lines {
            assert_eq!(line.contains('\x1b'), line.contains("\x1b[0m"), "{line:?}");
        }
    }

    #[test]
    fn nothing_and_odd_numbers_are_drawn() {
        for points in [
            &[][..],
            &[(1.0, f64::NAN)],
            &[(1.0, 0.0)],
            &[(5.0, 3.0)],
            &[(0.0, 1e300), (1.0, 1e-300)],
        ] {
            for log in [false, true] {
                for (width, height) in [(1, 1), (20, 4), (200, 30)] {
                    let lines = plot(&[points], log).lines(width, height, Ink::Colored);
                    assert_eq!(lines.len(), usize::from(height));
                }
            }
        }
    }
}
