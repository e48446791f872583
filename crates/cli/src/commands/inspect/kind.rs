//! Kinds of files for what was seen, told by their names.

use std::path::Path;

use crate::failure::usage;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A page that stands alone.
    Html,
    /// A picture of strokes.
    Svg,
    /// A picture of pixels.
    Png,
    /// Numbers and words.
    Json,
    /// Numbers.
    Safetensors,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Json => "json",
            Self::Safetensors => "safetensors",
        }
    }

    /// The kind of the file with this name.
    ///
    /// # Errors
    /// None of `kinds` has its extension; ends with exit code 2.
    pub(super) fn of(path: &Path, kinds: &[Self]) -> anyhow::Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let has = |kind: &&Self| extension.eq_ignore_ascii_case(kind.extension());
        kinds.iter().find(has).copied().ok_or_else(|| {
            let names = kinds.iter().map(|kind| format!(".{}", kind.extension()));
            usage(format_args!(
                "--output {}: expected a name that ends in {}",
                path.display(),
                names.collect::<Vec<_>>().join(", ")
            ))
        })
    }
}
