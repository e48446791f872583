//! What can go wrong with a figure.

use std::path::PathBuf;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The name of a file does not say which format is wanted.
    #[error("{path}: expected a name that ends in .svg, .png or .html")]
    Extension {
        /// The name.
        path: PathBuf,
    },
    /// The strokes can't be made.
    #[error("cannot draw: {reason}")]
    Drawing {
        /// What the drawing library says; its own errors borrow from what is drawn.
        reason: String,
    },
    /// The pixels can't be packed.
    #[error("cannot pack the picture")]
    Png(#[from] png::EncodingError),
}

impl PlotError {
    pub(crate) fn drawing(error: impl std::fmt::Display) -> Self {
        Self::Drawing {
            reason: error.to_string(),
        }
    }
}
