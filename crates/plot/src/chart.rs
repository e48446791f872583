//! Curves and points over two axes.

use plotters::prelude::*;

use crate::PlotError;
use crate::axis::{Axis, Ruler};
use crate::pen::{Area, GRID, INK, MUTED, Pen, clipped, color, titled};

/// Named points of a [`Chart`].
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    mark: Mark,
    slot: Option<usize>,
}

/// How points are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Line,
    FaintLine,
    Dots,
    LineAndDots,
}

impl Mark {
    fn has_line(self) -> bool {
        self != Self::Dots
    }

    fn has_dots(self) -> bool {
        matches!(self, Self::Dots | Self::LineAndDots)
    }
}

impl Series {
    fn new(name: impl Into<String>, points: Vec<(f64, f64)>, mark: Mark) -> Self {
        Self {
            name: name.into(),
            points,
            mark,
            slot: None,
        }
    }

    /// A line through `points`; without a name it is not in the legend.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self::new(name, points, Mark::Line)
    }

    /// A thin, pale line without a name, behind another of the same colour: give that one's number to [`Series::colored`].
    pub fn faint(points: Vec<(f64, f64)>) -> Self {
        Self::new("", points, Mark::FaintLine)
    }

    /// Points that nothing joins.
    pub fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self::new(name, points, Mark::Dots)
    }

    /// A line whose points are marked.
    pub fn line_and_dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self::new(name, points, Mark::LineAndDots)
    }

    /// Takes the colour with this number, instead of that of its place in the chart.
    #[must_use]
    pub fn colored(mut self, slot: usize) -> Self {
        self.slot = Some(slot);
        self
    }
}

/// Series over two axes.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
}

impl Chart {
    /// A chart; points that have no place on its axes are left out.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis, series: Vec<Series>) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            series,
        }
    }

    fn visible<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = (f64, f64)> + 'a {
        let points = series.points.iter().copied();
        points.filter(|&(x, y)| self.x.holds(x) && self.y.holds(y))
    }

    fn rulers(&self) -> (Ruler, Ruler) {
        let points = || self.series.iter().flat_map(|series| self.visible(series));
        let x = self.x.over(points().map(|(x, _)| x));
        let y = self.y.over(points().map(|(_, y)| y));
        (x, y.with_room())
    }

    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
    ) -> Result<(), PlotError> {
        let area = titled(area, pen, &self.title)?;
        let area = self.draw_legend(&area, pen)?;
        let (x, y) = self.rulers();
        let label = pen.text(10.0, MUTED);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(pen.px(6))
            .margin_right(pen.px(18))
            .margin_left(pen.px(6))
            .x_label_area_size(pen.px(38))
            .y_label_area_size(pen.px(58))
            .build_cartesian_2d(x, y)
            .map_err(PlotError::drawing)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(pen.text(10.5, INK))
            .label_style(label)
            .axis_style(ShapeStyle::from(&MUTED).stroke_width(pen.stroke(1.0)))
            .bold_line_style(ShapeStyle::from(&GRID).stroke_width(pen.stroke(1.0)))
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(pen.px(4))
            .x_labels(7)
            .y_labels(6)
            .draw()
            .map_err(PlotError::drawing)?;
        for (place, series) in self.series.iter().enumerate() {
            let color = color(series.slot.unwrap_or(place));
            let points: Vec<_> = self.visible(series).collect();
            if series.mark.has_line() {
                let style = if series.mark == Mark::FaintLine {
                    color.mix(0.35).stroke_width(pen.stroke(1.0))
                } else {
                    color.stroke_width(pen.stroke(1.75))
                };
                let line = PathElement::new(points.clone(), style);
                chart
                    .draw_series(std::iter::once(line))
                    .map_err(PlotError::drawing)?;
            }
            if series.mark.has_dots() {
                let radius = pen.px(3);
                let dots = points
                    .into_iter()
                    .map(|point| Circle::new(point, radius, color.filled()));
                chart.draw_series(dots).map_err(PlotError::drawing)?;
            }
        }
        Ok(())
    }

    /// Draws the names of the series, where there is more than one, and returns the area below.
    fn draw_legend<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
    ) -> Result<Area<DB>, PlotError> {
        let named = self.series.iter().enumerate();
        let named: Vec<_> = named
            .filter(|(_, series)| !series.name.is_empty())
            .collect();
        if named.len() < 2 {
            return Ok(area.clone());
        }
        let style = pen.text(10.5, INK);
        let (line, swatch) = (pen.px(17), pen.px(18));
        let right = i32::try_from(area.dim_in_pixel().0).unwrap_or(i32::MAX) - pen.px(10);
        let (mut x, mut y) = (pen.px(12), 0);
        for (place, series) in named {
            let name = clipped(&series.name, 40);
            let width = swatch + pen.px(6) + pen.width(&name, &style);
            if x + width > right && x > pen.px(12) {
                (x, y) = (pen.px(12), y + line);
            }
            let color = color(series.slot.unwrap_or(place));
            let middle = y + pen.px(7);
            if series.mark.has_line() {
                let stroke = color.stroke_width(pen.stroke(2.0));
                let sample = PathElement::new([(x, middle), (x + swatch, middle)], stroke);
                area.draw(&sample).map_err(PlotError::drawing)?;
            }
            if series.mark.has_dots() {
                let dot = Circle::new((x + swatch / 2, middle), pen.px(3), color.filled());
                area.draw(&dot).map_err(PlotError::drawing)?;
            }
            area.draw_text(&name, &style, (x + swatch + pen.px(6), y))
                .map_err(PlotError::drawing)?;
            x += width + pen.px(16);
        }
        Ok(area.split_vertically(y + line).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Figure;

    #[test]
    fn a_legend_tells_curves_of_one_colour_apart() {
        let points = vec![(0.0, 1.0), (1.0, 2.0)];
        let dots = |second: Series| {
            let series = vec![Series::line("a", points.clone()), second.colored(0)];
            let chart = Chart::new("", Axis::linear("x"), Axis::linear("y"), series);
            let svg = Figure::new([chart]).svg().expect("drawn");
            svg.matches("<circle").count()
        };
        assert_eq!(dots(Series::line("b", points.clone())), 0);
        // Two on the curve, one in the legend.
        assert_eq!(dots(Series::line_and_dots("b", points.clone())), 3);
    }
}
