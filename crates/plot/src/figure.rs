//! A figure: panels side by side and below each other, as SVG, PNG or a page.

use plotters::prelude::*;

use crate::pen::{Area, GROUND, Pen, follow_page};
use crate::{Bars, Chart, Format, HeatMap, Page, Parallel, PlotError};

/// One part of a figure.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Curves and points.
    Chart(Chart),
    /// A table of colours.
    HeatMap(HeatMap),
    /// Named amounts.
    Bars(Bars),
    /// Records over upright axes.
    Parallel(Parallel),
}

impl From<Chart> for Panel {
    fn from(chart: Chart) -> Self {
        Self::Chart(chart)
    }
}

impl From<HeatMap> for Panel {
    fn from(map: HeatMap) -> Self {
        Self::HeatMap(map)
    }
}

impl From<Bars> for Panel {
    fn from(bars: Bars) -> Self {
        Self::Bars(bars)
    }
}

impl From<Parallel> for Panel {
    fn from(parallel: Parallel) -> Self {
        Self::Parallel(parallel)
    }
}

/// Panels of one size, row after row.
#[derive(Clone, Debug)]
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
    panel_size: (u32, u32),
}

/// Pixels of a PNG for a unit of the figure; screens of today have two.
const PIXELS: u32 = 2;
/// Most pixels of a PNG, so that a figure of very many panels does not take all memory.
const MOST_PIXELS: u64 = 1 << 27;

impl Figure {
    /// These panels, two in a row where there are several, each 480 units wide and 320 high.
    pub fn new(panels: impl IntoIterator<Item = impl Into<Panel>>) -> Self {
        let panels: Vec<Panel> = panels.into_iter().map(Into::into).collect();
        Self {
            columns: if panels.len() > 1 { 2 } else { 1 },
            panels,
            panel_size: (480, 320),
        }
    }

    /// Sets how many panels stand in a row; at least 1.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// Sets the width and height of a panel, in units; at least 16.
    #[must_use]
    pub fn panel_size(mut self, width: u32, height: u32) -> Self {
        self.panel_size = (width.max(16), height.max(16));
        self
    }

    fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns).max(1)
    }

    /// Width and height in units.
    fn size(&self) -> (u32, u32) {
        let times = |n: usize, size: u32| size.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        (
            times(
                self.columns.min(self.panels.len().max(1)),
                self.panel_size.0,
            ),
            times(self.rows(), self.panel_size.1),
        )
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>, pen: Pen) -> Result<(), PlotError> {
        root.fill(&GROUND).map_err(PlotError::drawing)?;
        let columns = self.columns.min(self.panels.len().max(1));
        let areas = root.split_evenly((self.rows(), columns));
        for (area, panel) in areas.iter().zip(&self.panels) {
            match panel {
                Panel::Chart(chart) => chart.draw(area, pen)?,
                Panel::HeatMap(map) => map.draw(area, pen)?,
                Panel::Bars(bars) => bars.draw(area, pen)?,
                Panel::Parallel(parallel) => parallel.draw(area, pen)?,
            }
        }
        root.present().map_err(PlotError::drawing)
    }

    /// As SVG, on white ground.
    ///
    /// # Errors
    /// The figure can't be drawn.
    pub fn svg(&self) -> Result<String, PlotError> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, self.size()).into_drawing_area();
        self.draw(&root, Pen::new(1.0))?;
        drop(root);
        Ok(svg)
    }

    /// As SVG for a [`Page`], whose colours it takes.
    ///
    /// # Errors
    /// The figure can't be drawn.
    pub fn inline_svg(&self) -> Result<String, PlotError> {
        Ok(follow_page(&self.svg()?))
    }

    /// As PNG, with two pixels a unit, on white ground.
    ///
    /// # Errors
    /// The figure can't be drawn, or would have more than 134 million pixels.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        let (width, height) = self.size();
        let (width, height) = (width.saturating_mul(PIXELS), height.saturating_mul(PIXELS));
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MOST_PIXELS {
            return Err(PlotError::drawing("the picture is too large, take .svg"));
        }
        let mut rgb = vec![0; 3 * pixels as usize];
        let root = BitMapBackend::with_buffer(&mut rgb, (width, height)).into_drawing_area();
        self.draw(&root, Pen::new(f64::from(PIXELS)))?;
        drop(root);
        packed(&rgb, (width, height), png::ColorType::Rgb)
    }

    /// In the format of a file.
    ///
    /// # Errors
    /// Those of [`Figure::svg`] and [`Figure::png`].
    pub fn encode(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        Ok(match format {
            Format::Svg => self.svg()?.into_bytes(),
            Format::Png => self.png()?,
            Format::Html => Page::new("").figure(self)?.html().into_bytes(),
        })
    }
}

/// Pixels of a byte a colour as PNG.
pub(crate) fn packed(
    pixels: &[u8],
    (width, height): (u32, u32),
    color: png::ColorType,
) -> Result<Vec<u8>, PlotError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Series};

    fn panels() -> Vec<Panel> {
        let names = |n: usize| (0..n).map(|i| format!("<{i}>")).collect::<Vec<_>>();
        let points = |power| {
            (0..50)
                .map(|i| (f64::from(i), f64::from(i).powi(power)))
                .collect()
        };
        let table = vec![vec![0.0, 0.5], vec![1.0, f64::NAN]];
        vec![
            Chart::new(
                "a & b",
                Axis::linear("x"),
                Axis::log("y"),
                vec![
                    Series::line("one", points(1)),
                    Series::faint(points(3)).colored(0),
                    Series::dots("two", vec![(f64::NAN, 1.0), (3.0, 4.0)]),
                    Series::line_and_dots("none", vec![]),
                ],
            )
            .into(),
            HeatMap::new("map", names(2), names(2), table.clone())
                .texts(vec![names(2), names(2)])
                .into(),
            Bars::new("bars", vec![("up".into(), 3.0), ("down".into(), -1.0)]).into(),
            Bars::new("no bars", vec![]).into(),
            HeatMap::new("no map", vec![], vec![], vec![]).into(),
            Chart::new("empty", Axis::log("x"), Axis::linear("y"), vec![]).into(),
        ]
    }

    #[test]
    fn every_panel_is_drawn_in_every_format() {
        let figure = Figure::new(panels()).columns(3);
        let svg = figure.svg().unwrap();
        assert!(
            svg.starts_with("<svg width=\"1440\" height=\"640\""),
            "{svg}"
        );
        assert!(svg.trim_end().ends_with("</svg>"));
        for text in ["a &amp; b", "one", "&lt;1&gt;", "down", "empty"] {
            assert!(svg.contains(text), "{text}");
        }
        let png = figure.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (2880, 1280));
        // Letters stand in the picture too: the title is ink on white.
        let title = |x: u32, y: u32| pixels[3 * (y * info.width + x) as usize] < 0x40;
        assert!((0..400).any(|x| (10..50).any(|y| title(x, y))));
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused() {
        let figure = Figure::new(vec![Bars::new("", vec![]); 4000]).columns(1);
        assert!(figure.png().unwrap_err().to_string().contains(".svg"));
    }

    #[test]
    fn on_a_page_the_colours_are_those_of_the_page() {
        let svg = Figure::new(panels()).inline_svg().unwrap();
        assert!(svg.contains("var(--ink)") && svg.contains("var(--ground)"));
        assert!(!svg.contains("#1F2328"));
    }
}
