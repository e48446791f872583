//! The charts of `docs/performance`: speed and peak memory against one size.
//!
//! On the left both axes are logarithmic, as sizes double from point to point; memory has straight axes on the right, where what grows
//! in proportion is a straight line.

use std::path::Path;

use anyhow::Result;
use llm_plot::{Axis, Chart as Panel, Figure, Scale, Series};

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

impl Chart {
    /// Draws the chart into the SVG file at `path`.
    pub(super) fn draw(&self, scaling: &Scaling, path: &Path) -> Result<()> {
        let curve = |axis, name, value: fn(&Point) -> f64| {
            let points = scaling.axis(axis);
            let points = points.map(|point| (point.size as f64, value(point)));
            Series::line_and_dots(name, points.collect())
        };
        let curves = |value| {
            let mut curves = vec![curve(self.axis, "training", value)];
            if self.axis == "context" {
                curves.push(curve("decode", "decoding", value));
            }
            curves
        };
        let doublings = |label| Axis::new(label, Scale::Log { base: 2.0 });
        let straight = |label| Axis::linear(label).including(0.0);
        let figure = Figure::new([
            Panel::new(
                "tokens a second",
                doublings(self.label),
                doublings(""),
                curves(|point| point.tokens_per_s),
            ),
            Panel::new(
                "peak memory, MB",
                straight(self.label),
                straight(""),
                curves(|point| point.peak_mb),
            ),
        ]);
        std::fs::write(path, figure.svg()?)?;
        Ok(())
    }
}
