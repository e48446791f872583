//! Formats of figures, chosen by the name of the file.

use std::path::Path;

use crate::PlotError;

/// A format of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Vector graphics.
    Svg,
    /// Pixels, two for each unit of the figure.
    Png,
    /// A page that stands alone, with the figure inside.
    Html,
}

impl Format {
    /// The format of a file with this name.
    ///
    /// # Errors
    /// The extension is another one, or none.
    pub fn of(path: &Path) -> Result<Self, PlotError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(PlotError::Extension {
                path: path.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_chooses() {
        let of = |name: &str| Format::of(Path::new(name)).ok();
        assert_eq!(of("a.svg"), Some(Format::Svg));
        assert_eq!(of("a.b/c.PNG"), Some(Format::Png));
        assert_eq!(of("page.htm"), Some(Format::Html));
        assert_eq!(of("a.pdf"), None);
        assert_eq!(of("svg"), None);
    }
}
