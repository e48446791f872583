//! Parallel coordinates: an upright axis for each quantity, and a line through all of them for each record.
//!
//! Inselberg 1985, "The plane with parallel coordinates". The last quantity colours the lines: the least of it is strong, the most of it pale.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::PlotError;
use crate::axis::short;
use crate::pen::{Area, GRID, INK, MUTED, Pen, clipped, color, titled};

/// One upright axis of [`Parallel`].
#[derive(Clone, Debug)]
pub struct Coordinate {
    name: String,
    /// Where each record crosses it, from 0, at the bottom, to 1; none where it has no value.
    places: Vec<Option<f64>>,
    /// What stands at places of the axis.
    marks: Vec<(f64, String)>,
}

impl Coordinate {
    /// Numbers, one for each record, spread evenly or, with `log`, by their logarithm; those from 0 down have no place then.
    pub fn numbers(name: impl Into<String>, values: &[Option<f64>], log: bool) -> Self {
        let scaled = |value: f64| if log { value.ln() } else { value };
        let finite = || {
            values
                .iter()
                .flatten()
                .copied()
                .filter(|value| scaled(*value).is_finite())
        };
        let least = finite().fold(f64::INFINITY, f64::min);
        let most = finite().fold(f64::NEG_INFINITY, f64::max);
        let length = scaled(most) - scaled(least);
        let place = |value: f64| match (scaled(value) - scaled(least)) / length {
            // All are equal: in the middle.
            place if place.is_nan() && scaled(value).is_finite() => Some(0.5),
            place => Some(place).filter(|place| place.is_finite()),
        };
        let places = values.iter().map(|value| value.and_then(place)).collect();
        let marks = if least > most {
            Vec::new()
        } else if least == most {
            vec![(0.5, short(least))]
        } else {
            vec![(0.0, short(least)), (1.0, short(most))]
        };
        Self {
            name: name.into(),
            places,
            marks,
        }
    }

    /// Choices, one for each record, as places in the list of their names.
    pub fn choices(name: impl Into<String>, values: &[Option<usize>], names: &[String]) -> Self {
        let place = |choice: usize| (choice as f64 + 0.5) / names.len().max(1) as f64;
        Self {
            name: name.into(),
            places: values.iter().map(|value| value.map(place)).collect(),
            marks: names
                .iter()
                .enumerate()
                .map(|(choice, name)| (place(choice), name.clone()))
                .collect(),
        }
    }
}

/// Records as lines over upright axes.
#[derive(Clone, Debug)]
pub struct Parallel {
    title: String,
    coordinates: Vec<Coordinate>,
}

impl Parallel {
    /// A line for each record, through its places on `coordinates`; those without a value have a gap.
    pub fn new(title: impl Into<String>, coordinates: Vec<Coordinate>) -> Self {
        Self {
            title: title.into(),
            coordinates,
        }
    }

    pub(crate) fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
    ) -> Result<(), PlotError> {
        let area = titled(area, pen, &self.title)?;
        let (width, height) = area.dim_in_pixel();
        let (width, height) = (width as i32, height as i32);
        let (left, top, bottom) = (pen.px(70), pen.px(30), height - pen.px(16));
        let gaps = i32::try_from(self.coordinates.len().saturating_sub(1))
            .unwrap_or(i32::MAX)
            .max(1);
        let step = (width - left - pen.px(70)) / gaps;
        let x = |axis: usize| left + step * i32::try_from(axis).unwrap_or(i32::MAX);
        let y = |place: f64| bottom - (place * f64::from(bottom - top)) as i32;
        self.draw_records(&area, pen, &|axis, place| (x(axis), y(place)))?;
        for (axis, coordinate) in self.coordinates.iter().enumerate() {
            let line = PathElement::new(
                [(x(axis), top), (x(axis), bottom)],
                MUTED.stroke_width(pen.stroke(1.0)),
            );
            area.draw(&line).map_err(PlotError::drawing)?;
            let letters = usize::try_from(step / pen.px(7).max(1)).unwrap_or(0).max(4);
            let above = pen
                .text(10.0, INK)
                .pos(Pos::new(HPos::Center, VPos::Bottom));
            // The ends of names tell keys apart.
            let name = coordinate.name.rsplit('.').next().unwrap_or_default();
            area.draw_text(&clipped(name, letters), &above, (x(axis), top - pen.px(8)))
                .map_err(PlotError::drawing)?;
            let beside = pen
                .text(9.0, MUTED)
                .pos(Pos::new(HPos::Right, VPos::Center));
            for (place, text) in &coordinate.marks {
                let at = (x(axis) - pen.px(5), y(*place));
                area.draw_text(&clipped(text, 12), &beside, at)
                    .map_err(PlotError::drawing)?;
            }
        }
        Ok(())
    }

    fn draw_records<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pen: Pen,
        at: &dyn Fn(usize, f64) -> (i32, i32),
    ) -> Result<(), PlotError> {
        let Some(last) = self.coordinates.last() else {
            return Ok(());
        };
        let mut order: Vec<usize> = (0..last.places.len()).collect();
        // The strong lines lie on the pale ones.
        let rank = |record: usize| last.places[record].unwrap_or(f64::INFINITY);
        order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        for record in order {
            let strength = last.places[record].map(|place| 0.15 + 0.85 * (1.0 - place).powi(2));
            let style = match strength {
                Some(strength) => color(0).mix(strength).stroke_width(pen.stroke(1.5)),
                None => GRID.stroke_width(pen.stroke(1.0)),
            };
            let places = self.coordinates.iter().enumerate();
            let places: Vec<_> = places
                .map(|(axis, coordinate)| {
                    Some(at(axis, coordinate.places.get(record).copied().flatten()?))
                })
                .collect();
            for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
                let points: Vec<(i32, i32)> = run.iter().copied().flatten().collect();
                area.draw(&PathElement::new(points, style))
                    .map_err(PlotError::drawing)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Figure;

    #[test]
    fn numbers_lie_between_the_ends() {
        let values = [Some(1.0), Some(100.0), None, Some(10.0), Some(-1.0)];
        let log = Coordinate::numbers("a", &values, true);
        assert_eq!(log.places[..3], [Some(0.0), Some(1.0), None]);
        assert!((log.places[3].unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(log.places[4], None);
        let equal = Coordinate::numbers("a", &[Some(3.0), Some(3.0)], false);
        assert_eq!(equal.places, [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn every_record_is_a_line() {
        let names = ["one".to_owned(), "two".to_owned()];
        let coordinates = vec![
            Coordinate::numbers("a.width", &[Some(1.0), Some(2.0), Some(3.0)], false),
            Coordinate::choices("b.kind", &[Some(0), Some(1), None], &names),
            Coordinate::numbers("loss", &[Some(0.1), None, Some(0.3)], false),
        ];
        let svg = Figure::new([Parallel::new("parallel", coordinates)])
            .svg()
            .unwrap();
        for text in ["width", "kind", "loss", "one", "two", "parallel"] {
            assert!(svg.contains(text), "{text}");
        }
        // Three axes, and of the three records the first whole, half of the second, none of the third, which has a gap in the middle.
        assert_eq!(svg.matches("<polyline").count(), 5, "{svg}");
        assert!(Figure::new([Parallel::new("", vec![])]).svg().is_ok());
    }
}
