//! Named amounts as bars that lie side by side, the first on top.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::PlotError;
use crate::axis::short;
use crate::pen::{Area, GRID, INK, Pen, clipped, color, titled};

/// Amounts with names.
#[derive(Clone, Debug)]
pub struct Bars {
    title: String,
    bars: Vec<(String, f64)>,
}

impl Bars {
    /// A bar for each amount; those below 0 go to the left of a common line, those that are not finite have none.
    pub fn new(title: impl Into<String>, bars: Vec<(String, f64)>) -> Self {
        Self {
            title: title.into(),
            bars,
        }
    }

    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
    ) -> Result<(), PlotError> {
        let area = titled(area, pen, &self.title)?;
        let style = pen.text(10.5, INK);
        let name = |name: &str| clipped(name, 32);
        let names = self.bars.iter().map(|bar| pen.width(&name(&bar.0), &style));
        let left = names.max().unwrap_or(0) + pen.px(18);
        let finite = || self.bars.iter().map(|bar| bar.1).filter(|v| v.is_finite());
        let (least, most) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
        let (width, height) = area.dim_in_pixel();
        // Room for a number beyond either end.
        let number = pen.px(56);
        let left = if least < 0.0 { left + number } else { left };
        let width = (width as i32 - left - number).max(1);
        let unit = f64::from(width) / (most - least).max(f64::MIN_POSITIVE);
        let x = |value: f64| left + ((value - least) * unit) as i32;
        let step =
            (height as i32 - pen.px(8)) / i32::try_from(self.bars.len().max(1)).unwrap_or(i32::MAX);
        let step = step.min(pen.px(34));
        for (place, (label, value)) in self.bars.iter().enumerate() {
            let top = i32::try_from(place)
                .unwrap_or(i32::MAX)
                .saturating_mul(step);
            let middle = top + step / 2;
            let right = style.clone().pos(Pos::new(HPos::Right, VPos::Center));
            let at = if least < 0.0 { left - number } else { left };
            area.draw_text(&name(label), &right, (at - pen.px(8), middle))
                .map_err(PlotError::drawing)?;
            if !value.is_finite() {
                continue;
            }
            let (from, to) = (x(value.min(0.0)), x(value.max(0.0)));
            let corners = [(from, top + step / 6), (to, top + step - step / 6)];
            area.draw(&Rectangle::new(corners, color(0).filled()))
                .map_err(PlotError::drawing)?;
            let (end, anchor) = if *value < 0.0 {
                (from - pen.px(6), HPos::Right)
            } else {
                (to + pen.px(6), HPos::Left)
            };
            let beside = style.clone().pos(Pos::new(anchor, VPos::Center));
            area.draw_text(&short(*value), &beside, (end, middle))
                .map_err(PlotError::drawing)?;
        }
        let bottom = step * i32::try_from(self.bars.len()).unwrap_or(i32::MAX);
        let zero = PathElement::new(
            [(x(0.0), 0), (x(0.0), bottom)],
            GRID.stroke_width(pen.stroke(1.0)),
        );
        area.draw(&zero).map_err(PlotError::drawing)
    }
}
