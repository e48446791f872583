//! The charts of `docs/performance`: speed and peak memory against one size.
//!
//! On the left both axes are logarithmic, as sizes double from point to point; memory has straight axes on the right, where what grows
//! in proportion is a straight line.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::scaling::{Point, Scaling};

/// A chart that the page shows.
#[derive(Debug)]
pub(super) struct Chart {
    /// Its axis in [`Scaling`], and the name of its file.
    pub(super) axis: &'static str,
    /// What varies, with its unit.
    pub(super) label: &'static str,
}

/// Every chart, in the order of the page.
pub(super) const ALL: [Chart; 6] = [
    Chart {
        axis: "context",
        label: "context, tokens",
    },
    Chart {
        axis: "batch",
        label: "windows in a batch",
    },
    Chart {
        axis: "width",
        label: "width",
    },
    Chart {
        axis: "depth",
        label: "blocks",
    },
    Chart {
        axis: "vocabulary",
        label: "vocabulary, tokens",
    },
    Chart {
        axis: "threads",
        label: "threads",
    },
];

/// Width and height in pixels.
const SIZE: (u32, u32) = (960, 320);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A named curve.
struct Curve {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

impl Curve {
    fn new(
        scaling: &Scaling,
        axis: &str,
        name: &'static str,
        color: RGBColor,
        value: impl Fn(&Point) -> f64,
    ) -> Self {
        let points = scaling.axis(axis);
        Self {
            name,
            color,
            points: points
                .map(|point| (point.size as f64, value(point)))
                .collect(),
        }
    }
}

impl Chart {
    /// Draws the chart into the SVG file at `path`.
    pub(super) fn draw(&self, scaling: &Scaling, path: &Path) -> Result<()> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        let speed = |axis, name, color| Curve::new(scaling, axis, name, color, |p| p.tokens_per_s);
        let memory = |axis, name, color| Curve::new(scaling, axis, name, color, |p| p.peak_mb);
        let mut speeds = vec![speed(self.axis, "training", BLUE)];
        let mut memories = vec![memory(self.axis, "training", BLUE)];
        if self.axis == "context" {
            speeds.push(speed("decode", "decoding", RED));
            memories.push(memory("decode", "decoding", RED));
        }
        let sizes = bounds(&speeds, |p| p.0).log_scale().base(2.0);
        let up = doublings(bounds(&speeds, |p| p.1)).log_scale().base(2.0);
        panel(&left, "tokens a second", self.label, sizes, up, &speeds)?;
        let sizes = 0.0..bounds(&memories, |p| p.0).end;
        let up = 0.0..1.1 * bounds(&memories, |p| p.1).end;
        panel(&right, "peak memory, MB", self.label, sizes, up, &memories)?;
        root.present().map_err(drawing)
    }
}

/// From the least to the largest value of one coordinate.
fn bounds(curves: &[Curve], coordinate: impl Fn(&(f64, f64)) -> f64) -> Range<f64> {
    let values = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(&coordinate)
    };
    values().fold(f64::INFINITY, f64::min)..values().fold(0.0, f64::max)
}

/// `range`, widened to powers of two.
fn doublings(range: Range<f64>) -> Range<f64> {
    range.start.log2().floor().exp2()..range.end.log2().ceil().exp2()
}

fn panel<X, Y>(
    area: &Area<'_>,
    caption: &str,
    label: &str,
    sizes: X,
    values: Y,
    curves: &[Curve],
) -> Result<()>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(sizes, values)
        .map_err(drawing)?;
    let number = |value: &f64| ((value * 10.0).round() / 10.0).to_string();
    chart
        .configure_mesh()
        .x_desc(label)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(drawing)?;
    for curve in curves {
        let color = curve.color;
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), &color).point_size(3))
            .map_err(drawing)?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    if curves.len() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()
            .map_err(drawing)?;
    }
    Ok(())
}

/// plotters' errors borrow from what is drawn.
fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_widened_to_powers_of_two() {
        assert_eq!(doublings(386.0..4224.0), 256.0..8192.0);
        assert_eq!(doublings(256.0..512.0), 256.0..512.0);
    }
}
