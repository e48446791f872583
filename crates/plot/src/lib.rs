//! Figures as SVG and PNG, and pages of HTML that stand alone.
//!
//! Knows numbers and names, and nothing of models, runs or files: it returns text and bytes, and who asked writes them. The strokes are
//! those of the `plotters` crate; the font of PNG files is DejaVu Sans, which the program carries with it.
//!
//! ```
//! use llm_plot::{Axis, Chart, Figure, Format, Series};
//!
//! let loss = Series::line("loss", vec![(1.0, 4.2), (10.0, 2.1), (100.0, 1.4)]);
//! let chart = Chart::new("training", Axis::log("step"), Axis::linear("nats a token"), vec![loss]);
//! let figure = Figure::new([chart]);
//! assert!(figure.svg()?.starts_with("<svg"));
//! let bytes = figure.encode(Format::of("loss.png".as_ref())?)?;
//! assert_eq!(&bytes[1..4], b"PNG");
//! # Ok::<(), llm_plot::PlotError>(())
//! ```

mod axis;
mod bars;
mod chart;
mod error;
mod figure;
mod format;
mod gallery;
mod heat_map;
mod page;
mod parallel;
mod pen;

pub use axis::{Axis, Scale};
pub use bars::Bars;
pub use chart::{Chart, Series};
pub use error::PlotError;
pub use figure::{Figure, Panel};
pub use format::Format;
pub use heat_map::{Colors, HeatMap};
pub use page::{Page, escape};
pub use parallel::{Coordinate, Parallel};
