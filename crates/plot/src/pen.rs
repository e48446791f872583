//! Colours, letters and strokes that all figures share.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, TextStyle, register_font};

use crate::PlotError;

/// An area of a figure.
pub(crate) type Area<DB> = DrawingArea<DB, Shift>;

/// Text and frames.
pub(crate) const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
/// Labels and marks.
pub(crate) const MUTED: RGBColor = RGBColor(0x65, 0x6D, 0x76);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(0xDF, 0xE3, 0xE8);
/// What everything lies on.
pub(crate) const GROUND: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Colours of curves, told apart with most kinds of colour blindness too, and readable on light and dark ground.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0x2F, 0x7C, 0xD6),
    RGBColor(0xE0, 0x7B, 0x1F),
    RGBColor(0x1F, 0x9E, 0x77),
    RGBColor(0xC2, 0x4B, 0x8E),
    RGBColor(0x7A, 0x5C, 0xC9),
    RGBColor(0xB0, 0x8B, 0x00),
    RGBColor(0xCC, 0x3F, 0x3F),
    RGBColor(0x4A, 0xA3, 0xC7),
];

/// The colour with this number; they begin anew after the last.
pub(crate) fn color(slot: usize) -> RGBColor {
    PALETTE[slot % PALETTE.len()]
}

/// Replaces the colours of text, grid and ground by those of the [page](crate::Page), which knows whether it is light or dark.
pub(crate) fn follow_page(svg: &str) -> String {
    let hex = |RGBColor(r, g, b)| format!("\"#{r:02X}{g:02X}{b:02X}\"");
    svg.replace(&hex(INK), "\"var(--ink)\"")
        .replace(&hex(MUTED), "\"var(--muted)\"")
        .replace(&hex(GRID), "\"var(--line)\"")
        .replace(&hex(GROUND), "\"var(--ground)\"")
}

/// Draws in units of the figure; a unit is `scale` pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen {
    scale: f64,
}

impl Pen {
    /// A pen for pictures with so many pixels a unit.
    pub(crate) fn new(scale: f64) -> Self {
        static FONTS: Once = Once::new();
        FONTS.call_once(|| {
            for (style, bytes) in [
                (FontStyle::Normal, dejavu::sans::regular()),
                (FontStyle::Bold, dejavu::sans::bold()),
            ] {
                let registered = register_font("sans-serif", style, bytes);
                assert!(registered.is_ok(), "DejaVu Sans is a font");
            }
        });
        Self { scale }
    }

    /// Units as pixels.
    pub(crate) fn px(self, units: i32) -> i32 {
        (f64::from(units) * self.scale).round() as i32
    }

    /// Width of a line of so many units.
    pub(crate) fn stroke(self, units: f64) -> u32 {
        (units * self.scale).round().max(1.0) as u32
    }

    /// Letters of this size, in units.
    pub(crate) fn text(self, size: f64, color: RGBColor) -> TextStyle<'static> {
        // plotters takes the height of a line where the size of a letter is meant.
        ("sans-serif", 1.24 * size * self.scale)
            .into_font()
            .color(&color)
    }

    /// The same, bold.
    pub(crate) fn bold(self, size: f64, color: RGBColor) -> TextStyle<'static> {
        ("sans-serif", 1.24 * size * self.scale, FontStyle::Bold)
            .into_font()
            .color(&color)
    }

    /// Width of `text` in pixels.
    pub(crate) fn width(self, text: &str, style: &TextStyle<'_>) -> i32 {
        let layout = style.font.layout_box(text);
        // The letters of a picture that can't be measured would not be drawn either.
        layout.map_or(0, |(from, to)| to.0 - from.0)
    }
}

/// Writes the title of a panel and returns the area below it.
pub(crate) fn titled<DB: DrawingBackend>(
    area: &Area<DB>,
    pen: Pen,
    title: &str,
) -> Result<Area<DB>, PlotError> {
    if title.is_empty() {
        return Ok(area.clone());
    }
    let style = pen.bold(13.0, INK);
    area.draw_text(title, &style, (pen.px(10), pen.px(8)))
        .map_err(PlotError::drawing)?;
    Ok(area.split_vertically(pen.px(28)).1)
}

/// `text` with at most `most` characters; an ellipsis stands for the rest.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}
